#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_drift_info
short_description: Tell how far a node is from its spec
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Reads what container runtimes the node runs, and which keys of their files and which units are
    not as the spec says. Changes nothing on the node.
  - It does not fail for a node that can't be reached, has no runtime or can't do what its spec
    says. That is what it tells of this node.
  - Secrets are not among the values, and a file that holds secrets, or that can't be read as what
    it should be, only differs as a whole. A value is hidden where its key has a telling name, such
    as C(password), C(auth) or C(token), and so is the user in a URL.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.read_only
options:
  spec:
    description:
      - The options of M(cruntime.node.cruntime_enable), which is run with them in check mode.
      - If not given, the node is only looked at.
    type: dict
  images:
    description:
      - Images that the node shall have, by the names that M(cruntime.node.cruntime_image) takes.
      - Without O(spec) they are not looked for.
    type: list
    elements: str
    default: []
requirements:
  - semver (Python library, on the controller only, for C(kubernetes_version))
  - tomlkit (Python library, on the controller only, for C(extra_config))
  - systemd
  - crictl of cri-tools, for O(images) of containerd and CRI-O
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

- name: Say which keys differ
  ansible.builtin.debug:
    var: compared.node.drift
"""

RETURN = r"""
node:
  description: How the node stands. All keys are always there.
  returned: success
  type: dict
  contains:
    name:
      description: Its name in the inventory.
      type: str
    state:
      description: >-
        V(ok), where the node is as its spec says; V(drift), where it is not; V(unspecified), where
        it has no spec; V(failed), where it could not be compared, such as one without the runtime,
        or all that could be is as its spec says, but not its images; V(unreachable).
      type: str
    error:
      description: >-
        Why it could not be compared or reached, or with V(drift) why its images could not be; else
        none.
      type: str
    spec_runtime:
      description: The runtime that the spec asks for; none where it could not be compared.
      type: str
    runtimes:
      description: The runtimes that run in their own right, best one; none if nobody could tell.
      type: list
      elements: dict
      contains:
        name:
          description: The runtime.
          type: str
        version:
          description: Its version.
          type: str
        cgroup_driver:
          description: Its cgroup driver, as it says itself; none if it can't be asked.
          type: str
        socket_path:
          description: Where its CRI answers.
          type: str
        enabled:
          description: Whether it comes up at boot.
          type: bool
    drift:
      description: What differs, as P(cruntime.node.drift#filter) tells it, key by key.
      type: list
      elements: dict
      contains:
        file:
          description: The file; none for what the running runtime itself says.
          type: str
        key:
          description: The key, dotted, as one would write it in TOML; none for the file as a whole.
          type: str
        current:
          description: The value on the node, of any type; none where there is no such key.
          type: raw
        desired:
          description: The value that the spec asks for; none where there shall be no such key.
          type: raw
    units:
      description: The systemd units that are not as they should be.
      type: list
      elements: dict
      contains:
        name:
          description: The unit.
          type: str
        current:
          description: Whether it is active and enabled.
          type: str
        desired:
          description: Whether it should be.
          type: str
        cause:
          description: Why it would be changed; a restart can be owed to a unit that is active.
          type: str
    images_missing:
      description: >-
        Which of O(images) are not there; none if nobody could tell, as of a runtime that does not
        run.
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
      - file: null
        key: cgroup_driver
        current: cgroupfs
        desired: systemd
    units:
      - name: containerd.service
        current: active, enabled
        desired: active, enabled
        cause: /etc/containerd/config.toml is newer than the running process
    images_missing: [registry.k8s.io/pause:3.10]
"""
