#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_drift_info
short_description: Report configuration drift of a node
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Returns the running container runtimes of the node, and the keys of their files and the units
    that differ from the spec. The module does not change the node.
  - The module does not fail if the node is unreachable, has no runtime or does not support its
    spec. It reports this in the state of the node instead.
  - The values contain no secrets. If a file contains secrets or cannot be parsed, only a difference
    of the whole file is reported. A value is redacted if its key looks like the name of a secret,
    such as C(password), C(auth) or C(token). User names and passwords in URLs are also redacted.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.read_only
options:
  spec:
    description:
      - Options of M(cruntime.node.cruntime_enable), which runs with them in check mode.
      - If not set, the node is not compared. Only its runtimes are returned.
    type: dict
  images:
    description:
      - Images that must be present on the node, as in the option O(ignore:name) of
        M(cruntime.node.cruntime_image).
      - If O(spec) is not set, the images are not checked.
    type: list
    elements: str
    default: []
requirements:
  - semver (Python library, on the controller only, for C(kubernetes_version))
  - tomlkit (Python library, on the controller only, for C(extra_config))
  - systemd
  - root privileges (use C(become))
seealso:
  - module: cruntime.node.cruntime_enable
  - module: cruntime.node.cruntime_info
"""

EXAMPLES = r"""
- name: Compare the node with its spec
  cruntime.node.cruntime_drift_info:
    spec:
      runtime: containerd
      cgroup_driver: systemd
    images: [registry.k8s.io/pause:3.10]
  register: compared

- name: Show the drifted keys
  ansible.builtin.debug:
    var: compared.node.drift
"""

RETURN = r"""
node:
  description: State of the node. All keys are always returned.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the node in the inventory.
      type: str
    state:
      description: >-
        V(ok) if the node matches its spec. V(drift) if it does not. V(unspecified) if O(spec) is
        not set. V(failed) if the node could not be compared, for example because the runtime is not
        installed, or if only its images could not be checked and everything else matches.
        V(unreachable) if there is no connection to the node.
      type: str
    error:
      description: >-
        Reason why the node could not be compared or reached, or with V(drift), why its images could
        not be checked. Otherwise V(null).
      type: str
    spec_runtime:
      description: Runtime of the spec. V(null) if the node could not be compared.
      type: str
    runtimes:
      description: >-
        Running runtimes, except those that run only because another one needs them. V(null) if they
        could not be determined.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the runtime.
          type: str
        version:
          description: Version of the runtime.
          type: str
        cgroup_driver:
          description: >-
            Cgroup driver that the runtime reports. V(null) if the runtime does not report it.
          type: str
        socket_path:
          description: Path of the CRI socket. V(null) for Docker without cri-dockerd.
          type: str
        enabled:
          description: Whether the runtime starts at boot.
          type: bool
    drift:
      description: Drifted keys.
      type: list
      elements: dict
      contains:
        kind:
          description:
            - V(differs) if a file differs from the rendered file, V(overridden) if another file, a
              flag or a variable overrides a key, V(pending) if the process does not use its files
              yet, and V(unknown) if the process does not report the key, and a file or a directory
              that it had read is newer than the process.
            - A node whose only differences are V(unknown) has the state V(drift) too, because
              nothing shows that it matches its spec.
          type: str
        file:
          description: >-
            Path of the file that sets the current value, with the flag or the variable if there is
            one. If only the unit is known, its name. V(null) for RV(node.drift[].kind=pending), and
            if nothing is known.
          type: str
        source:
          description: >-
            V(file), V(flag) or V(environment), depending on what sets the current value.
            V(process) for RV(node.drift[].kind=pending). V(null) if it is not known.
          type: str
        key:
          description: Dotted key, as in TOML. V(null) for the whole file.
          type: str
        current:
          description: Value on the node, of any type. V(null) if the key does not exist.
          type: raw
        desired:
          description: Value in the spec, of any type. V(null) if the key must not exist.
          type: raw
    units:
      description: Systemd units that are not in the desired state.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the unit.
          type: str
        current:
          description: Whether the unit is active and enabled.
          type: str
        desired:
          description: Whether the unit must be active and enabled.
          type: str
        cause:
          description: Why the unit would be changed. An active unit can have a pending restart.
          type: str
    images_missing:
      description: >-
        Images in O(images) that are absent. V(null) if they could not be determined, for example
        because the runtime is not running.
      type: list
      elements: str
  sample:
    name: worker-1
    state: drift
    error: null
    spec_runtime: containerd
    runtimes:
      - name: containerd
        version: 1.7.24
        cgroup_driver: cgroupfs
        socket_path: /run/containerd/containerd.sock
        enabled: true
    drift:
      - kind: overridden
        file: /etc/containerd/conf.d/50-admin.toml
        source: file
        key: plugins."io.containerd.grpc.v1.cri".sandbox_image
        current: registry.k8s.io/pause:3.6
        desired: registry.k8s.io/pause:3.10
    units:
      - name: containerd.service
        current: active, enabled
        desired: active, enabled
        cause: /etc/containerd/config.toml is newer than the running process
    images_missing: [registry.k8s.io/pause:3.10]
"""
