#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_info
short_description: Tell which container runtimes a node has and how they stand
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Reads the state of containerd, CRI-O and Docker. Changes nothing on the node, and wakes no
    runtime that is stopped.
options:
  gather_subset:
    description:
      - What to tell of beside the version of the cgroups.
      - V(runtimes) is the state of every runtime.
      - V(images) is the images of the runtime that the node runs.
    type: list
    elements: str
    choices: [runtimes, images]
    default: [runtimes]
requirements:
  - systemd
  - crictl, for V(images) of containerd and CRI-O
attributes:
  check_mode:
    description: Can run in check mode, where it does the same.
    support: full
  diff_mode:
    description: Has nothing to show, since it changes nothing.
    support: none
  platform:
    description: Linux distributions that systemd runs.
    support: full
    platforms: posix
notes:
  - The cgroup driver is asked of the running runtime, which needs root privileges (use C(become)).
seealso:
  - module: cruntime.node.cruntime_enable
"""

EXAMPLES = r"""
- name: Look at the node's runtimes
  cruntime.node.cruntime_info:
  register: info

- name: List the images of the one that runs
  cruntime.node.cruntime_info:
    gather_subset: [images]
  register: info

- name: Say which of them run
  ansible.builtin.debug:
    msg: "{{ info.runtimes | dict2items | selectattr('value.active') | map(attribute='key') }}"
"""

RETURN = r"""
images:
  description: The images of the runtime that the node runs, the same keys for every runtime.
  returned: when O(gather_subset) has V(images)
  type: list
  elements: dict
  contains:
    id:
      description: The ID by which the runtime itself knows it.
      type: str
    repo_tags:
      description: Its names in full.
      type: list
      elements: str
    repo_digests:
      description: Its names by digest, as far as the runtime knows any.
      type: list
      elements: str
    size:
      description: Its size in bytes, counted as the runtime does.
      type: int
    pinned:
      description: Whether the kubelet's garbage collection spares it.
      type: bool
  sample:
    - id: sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502
      repo_tags: ["r.test/busybox:1"]
      repo_digests:
        - r.test/busybox@sha256:3f285354d1cafb9c6c69162883013e4e6ace72456b8c256bb73aeda00602a886
      size: 2171545
      pinned: false
runtimes:
  description: Every runtime that this collection knows, by its name in a spec.
  returned: when O(gather_subset) has V(runtimes)
  type: dict
  contains:
    containerd:
      description: The state of containerd; C(crio) and C(docker) have the same keys.
      type: dict
      contains:
        installed:
          description: Whether its daemon and its unit are there.
          type: bool
        version:
          description: The version of the daemon's binary, none if it is not installed.
          type: str
        active:
          description: Whether its service runs.
          type: bool
        enabled:
          description: Whether its service or its socket comes up at boot.
          type: bool
        socket_path:
          description: Where its CRI answers. For Docker this is the socket of cri-dockerd.
          type: str
        cri_endpoint:
          description: The same as a URL.
          type: str
        cgroup_driver:
          description: >-
            V(systemd) or V(cgroupfs), as the running runtime says; none if it does not run or
            can't be asked.
          type: str
        kubelet_options:
          description: The flags, by name, that point a kubelet at it.
          type: dict
  sample:
    containerd:
      installed: true
      version: 1.7.24
      active: true
      enabled: true
      socket_path: /run/containerd/containerd.sock
      cri_endpoint: unix:///run/containerd/containerd.sock
      cgroup_driver: systemd
      kubelet_options:
        container-runtime-endpoint: unix:///run/containerd/containerd.sock
cgroup_version:
  description: V(1) or V(2); a node with both hierarchies counts as V(1).
  returned: success
  type: int
  sample: 2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.converge import cgroup_version
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Ledger
from ansible_collections.cruntime.node.plugins.module_utils.images.catalog import store_of
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    recall_sockets,
    running,
    runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Services


def main():
    module = AnsibleModule(argument_spec=options.INFO, supports_check_mode=True)
    subsets = {"runtimes": look, "images": images}
    try:
        result = {name: subsets[name](module) for name in module.params["gather_subset"]}
    except CruntimeError as error:
        module.fail_json(msg=str(error), **error.facts)
    module.exit_json(changed=False, cgroup_version=cgroup_version(), **result)


def images(module):
    runner = Runner()
    store = store_of(runner, running(runner, Services(runner)))
    store.check(set())
    return [image.described() for image in store.images()]


def look(module):
    runner = Runner()
    known = runtimes(runner)
    recall_sockets(known, Ledger())
    units = Services(runner).look(name for runtime in known.values() for name in runtime.all_units)
    return {name: describe(module, runtime, units) for name, runtime in known.items()}


def describe(module, runtime, units):
    installed = runtime.installed(units)
    active = installed and runtime.active(units)
    cgroup_driver = None
    if active:
        try:
            cgroup_driver = runtime.cgroup_driver()
        except CruntimeError as error:
            module.warn(
                f"{runtime.label} runs but could not be asked for its cgroup driver: {error}"
            )
    return {
        "installed": installed,
        "version": runtime.version() if installed else None,
        "active": active,
        "enabled": installed and runtime.enabled(units),
        "socket_path": runtime.socket_path,
        "cri_endpoint": runtime.cri_endpoint,
        "cgroup_driver": cgroup_driver,
        "kubelet_options": runtime.kubelet_options(),
    }


if __name__ == "__main__":
    main()
