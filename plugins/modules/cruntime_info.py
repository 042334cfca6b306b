#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_info
short_description: Tell which container runtimes a node has, how they stand and what they run
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Reads the state of containerd, CRI-O and Docker. Changes nothing on the node, and wakes no
    runtime that is stopped.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.read_only
  - cruntime.node.attributes.action_group
  - cruntime.node.selection
options:
  gather_subset:
    description:
      - What to tell of. The selectors are about V(containers) and V(logs), which are of all
        containers where none is given.
    type: list
    elements: str
    default: [runtimes]
    choices:
      runtimes: The runtimes and how they stand.
      images: The images of the running runtime.
      containers: The containers of the running runtime.
      logs: >-
        The last lines that these containers wrote, and that the runtime's own units have in the
        journal. Where no runtime runs, a warning says so, and the journal is that of all.
  log_lines:
    description:
      - How many lines of each log are returned with V(logs) in O(gather_subset).
      - Of one log they are 64 KiB at most, and of all containers 1 MiB; what is older is left out.
      - Values of environment variables with the name of a secret, such as C(DB_PASSWORD), and
        passwords in URLs are replaced in them by asterisks.
    type: int
    default: 50
requirements:
  - systemd
  - crictl of cri-tools, for V(images), V(containers) and V(logs) of containerd and CRI-O
notes:
  - The cgroup driver is asked of the running runtime, which needs root privileges (use C(become)),
    and so do V(containers) and V(logs) in O(gather_subset).
seealso:
  - module: cruntime.node.cruntime_enable
  - module: cruntime.node.cruntime_containers
"""

EXAMPLES = r"""
- name: Look at the node's runtimes
  cruntime.node.cruntime_info:
  register: info

- name: List the images of the one that runs
  cruntime.node.cruntime_info:
    gather_subset: [images]
  register: listed

- name: Say which of them run
  ansible.builtin.debug:
    msg: "{{ info.runtimes | dict2items | selectattr('value.active') | map(attribute='key') }}"

- name: List the running containers of the namespace kube-system
  cruntime.node.cruntime_info:
    gather_subset: [containers]
    namespaces: [kube-system]
    current_state: running
  register: control_plane

- name: Read what etcd and the runtime said last
  cruntime.node.cruntime_info:
    gather_subset: [logs]
    name: etcd
    namespaces: [kube-system]
    log_lines: 100
  register: said
"""

RETURN = r"""
images:
  description: The images of the runtime that the node runs, the same keys for every runtime.
  returned: with V(images) in O(gather_subset)
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
  returned: with V(runtimes) in O(gather_subset)
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
running:
  description: >-
    The names of the runtimes that run, but for one that runs only because another one needs it,
    such as containerd under Docker.
  returned: with V(runtimes) in O(gather_subset)
  type: list
  elements: str
  sample: [containerd]
cgroup_version:
  description: V(1) or V(2); a node with both hierarchies counts as V(1).
  returned: success
  type: int
  sample: 2
containers:
  description:
    - The containers that were selected, each with the same keys as those that
      M(cruntime.node.cruntime_containers) returns.
  returned: with V(containers) in O(gather_subset)
  type: list
  elements: dict
logs:
  description: What was said last.
  returned: with V(logs) in O(gather_subset)
  type: dict
  contains:
    containers:
      description: The logs of the containers that were selected.
      type: list
      elements: dict
      contains:
        id:
          description: The container's id.
          type: str
        name:
          description: Its name in the pod's manifest; Docker's own outside of pods.
          type: str
        namespace:
          description: The namespace of its pod; none outside of pods.
          type: str
        pod:
          description: The name of its pod; none outside of pods.
          type: str
        state:
          description: V(running), V(paused), V(exited), V(created) or V(unknown).
          type: str
        text:
          description: The lines, those of both streams; none if they can't be read.
          type: str
        truncated:
          description: Whether the lines are longer than what is returned of them.
          type: bool
        error:
          description: Why they can't be read; none if they can.
          type: str
        command:
          description: What a person would type to read them.
          type: str
        follow_command:
          description: What a person would type to go on reading.
          type: str
    runtime:
      description: The log of the runtime's own units.
      type: dict
      contains:
        units:
          description: The units.
          type: list
          elements: str
        text:
          description: The lines of the journal.
          type: str
        truncated:
          description: Whether the lines are longer than what is returned of them.
          type: bool
        command:
          description: What a person would type to read them; none if no unit is there.
          type: str
    status_command:
      description: What a person would type to see all containers; none if no runtime runs.
      type: str
  sample:
    containers:
      - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
        name: etcd
        namespace: kube-system
        pod: etcd-node1
        state: running
        text: "ready to serve client requests\n"
        truncated: false
        error: null
        command: >-
          sudo /usr/bin/crictl logs --tail 50
          e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
        follow_command: >-
          sudo /usr/bin/crictl logs --tail 50 --follow
          e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
    runtime:
      units: [containerd.service]
      text: "2026-11-23T10:15:00+00:00 containerd[277]: containerd successfully booted\n"
      truncated: false
      command: sudo journalctl -u containerd -n 50
    status_command: sudo /usr/bin/crictl ps -a
