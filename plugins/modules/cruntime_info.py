#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_info
short_description: Gather information about the container runtimes of a node
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Gathers the state of containerd, CRI-O and Docker, their images, containers and logs.
  - The module does not change the node and does not start stopped runtimes.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.read_only
  - cruntime.node.attributes.action_group
  - cruntime.node.selection
options:
  gather_subset:
    description:
      - The information to return. The selectors apply to V(containers) and V(logs). If no selector
        is set, all containers are returned.
    type: list
    elements: str
    default: [runtimes]
    choices:
      runtimes: The runtimes and their state.
      effective: >-
        The values of the options of M(cruntime.node.cruntime_enable) with which each running
        runtime runs, each with its source.
      images: The images of the running runtime.
      containers: The containers of the running runtime.
      logs: >-
        The last log lines of the containers, and of the units of the runtime in the journal. If no
        runtime is running, the module returns a warning and the journal of all runtimes.
  log_lines:
    description:
      - Maximum number of lines of each log, with V(logs) in O(gather_subset).
      - Each log is limited to 64 KiB, and the logs of all containers to 1 MiB. Older lines are
        omitted. A longer line is cut at its beginning.
      - Values of environment variables whose names look like the name of a secret, such as
        C(DB_PASSWORD), and passwords in URLs are replaced by asterisks.
    type: int
    default: 50
requirements:
  - systemd
notes:
  - The cgroup driver, and V(effective), V(images), V(containers) and V(logs) in O(gather_subset),
    require root privileges (use C(become)).
seealso:
  - module: cruntime.node.cruntime_enable
  - module: cruntime.node.cruntime_containers
"""

EXAMPLES = r"""
- name: Gather information about the runtimes
  cruntime.node.cruntime_info:
  register: info

- name: List the images of the running runtime
  cruntime.node.cruntime_info:
    gather_subset: [images]
  register: listed

- name: Gather the effective options of the running runtimes
  cruntime.node.cruntime_info:
    gather_subset: [effective]
  register: running

- name: Show the active runtimes
  ansible.builtin.debug:
    msg: "{{ info.runtimes | dict2items | selectattr('value.active') | map(attribute='key') }}"

- name: List the running containers of the namespace kube-system
  cruntime.node.cruntime_info:
    gather_subset: [containers]
    namespaces: [kube-system]
    current_state: running
  register: control_plane

- name: Get the last log lines of etcd and of the runtime
  cruntime.node.cruntime_info:
    gather_subset: [logs]
    name: etcd
    namespaces: [kube-system]
    log_lines: 100
  register: recent

- name: List the containers of one pod by name, label and ID
  cruntime.node.cruntime_info:
    gather_subset: [containers]
    runtime: containerd
    pod: shop-7d4b9c
    ids: [e3685c58a7fd]
    name_pattern: ^api
    labels:
      tier: backend
  register: selected
"""

RETURN = r"""
effective:
  description:
    - Effective options by the name of a running runtime, and by the name of the option. Nested
      options have a dot, such as C(storage.root).
    - An option is omitted if the runtime has no key for it, or if its value could not be read.
    - Neither C(crictl) nor the C(docker) command is used.
  returned: with V(effective) in O(gather_subset)
  type: dict
  contains:
    containerd:
      description:
        - Options of containerd. C(crio) and C(docker) have the same structure. Each option has the
          keys C(value), C(state), C(source) and C(file).
        - C(value) is the value of the option, with secrets redacted. For C(oci_runtimes), it is a
          list of names. For C(registries), it has keys of the runtime.
        - C(state) is V(running) if the process reports the value. It is V(filed) if the process
          does not, so the value is the one with which the runtime would start.
        - C(source) is V(file), V(flag), V(environment) or V(default). It is V(null) if the process
          uses a value that its files no longer have.
        - C(file) is the path of the file, with the flag or the variable if there is one. If only
          the unit is known, it is the name of the unit. Otherwise it is V(null).
      type: dict
  sample:
    containerd:
      cgroup_driver:
        value: systemd
        state: running
        source: file
        file: /etc/containerd/config.toml
      log_level:
        value: debug
        state: filed
        source: flag
        file: /etc/systemd/system/containerd.service.d/log.conf (flag --log-level)
      proxy.http:
        value: http://(not shown)@proxy.example:3128
        state: running
        source: environment
        file: /etc/systemd/system/containerd.service.d/50-cruntime-proxy.env (variable HTTP_PROXY)
      storage.root:
        value: /var/lib/containerd
        state: running
        source: default
        file: null
