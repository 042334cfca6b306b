#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_containers
short_description: Stop, kill, pause, unpause and remove containers
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Stops, pauses, unpauses or removes the containers of a node, and returns them. The options and
    return values are the same for all runtimes.
  - Selectors select containers. If several selectors are set, a container must match all of them.
  - The CRI has no paused state. Therefore the module queries and pauses containers through the OCI
    runtimes that the runtime is configured with, such as runc.
  - The module calls the CRI of containerd and CRI-O on its socket, without C(crictl). Pausing the
    containers of pods takes one process per container.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.action_group
  - cruntime.node.selection
options:
  state:
    description:
      - The desired state of the selected containers.
      - A running kubelet recreates stopped and removed containers. Stop the kubelet first.
    type: str
    required: true
    choices:
      stopped: >-
        No process of the containers is running. A container that disappears during the run counts
        as stopped. A paused container is unpaused first, with a warning, because paused processes
        cannot exit.
      paused: >-
        The kernel freezes the processes of the containers until the containers are unpaused.
        Containers that are not running are skipped, except if they are selected with O(ids).
      running: >-
        The containers are not paused. Containers that are not running are not started. They are
        skipped, except if they are selected with O(ids).
      absent: >-
        The containers are killed and removed. A container that does not exist, or disappears during
        the run, counts as absent.
  all:
    description:
      - Whether all containers of the node are selected, including those outside Kubernetes, if no
        selector except O(current_state) is set. With V(false), a task without another selector
        fails.
    type: bool
    default: false
  timeout:
    description:
      - With O(state=stopped), time in seconds for a container to exit before it is killed. With
        V(0), the container is killed immediately.
      - containerd and CRI-O stop up to 8 containers at the same time. Docker stops all containers
        at the same time.
    type: int
    default: 10
  sandboxes:
    description:
      - Whether the sandbox of a pod is also stopped or removed if the pod has no other containers.
        With O(state=stopped), only running containers count.
      - If only O(namespaces), O(pod) or O(all) is set, the sandboxes of pods without containers are
        also selected.
      - Requires O(state=stopped) or O(state=absent).
    type: bool
    default: false
requirements:
  - systemd
  - root privileges (use C(become))
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the state of each container.
  idempotent:
    support: full
notes:
  - With Docker, the module uses the API of Docker Engine, which also lists the containers of
    cri-dockerd. The client C(docker) is not required. Pod sandboxes are not listed as containers.
seealso:
  - module: cruntime.node.cruntime_info
"""

EXAMPLES = r"""
- name: Pause the control plane
  cruntime.node.cruntime_containers:
    namespaces: [kube-system]
    state: paused

- name: Unpause the control plane
  cruntime.node.cruntime_containers:
    namespaces: [kube-system]
    state: running

- name: Stop one container with a timeout of 30 seconds
  cruntime.node.cruntime_containers:
    name: etcd
    namespaces: [kube-system]
    state: stopped
    timeout: 30

- name: Unpause a container that is selected by its ID
  cruntime.node.cruntime_containers:
    runtime: containerd
    ids: [e3685c58a7fd]
    state: running

- name: Stop the running containers of one pod whose names begin with api
  cruntime.node.cruntime_containers:
    pod: shop-7d4b9c
    name_pattern: ^api
    labels:
      tier: backend
    current_state: running
    state: stopped

- name: Remove all containers and pods of the node
  cruntime.node.cruntime_containers:
    all: true
    state: absent
    sandboxes: true
"""

RETURN = r"""
runtime:
  description: Name of the runtime of the containers.
  returned: success
  type: str
  sample: containerd
containers:
  description:
    - The selected containers after the run. In check mode, the predicted result. Removed containers
      are omitted.
  returned: always, except if the task fails before it changes anything
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
    pod_id:
      description: ID of the pod's sandbox. V(null) if the container has no pod.
      type: str
    image:
      description: Reference of the image that was requested for the container.
      type: str
    image_id:
      description: ID or digest of the image.
      type: str
    state:
      description: V(running), V(paused), V(exited), V(created) or V(unknown).
      type: str
    created:
      description: Time of creation, in UTC.
      type: str
    labels:
      description: Labels of the container.
      type: dict
    pid:
      description: >-
        PID of the container's init process on the node. V(null) if the container is not running.
      type: int
  sample:
    - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
      name: etcd
      namespace: kube-system
      pod: etcd-node1
      pod_id: 1291bde196212b06c975f1c79db0a05f444c0b74611e515923bc4b1a7dc8ffc1
      image: registry.k8s.io/etcd:3.6.4-0
      image_id: sha256:a955addbb7d495c0c1c5c19615df27306b5e0a729eb92c8cbd8f58872f9daea2
      state: paused
      created: "2026-11-23T10:15:00Z"
      labels: {io.kubernetes.container.name: etcd}
      pid: 4711
