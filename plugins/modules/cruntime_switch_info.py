#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_switch_info
short_description: Check whether a node can be switched to another container runtime
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - The role C(cruntime.node.switch) uses this module. Do not use it in playbooks, use the role.
  - The action plugin checks the variables of the role, and the module reads the runtimes, the
    units, the marker of an interrupted run, and the settings of the kubelet.
  - The module fails if the node cannot be switched.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.read_only
options:
  runtime:
    description: The new runtime. The action plugin sets it.
    type: str
    choices: [containerd, crio, docker]
  endpoint:
    description: The CRI endpoint of the new runtime. The action plugin sets it.
    type: str
  cgroup_driver:
    description: The cgroup driver of the new runtime. The action plugin sets it.
    type: str
    choices: [cgroupfs, systemd]
  old_packages:
    description: The packages to remove after the switch. The action plugin sets them.
    type: list
    elements: str
    default: []
  marker:
    description: The path of the file that an interrupted run leaves on the node.
    type: path
    required: true
seealso:
  - module: cruntime.node.cruntime_info
  - module: cruntime.node.cruntime_kubelet
"""

EXAMPLES = r"""
- name: Check the node, in the role switch
  cruntime.node.cruntime_switch_info:
    marker: /var/lib/cruntime-switch.json
"""

RETURN = r"""
runtimes:
  description: The runtimes, as M(cruntime.node.cruntime_info) returns them.
  returned: success
  type: dict
running:
  description: The running runtimes, as M(cruntime.node.cruntime_info) returns them.
  returned: success
  type: list
  elements: str
  sample: [docker]
units:
  description: The states of the units, as M(cruntime.node.cruntime_info) returns them.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: docker.service, active: true, enabled: true, masked: false}
marker:
  description: What an interrupted run has recorded. V(null) if no run was interrupted.
  returned: success
  type: dict
  sample: null
due:
  description: Whether the node must be switched.
  returned: success
  type: bool
  sample: true
kubelet:
  description:
    - The settings of the kubelet, as M(cruntime.node.cruntime_kubelet) returns them. V(null) if the
      node has no kubelet, or must not be switched.
  returned: success
  type: dict
  contains:
    before:
      description: The endpoint and the cgroup driver of the kubelet.
      type: dict
    files:
      description: The texts of the files that set something.
      type: dict
  sample: null
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: runtime_ambiguous
"""

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import kubelet_pointing
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.package_owners import find_owners
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtime_facts import describe_runtimes
from ansible_collections.cruntime.node.plugins.module_utils.services import Services


def main() -> None:
    module = RedactingModule(
        argument_spec={
            "runtime": {"type": "str", "choices": list(RUNTIMES)},
            "endpoint": {"type": "str"},
            "cgroup_driver": {"type": "str", "choices": ["cgroupfs", "systemd"]},
            "old_packages": {"type": "list", "elements": "str", "default": []},
            "marker": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    module.exit_json(changed=False, **result)


def run(module: AnsibleModule) -> dict[str, Any]:
    options, runner = module.params, Runner()
    if options["runtime"] is None:
        raise CruntimeError(
            "cruntime_switch_info: runtime is missing, because the action plugin did not run. Use "
            "the full module name, cruntime.node.cruntime_switch_info",
            reason="action_plugin_skipped",
        )
    if os.geteuid() != 0:
        raise CruntimeError(
            "Switching a node requires root privileges. Set become: true", reason="not_root"
        )
    facts = describe_runtimes(runner, module.warn)
    marker = read_marker(options["marker"])
    if marker is None:
        check_running(facts["running"])
    due = marker is not None or facts["running"] != [options["runtime"]]
    kubelet = look_at_kubelet(runner, options) if due else None
    if due and options["old_packages"]:
        check_packages(runner, options["runtime"], options["old_packages"])
    return {**facts, "marker": marker, "due": due, "kubelet": kubelet}


def read_marker(path: str) -> dict[str, Any] | None:
    """Return what an interrupted run has recorded, None without one.

    :raises CruntimeError: if the file cannot be read.
    """
    if not os.path.lexists(path):
        return None
    try:
        marker = json.loads(read_regular(path))
        if not isinstance(marker, dict):
            raise ValueError("not a JSON object")
    except (OSError, ValueError) as error:
        raise CruntimeError(
            f"{path}: record of an interrupted switch: not readable: {error}. Check which runtime "
            "the node runs, and remove the file",
            reason="file_unreadable",
        ) from error
    return marker


def check_running(running: list[str]) -> None:
    """Check that exactly one runtime is running.

    :raises CruntimeError: if none or several are.
    """
    if not running:
        raise CruntimeError(
            "No container runtime is running on this node. Use the playbook "
            "cruntime.node.provision to install one",
            reason="runtime_not_running",
        )
    if len(running) > 1:
        raise CruntimeError(
            f"{' and '.join(running)} are running on this node. Disable all except the one to "
            "switch from, with cruntime.node.cruntime_enable",
            reason="runtime_ambiguous",
        )


def look_at_kubelet(runner: Runner, options: dict[str, Any]) -> dict[str, Any] | None:
    """Return the settings of the kubelet, None without a kubelet.

    :raises CruntimeError: if it cannot be pointed at the new runtime.
    """
    try:
        unit = kubelet_pointing.find_unit(Services(runner))
    except CruntimeError as error:
        if error.reason == "kubelet_not_found":
            return None
        raise
    plan = kubelet_pointing.plan_endpoint(
        unit, options["endpoint"], options["cgroup_driver"], False
    )
    return {"before": plan.before, "files": plan.texts}


def check_packages(runner: Runner, runtime: str, old_packages: list[str]) -> None:
    """Check that no package to remove has a binary of the new runtime.

    :raises CruntimeError: if one has.
    """
    owners = find_owners(runner, RUNTIMES[runtime].binaries)
    names = {each.partition("=")[0] for each in old_packages}
    both = [name for name in owners if name in names]
    if both:
        raise CruntimeError(
            f"switch_old_packages: {' and '.join(both)} must not be removed, because {runtime} "
            "needs this package. Remove the package from the list",
            reason="option_invalid",
        )


if __name__ == "__main__":
    main()