images:
  description: Images of the running runtime.
  returned: with V(images) in O(gather_subset)
  type: list
  elements: dict
  contains:
    id:
      description: ID of the image in the runtime.
      type: str
    repo_tags:
      description: Fully qualified references with a tag.
      type: list
      elements: str
    repo_digests:
      description: Fully qualified references with a digest, if the runtime reports any.
      type: list
      elements: str
    size:
      description: Size of the image in bytes, as reported by the runtime.
      type: int
    pinned:
      description: Whether the image is exempt from the garbage collection of the kubelet.
      type: bool
  sample:
    - id: sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502
      repo_tags: ["r.test/busybox:1"]
      repo_digests:
        - r.test/busybox@sha256:3f285354d1cafb9c6c69162883013e4e6ace72456b8c256bb73aeda00602a886
      size: 2171545
      pinned: false
runtimes:
  description: All runtimes that this collection supports, by their name in a spec.
  returned: with V(runtimes) in O(gather_subset)
  type: dict
  contains:
    containerd:
      description: State of containerd. C(crio) and C(docker) have the same keys.
      type: dict
      contains:
        installed:
          description: Whether the binary of the daemon and its unit are installed.
          type: bool
        version:
          description: >-
            Version of the daemon's binary. V(null) if the runtime is not installed or its version
            cannot be determined.
          type: str
        active:
          description: Whether the service is active.
          type: bool
        enabled:
          description: Whether the service or its socket starts at boot.
          type: bool
        socket_path:
          description: >-
            Path of the CRI socket. For Docker, this is the socket of cri-dockerd, V(null) if
            cri-dockerd is not running.
          type: str
        cri_endpoint:
          description: CRI endpoint, as a URL. V(null) without a CRI socket.
          type: str
        cgroup_driver:
          description: >-
            Cgroup driver that the running runtime reports, V(systemd) or V(cgroupfs). V(null) if
            the runtime is not running or does not report it.
          type: str
        kubelet_options:
          description: Flags, by name, that configure a kubelet for this runtime.
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
        runtime-cgroups: /system.slice/containerd.service
        container-runtime-endpoint: unix:///run/containerd/containerd.sock
running:
  description: >-
    Names of the running runtimes. A runtime that runs only because another one needs it is omitted,
    such as containerd under Docker.
  returned: with V(runtimes) in O(gather_subset)
  type: list
  elements: str
  sample: [containerd]
units:
  description: >-
    States of the installed systemd units of all runtimes, with which
    M(cruntime.node.cruntime_enable) can restore them.
  returned: with V(runtimes) in O(gather_subset)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      type: str
    active:
      description: Whether the unit is active.
      type: bool
    enabled:
      description: Whether the unit starts at boot.
      type: bool
    masked:
      description: Whether the unit is masked.
      type: bool
  sample:
    - {name: containerd.service, active: true, enabled: true, masked: false}
cgroup_version:
  description: Cgroup version, V(1) or V(2). V(1) if the node has both hierarchies.
  returned: success
  type: int
  sample: 2
