# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the spec of cruntime_enable, render its files and send them to the node."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.plugin_utils.spec_action import SpecAction


class ActionModule(SpecAction):
    _supports_check_mode = True
    _supports_async = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        return self._apply_spec(self._task.args, task_vars, "cruntime_enable_info")
