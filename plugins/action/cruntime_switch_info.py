# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of the role switch, and whether a node can be switched."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.role_variables import (
    check_names,
    check_spec,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.spec_action import SpecAction, decrypt


class ActionModule(SpecAction):
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, task = self.validate_argument_spec({"marker": {"type": "str"}})
        try:
            check_names(task_vars)
            spec = self._read("switch_spec", task_vars)
            check_spec("switch_spec", spec, "switches the node to this spec")
            # A missing task file would end the run on a drained node, because Ansible does not
            # rescue it.
            check_task_files(
                [
                    self._read(name, task_vars)
                    for name in ("switch_drain_tasks", "switch_uncordon_tasks")
                ]
            )
        except SpecError as error:
            result = {"reason": error.reason, "problems": error.problems}
            raise AnsibleActionFail(str(error), result=result) from None
        driver = spec.get("cgroup_driver")
        options = {
            "runtime": spec["runtime"],
            "endpoint": f"unix://{spec.get('socket') or RUNTIMES[spec['runtime']].socket_path}",
            "cgroup_driver": driver if driver != "auto" else None,
            "old_packages": self._read("switch_old_packages", task_vars) or [],
        }
        given = {name: value for name, value in options.items() if value is not None}
        return self._run_module("cruntime_switch_info", {**task, **given}, task_vars)

    def _read(self, name: str, task_vars: dict[str, Any]) -> Any:
        return decrypt(self._templar.template(task_vars.get(name)))


def check_task_files(paths: list[str]) -> None:
    """Check that the files of tasks exist.

    :raises SpecError: if one does not exist.
    """
    missing = [path for path in paths if path and os.path.isabs(path) and not os.path.isfile(path)]
    if missing:
        raise SpecError(
            f"switch_drain_tasks and switch_uncordon_tasks: {', '.join(missing)}: file not found "
            "on the controller. Correct the path"
        )
