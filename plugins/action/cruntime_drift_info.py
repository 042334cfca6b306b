# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a node with its spec.

Errors of the node are part of the result and do not fail the task.
"""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.cruntime.node.plugins.plugin_utils import report


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(
            {"spec": {"type": "dict"}, "images": {"type": "list", "elements": "str", "default": []}}
        )
        # The module never changes the node, so always use check mode.
        self._task.check_mode = True
        try:
            info = self._run_module("cruntime.node.cruntime_info", {}, task_vars)
            plan = self._compare(options["spec"], task_vars) if "runtimes" in info else {}
            images = self._look_for(options["images"], plan, task_vars)
        except AnsibleConnectionFailure as error:
            node = report.unreachable(str(error))
        else:
            node = report.summarize_node(info, plan, images)
        # Mark text from the node as unsafe. Otherwise Ansible could template it.
        node = wrap_var({"name": task_vars["inventory_hostname"], **node})
        return {"changed": False, "node": node}

    def _run_module(
        self, name: str, args: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        return self._run_or_failure(lambda: self._execute_module(name, args, task_vars=task_vars))

    def _look_for(
        self, names: list[str], plan: dict[str, Any] | None, task_vars: dict[str, Any]
    ) -> report.Images:
        if not names or not plan or "runtime" not in plan:
            return report.NO_IMAGES
        args = {"runtime": plan["runtime"], "name": names}
        found = self._run_module("cruntime.node.cruntime_image", args, task_vars)
        return report.Images(names, found)

    def _compare(
        self, spec: dict[str, Any] | None, task_vars: dict[str, Any]
    ) -> dict[str, Any] | None:
        if spec is None:
            return None
        task = self._task.copy()
        # Running containers do not prevent a comparison. A restart that waits for them is drift.
        task.args = {**spec, "running_containers": "ignore"}
        enable = self._shared_loader_obj.action_loader.get(
            "cruntime.node.cruntime_enable",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return self._run_or_failure(lambda: enable.run(task_vars=task_vars))

    def _run_or_failure(self, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return run()
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}
