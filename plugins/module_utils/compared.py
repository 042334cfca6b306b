# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return the result of a run that has nothing to do, for the modules that run first."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.inspection import inspect, report
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.node import Node


def compare_spec(
    node: Node, spec: dict[str, Any], rendered: list[dict[str, Any]]
) -> dict[str, Any]:
    """Compare a node with a spec.

    :param rendered: the files that the controller rendered, for every kind of node.
    :return: the result of C(cruntime_enable) if it has nothing to do. C(needs_action) is whether
        it has; then nothing else is returned.
    :raises CruntimeError: if the node cannot match the spec.
    """
    with locked(shared=True, timeout=node.timeout, check_mode=node.check_mode):
        found = inspect(node, spec, rendered)
        if found.plan.steps and not found.plan.changed:
            # A restart that only waits for running containers needs no action. Import it only for a
            # restart: most runs have none, and every run compiles the modules that it imports.
            from ansible_collections.cruntime.node.plugins.module_utils.running_containers import (
                restrain,
            )

            found = restrain(node, found, spec)
        if found.needs_action:
            return {"changed": False, "needs_action": True}
        result = report(node, found, spec, comparison=found.comparison, downtime=0.0)
        return dict(result, needs_action=False)
