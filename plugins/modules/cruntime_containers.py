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
  - Brings the containers of a node into a state, whichever runtime runs them, and tells which they
    are, by the same record for all runtimes.
  - Selectors say which containers are meant. Several of them must all hold.
  - Whether a container is paused is what the kernel does, not what the CRI says, which knows no
    such state. It is asked of the OCI runtimes, such as runc, that the runtime is configured with.
  - However many containers are meant, each question and each action takes one process, but for
    pausing the containers of pods, which takes one for each.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.action_group
  - cruntime.node.selection
options:
  state:
    description:
      - The state to bring the containers into.
      - A kubelet that runs starts anew what was stopped or removed; stop it first.
    type: str
    required: true
    choices:
      stopped: >-
        None of their processes runs. A container that vanishes meanwhile is as good. One that is
        paused is unpaused first, since what is frozen can't end, and a warning says so.
      paused: >-
        The kernel runs none of their processes until they are unpaused. Containers that do not run
        are passed over, unless they are named by O(ids).
      running: >-
        They are not paused. Containers that do not run are not started; they are passed over,
        unless they are named by O(ids).
      absent: >-
        They are killed and removed. One that is not there, or vanishes meanwhile, is as good.
  all:
    description:
      - Whether all containers of the node are meant, with those outside Kubernetes, if no selector
        but O(current_state) is given. Without it, a task with no other selector fails.
    type: bool
    default: false
  timeout:
    description:
      - With O(state=stopped), how long a container may take to end after it was asked to, in
        seconds, before it is killed. With V(0) it is killed at once.
      - containerd and CRI-O are asked to stop one container after the other, Docker all at once.
    type: int
    default: 10
  sandboxes:
    description:
      - Whether the sandbox of a pod, which holds its namespaces, is stopped or removed too, once
        the pod has no other containers, or with O(state=stopped) no other that run.
      - With O(namespaces), O(pod) or O(all) only, the sandboxes of pods without containers are
        meant as well.
      - For O(state=stopped) and O(state=absent).
    type: bool
    default: false
requirements:
  - systemd
  - crictl of cri-tools, for containerd and CRI-O
  - root privileges (use C(become))
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Of the state of each container.
  idempotent:
    support: full
notes:
  - With Docker, its own client is asked, which sees the containers of cri-dockerd as well. Their
    sandboxes are no containers here either.
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

- name: Stop one container, which has half a minute to end
  cruntime.node.cruntime_containers:
    name: etcd
    namespaces: [kube-system]
    state: stopped
    timeout: 30

- name: Remove every container of the node, and every pod
  cruntime.node.cruntime_containers:
    all: true
    state: absent
    sandboxes: true
"""

RETURN = r"""
runtime:
  description: The runtime whose containers they are.
  returned: success
  type: str
  sample: containerd
containers:
  description:
    - The containers that were selected, as they are now, or in check mode would be. Those that
      are gone are not among them.
  returned: always, but for failures before anything was touched
  type: list
  elements: dict
  contains:
    id:
      description: The whole id.
      type: str
    name:
      description: The name in the pod's manifest; Docker's own outside of pods.
      type: str
    namespace:
      description: The namespace of its pod; none outside of pods.
      type: str
    pod:
      description: The name of its pod; none outside of pods.
      type: str
    pod_id:
      description: The id of the pod's sandbox; none outside of pods.
      type: str
    image:
      description: The image as it was asked for.
      type: str
    image_id:
      description: What that was, as a digest.
      type: str
    state:
      description: V(running), V(paused), V(exited), V(created) or V(unknown).
      type: str
    created:
      description: When it was created, in UTC.
      type: str
    labels:
      description: The container's labels.
      type: dict
    pid:
      description: The process id of its first process, on the node; none where none runs.
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
  description: The containers and sandboxes that this run changed, or in check mode would change.
  returned: always, except if the task fails before it changes anything
  type: list
  elements: dict
  contains:
    id:
      description: The whole id.
      type: str
    before:
      description: The state that it was in.
      type: str
    after:
      description: The state that it is in, V(absent) if it is gone.
      type: str
  sample:
    - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
      before: running
      after: paused
failed_containers:
  description: The containers that are not as wanted. The others are.
  returned: failure of some containers
  type: list
  elements: dict
  contains:
    id:
      description: The whole id.
      type: str
    name:
      description: The container's name.
      type: str
    cause:
      description: What the runtime said of it.
      type: str
  sample:
    - id: e3685c58a7fddad8a18fbdd9e3457378aa723356e462ee4a7a3ffcad7003e879
      name: etcd
      cause: it is exited, and only a running container can be paused
unknown_ids:
  description: Those of O(ids) that no container has.
  returned: failure for that reason
  type: list
  elements: str
  sample: [e3685c58a7fd]
failed_sandboxes:
  description: The sandboxes that are not as wanted.
  returned: failure of some containers
  type: list
  elements: dict
  contains:
    id:
      description: The whole id.
      type: str
    pod:
      description: The pod's name.
      type: str
    cause:
      description: What the runtime said of it.
      type: str
  sample: []
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: state_not_reached
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
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.containers import converge, selection
from ansible_collections.cruntime.node.plugins.module_utils.containers.catalog import (
    containers_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.selection import Selection
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import running
from ansible_collections.cruntime.node.plugins.module_utils.services import Services

#: How long to wait for other runs on this node, in seconds.
LOCK_TIMEOUT = 60
STATES = ["stopped", "paused", "running", "absent"]


def main() -> None:
    module = AnsibleModule(
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
            "Only root can access containers. Run this task with become", reason="not_root"
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
            f"state={state} without a selector would select every container of the node. "
            "Set ids, name, name_pattern, namespaces, labels or pod, or set all to true",
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