unknown_ids:
  description: Those of O(ids) that no container has.
  returned: failure for that reason
  type: list
  elements: str
  sample: [e3685c58a7fd]
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: runtime_not_running
cmd:
  description: The command that failed.
  returned: when a command fails
  type: list
  elements: str
  sample: [crictl, --runtime-endpoint, 'unix:///run/containerd/containerd.sock', ps, --all]
rc:
  description: Exit status of the command.
  returned: when a command fails
  type: int
  sample: 1
stderr:
  description: End of the error output of the command. Secrets are redacted.
  returned: when a command fails
  type: str
  sample: connection refused
"""

import os
from typing import Any, Iterable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import cgroups, logs
from ansible_collections.cruntime.node.plugins.module_utils.containers import selection
from ansible_collections.cruntime.node.plugins.module_utils.containers.catalog import (
    containers_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.converge import (
    list_containers,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CruntimeError,
    NotRunningError,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.catalog import store_of
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    in_their_own_right,
    recall_sockets,
    running,
    runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Services, Unit

SUBSETS = ["runtimes", "images", "containers", "logs"]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            selection.OPTIONS,
            gather_subset={
                "type": "list",
                "elements": "str",
                "default": ["runtimes"],
                "choices": SUBSETS,
            },
            log_lines={"type": "int", "default": 50},
        ),
        supports_check_mode=True,
    )
    try:
        result = look(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    module.exit_json(changed=False, cgroup_version=cgroups.version(), **result)


def look(module: AnsibleModule) -> dict[str, Any]:
    subset = module.params["gather_subset"]
    result: dict[str, Any] = {}
    if "runtimes" in subset:
        result.update(look_at_runtimes(module))
    if "images" in subset:
        result["images"] = look_at_images(module)
    if "containers" in subset or "logs" in subset:
        result.update(look_at_containers(module, subset))
    return result


def look_at_runtimes(module: AnsibleModule) -> dict[str, Any]:
    runner = Runner()
    known = runtimes(runner)
    recall_sockets(known, ManagedFiles())
    units = Services(runner).look(name for runtime in known.values() for name in runtime.all_units)
    return {
        "runtimes": {name: describe(module, runtime, units) for name, runtime in known.items()},
        "running": [runtime.name for runtime in in_their_own_right(known, units)],
    }


def look_at_images(module: AnsibleModule) -> list[dict[str, Any]]:
    if os.geteuid() != 0:
        raise CruntimeError(
            "images can only be seen by root: run this task with become", reason="not_root"
        )
    runner = Runner()
    runtime = running(runner, Services(runner), module.params["runtime"])
    store = store_of(runner, runtime, module.tmpdir)
    store.check(set())
    return [image.result for image in store.images()]


def look_at_containers(module: AnsibleModule, subset: list[str]) -> dict[str, Any]:
    meant = selection.parse(module.params)
    lines = module.params["log_lines"]
    if lines < 1:
        raise CruntimeError(f"log_lines must be 1 or more, not {lines}", reason="option_invalid")
    if os.geteuid() != 0:
        raise CruntimeError(
            "containers can only be seen by root: run this task with become", reason="not_root"
        )
    runner = Runner()
    services = Services(runner)
    name = module.params["runtime"]
    try:
        runtime = running(runner, services, name)
    except NotRunningError as error:
        if "containers" in subset:
            raise
        # Why it does not run is what its journal is for.
        module.warn(str(error))
        known = runtimes(runner)
        about = known.values() if name is None else [known[name]]
        journal = logs.of_units(runner, units_of(services, about), lines)
        return {"logs": {"containers": [], "runtime": journal, "status_command": None}}
    api = containers_of(runner, runtime)
    found = list_containers(api, meant)
    result: dict[str, Any] = {}
    if "containers" in subset:
        result["containers"] = [container.result for container in found]
    if "logs" in subset:
        result["logs"] = {
            "containers": logs.of_containers(api, found, lines),
            "runtime": logs.of_units(runner, units_of(services, [runtime]), lines),
            "status_command": api.status_command,
        }
    return result


def units_of(services: Services, about: Iterable[Runtime]) -> Iterable[Unit]:
    return services.look(name for runtime in about for name in runtime.all_units).values()


def describe(module: AnsibleModule, runtime: Runtime, units: dict[str, Unit]) -> dict[str, Any]:
    installed = runtime.installed(units)
    active = installed and runtime.active(units)
    version = cgroup_driver = None
    if installed:
        try:
            version = KnownVersions(keep=False).of(runtime)
        except CruntimeError as error:
            module.warn(f"{runtime.label} does not tell its version: {error}")
    if active:
        try:
            cgroup_driver = runtime.cgroup_driver()
        except CruntimeError as error:
            module.warn(
                f"{runtime.label} runs but could not be asked for its cgroup driver: {error}"
            )
    return {
        "installed": installed,
        "version": version,
        "active": active,
        "enabled": installed and runtime.enabled(units),
        "socket_path": runtime.socket_path,
        "cri_endpoint": runtime.cri_endpoint,
        "cgroup_driver": cgroup_driver,
        "kubelet_options": runtime.kubelet_options(),
    }


if __name__ == "__main__":
    main()
