# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a needless restart: the changed files differ from the present ones only in their text."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import plan
from ansible_collections.cruntime.node.plugins.module_utils.contents import Content
from ansible_collections.cruntime.node.plugins.module_utils.effective.catalog import effective_of
from ansible_collections.cruntime.node.plugins.module_utils.effective.comparison import (
    Comparison,
    compare_change,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.inspection import Inspection
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.swap import staged


def drop_restart(node: Node, found: Inspection, options: dict[str, Any]) -> Inspection:
    """Return an inspection without a restart or a reload that no changed value needs."""
    runtime, units, todo = found.runtime, found.units, found.plan
    changed = [
        change for change in todo.changed if change.restart and change.unit not in runtime.adapters
    ]
    if options["state"] == "restarted" or not changed or not runtime.active(units):
        return found
    main = runtime.config_path
    if not all(has_same_lines(each.before, each.after) for each in changed if each.path != main):
        return found
    comparison = found.comparison
    for change in changed:
        if change.path == main:
            compared = _compare(node, found, change)
            if compared is None:
                return found
            comparison = compared
    found = found._replace(comparison=comparison, rewritten=changed)
    # The text does not need a restart, but something else can.
    up = plan.plan_enable(
        runtime,
        units,
        found.files,
        asked=False,
        pending=comparison.cause,
        protects=any(runtime.protects(each.path, each.desired) for each in comparison.pending),
    )
    return found._replace(plan=todo._replace(up=up))


def _compare(node: Node, found: Inspection, change: Change) -> Comparison | None:
    """Return the pending values of a file that changes only in its text, None if it does not."""
    if not isinstance(change.after, bytes):
        return None
    runtime = found.runtime
    effective = effective_of(node.runner, runtime, found.version)
    unit = found.units[runtime.services[0]]
    # The checks of the changed files report the error of a file with which nothing starts.
    error, whole = contextlib.suppress(CruntimeError), [change._replace(before=change.after)]
    with error, staged(whole, node.module.tmpdir) as paths:
        return compare_change(effective, runtime, change, unit, paths[change.path])
    return None


def has_same_lines(before: Content, after: Content) -> bool:
    """Return whether two unit files or TOML files differ only in comments and empty lines."""
    if not (isinstance(before, bytes) and isinstance(after, bytes)):
        return False
    return _list_lines(before) == _list_lines(after)


def _list_lines(content: bytes) -> list[bytes]:
    lines = (line.strip() for line in content.splitlines())
    return [line for line in lines if line and not line.startswith((b"#", b";"))]