containers:
  description:
    - The selected containers, with the same keys as
      RV(cruntime.node.cruntime_containers#module:containers).
  returned: with V(containers) in O(gather_subset)
  type: list
  elements: dict
  sample:
    - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
      name: etcd
      namespace: kube-system
      pod: etcd-node1
      pod_id: 1291bde196212b06c975f1c79db0a05f444c0b74611e515923bc4b1a7dc8ffc1
      image: registry.k8s.io/etcd:3.6.4-0
      image_id: sha256:a955addbb7d495c0c1c5c19615df27306b5e0a729eb92c8cbd8f58872f9daea2
      state: running
      created: "2026-11-23T10:15:00Z"
      labels: {io.kubernetes.container.name: etcd}
      pid: 4711
logs:
  description: The last log lines.
  returned: with V(logs) in O(gather_subset)
  type: dict
  contains:
    containers:
      description: Logs of the selected containers.
      type: list
      elements: dict
      contains:
        id:
          description: Full ID of the container.
          type: str
        name:
          description: >-
            Name of the container in the pod's manifest. Outside of pods, the name in Docker.
          type: str
        namespace:
          description: Namespace of the pod. V(null) if the container has no pod.
          type: str
        pod:
          description: Name of the pod. V(null) if the container has no pod.
          type: str
        state:
          description: V(running), V(paused), V(exited), V(created) or V(unknown).
          type: str
        text:
          description: >-
            Lines of standard output and standard error. V(null) if the log could not be read.
          type: str
        truncated:
          description: Whether lines were omitted because of the size limit.
          type: bool
        error:
          description: Reason why the log could not be read. V(null) if the log was read.
          type: str
        command:
          description: Shell command that shows this log.
          type: str
        follow_command:
          description: Shell command that follows this log.
          type: str
    runtime:
      description: Log of the units of the runtime.
      type: dict
      contains:
        units:
          description: Names of the units.
          type: list
          elements: str
        text:
          description: Lines of the journal.
          type: str
        truncated:
          description: Whether lines were omitted because of the size limit.
          type: bool
        command:
          description: Shell command that shows this log. V(null) if no unit is installed.
          type: str
    status_command:
      description: Shell command that lists all containers. V(null) if no runtime is running.
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
  description: IDs in O(ids) that match no container.
  returned: when O(ids) contains an ID that matches no container
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
  description: Command that failed, as a list of arguments.
  returned: when a command fails
  type: list
  elements: str
  sample: [runc, --root, /run/containerd/runc/k8s.io, list, --format, json]
rc:
  description: Exit status of the command.
  returned: when a command fails
  type: int
  sample: 1
stderr:
  description: Last part of the error output of the command. Secrets are redacted.
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
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtime_facts import describe_runtimes
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    load_recorded_sockets,
    look_at_units,
    primary_runtimes,
    running,
    runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Services, Unit

SUBSETS = ["runtimes", "effective", "images", "containers", "logs"]


def main() -> None:
    module = RedactingModule(
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
        result.update(describe_runtimes(Runner(), module.warn))
    if "effective" in subset:
        result["effective"] = look_at_effective(module)
    if "images" in subset:
        result["images"] = look_at_images(module)
    if "containers" in subset or "logs" in subset:
        result.update(look_at_containers(module, subset))
    return result


def look_at_effective(module: AnsibleModule) -> dict[str, Any]:
    check_root("Reading the effective options")
    # Import it only for this subset, which most tasks do not select.
    from ansible_collections.cruntime.node.plugins.module_utils.effective import listing
    from ansible_collections.cruntime.node.plugins.module_utils.effective.catalog import (
        effective_of,
    )

    runner = Runner()
    known = runtimes(runner)
    load_recorded_sockets(known, ManagedFiles())
    units = look_at_units(known, Services(runner))
    versions = KnownVersions(keep=False)
    return {
        runtime.name: listing.list_values(
            effective_of(runner, runtime, versions.of(runtime)),
            runtime,
            units[runtime.services[0]],
            module.warn,
        )
        for runtime in primary_runtimes(known, units)
    }


def check_root(what: str) -> None:
    if os.geteuid() != 0:
        raise CruntimeError(f"{what} requires root privileges. Set become: true", reason="not_root")


def look_at_images(module: AnsibleModule) -> list[dict[str, Any]]:
    check_root("Listing images")
    runner = Runner()
    runtime = running(runner, Services(runner), module.params["runtime"])
    store = store_of(runner, runtime, module.tmpdir)
    store.check(set())
    return [image.result for image in store.images()]


def look_at_containers(module: AnsibleModule, subset: list[str]) -> dict[str, Any]:
    selected = selection.parse(module.params)
    lines = module.params["log_lines"]
    if lines < 1:
        raise CruntimeError(f"log_lines must be 1 or more, not {lines}", reason="option_invalid")
    check_root("Listing containers")
    runner = Runner()
    services = Services(runner)
    name = module.params["runtime"]
    try:
        runtime = running(runner, services, name)
    except NotRunningError as error:
        if "containers" in subset:
            raise
        # The journal can explain why the runtime is not running.
        module.warn(str(error))
        known = runtimes(runner)
        about = known.values() if name is None else [known[name]]
        journal = logs.of_units(runner, units_of(services, about), lines)
        return {"logs": {"containers": [], "runtime": journal, "status_command": None}}
    api = containers_of(runner, runtime)
    found = list_containers(api, selected)
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


if __name__ == "__main__":
    main()
