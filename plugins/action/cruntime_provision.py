# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of the role runtime, compare the node with them, and enable the runtime."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.cruntime.node.plugins.plugin_utils import provision, role_variables
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.spec_action import SpecAction, decrypt


class ActionModule(SpecAction):
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, task = self.validate_argument_spec(
            {"apply_spec": {"type": "bool", "default": True}}
        )
        try:
            values = self._read_variables(task_vars)
        except SpecError as error:
            result = {"reason": error.reason, "problems": error.problems}
            raise AnsibleActionFail(str(error), result=result) from None
        if task["apply_spec"] and values["runtime_state"] == "absent":
            return {"changed": False, "due": ["removal"]}
        wanted = provision.describe(values)
        if not task["apply_spec"]:
            options = {**task, "variables": wanted}
            return self._run_module("cruntime_provision", options, task_vars)
        images = values["runtime_images"]
        result = self._apply_spec(
            values["runtime_spec"],
            task_vars,
            "cruntime_provision",
            images=images,
            variables=wanted,
        )
        if result.get("failed"):
            return result
        if "due" not in result:
            # The spec was applied. Only a runtime that was not changed can list its images.
            result["due"] = ["images"] if images else []
        if values["runtime_image_dir"] and not images and "images" not in result["due"]:
            # Only the archives have the names of their images.
            result["due"].append("images")
        return result

    def _read_variables(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the valid values of the role's variables.

        They are read here and not passed as options, because Ansible converts options: a version
        that is a number in YAML could not be rejected.

        :raises SpecError: if a variable is not valid.
        """
        role_variables.check_names(task_vars)
        options = role_variables.load_options()
        given = {
            name: decrypt(self._templar.template(task_vars[name]))
            for name in options
            if name in task_vars
        }
        values = role_variables.validate(options, given)
        archive = values["runtime_crictl_archive"]
        if archive and not role_variables.is_url(archive):
            # The task that copies the archive reports the error.
            with contextlib.suppress(AnsibleError):
                values["runtime_crictl_archive"] = self._find_needle("files", archive)
        return values