changes:
  description: Containers and sandboxes that the task changed, or would change in check mode.
  returned: always, except if the task fails before it changes anything
  type: list
  elements: dict
  contains:
    id:
      description: Full ID of the container or sandbox.
      type: str
    before:
      description: State before the run.
      type: str
    after:
      description: State after the run. V(absent) if the container or sandbox was removed.
      type: str
  sample:
    - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
      before: running
      after: paused
failed_containers:
  description: >-
    Containers that did not reach the desired state. All other selected containers are in that
    state.
  returned: when some containers or sandboxes did not reach the desired state
  type: list
  elements: dict
  contains:
    id:
      description: Full ID of the container.
      type: str
    name:
      description: Name of the container.
      type: str
    cause:
      description: Reason why the container did not reach the state.
      type: str
  sample:
    - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
      name: etcd
      cause: it is exited, but only a running container can be paused
unknown_ids:
  description: IDs in O(ids) that match no container.
  returned: when O(ids) contains an ID that matches no container
  type: list
  elements: str
  sample: [e3685c58a7fd]
failed_sandboxes:
  description: Sandboxes that did not reach the desired state.
  returned: when some containers or sandboxes did not reach the desired state
  type: list
  elements: dict
  contains:
    id:
      description: Full ID of the sandbox.
      type: str
    pod:
      description: Name of the pod.
      type: str
    cause:
      description: Reason why the sandbox did not reach the state.
      type: str
  sample:
    - id: 1291bde196212b06c975f1c79db0a05f444c0b74611e515923bc4b1a7dc8ffc1
      pod: etcd-node1
      cause: context deadline exceeded
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: state_not_reached
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
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.containers import converge, selection
from ansible_collections.cruntime.node.plugins.module_utils.containers.catalog import (
    containers_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.selection import Selection
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import running
from ansible_collections.cruntime.node.plugins.module_utils.services import Services

#: How long to wait for other runs on this node, in seconds.
LOCK_TIMEOUT = 60
STATES = ["stopped", "paused", "running", "absent"]


def main() -> None:
    module = RedactingModule(
        argument_spec=dict(
            selection.OPTIONS,
            state={"type": "str", "required": True, "choices": STATES},
            all={"type": "bool", "default": False},
            timeout={"type": "int", "default": 10},
            sandboxes={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except CruntimeError as error:
        for warning in error.facts.pop("warnings", ()):
            module.warn(warning)
        module.fail_json(**error.result)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


def run(module: AnsibleModule) -> dict[str, Any]:
    options = module.params
    selected = selection.parse(options)
    check_options(options, selected)
    if os.geteuid() != 0:
        raise CruntimeError(
            "Managing containers requires root privileges. Set become: true", reason="not_root"
        )
    runner = Runner()
    runtime = running(runner, Services(runner), options["runtime"])
    containers = containers_of(runner, runtime)
    # The option timeout is the time in which containers must end, not the time for the lock.
    with locked(shared=True, timeout=LOCK_TIMEOUT, check_mode=module.check_mode):
        result = converge.ensure_state(
            containers,
            selected,
            options["state"],
            timeout=options["timeout"],
            with_sandboxes=options["sandboxes"],
            check_mode=module.check_mode,
        )
    return dict(result, runtime=runtime.name)


def check_options(options: dict[str, Any], selected: Selection) -> None:
    """Check the options that selectors do not have, and that not everything is selected by mistake.

    :raises CruntimeError: if an option is not valid.
    """
    state = options["state"]
    if not (selected.is_narrow or options["all"]):
        raise CruntimeError(
            f"state={state} requires a selector. Set ids, name, name_pattern, namespaces, labels "
            "or pod, or set all: true to select every container of the node",
            reason="option_invalid",
        )
    if options["sandboxes"] and state not in ("stopped", "absent"):
        raise CruntimeError(
            f"sandboxes is not supported with state={state}. Set state to stopped or absent",
            reason="option_invalid",
        )
    if options["timeout"] < 0:
        raise CruntimeError(
            f"timeout must be 0 or more seconds, not {options['timeout']}", reason="option_invalid"
        )


if __name__ == "__main__":
    main()
