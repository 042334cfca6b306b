# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the option running_containers: decide about steps that would end running containers."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import plan
from ansible_collections.cruntime.node.plugins.module_utils.at_risk import (
    NO_RESTRAINT,
    AtRisk,
    Restraint,
    Waiting,
    describe,
    find_at_risk,
    find_stopped,
)
from ansible_collections.cruntime.node.plugins.module_utils.daemons import read_daemons
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.inspection import (
    Inspection,
    plan_disable_others,
)
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Plan, Step
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, read_settings

_KILL_MODE = "KillMode="
_Find = Callable[[Sequence[Step]], "list[AtRisk]"]


def restrain(node: Node, found: Inspection, options: dict[str, Any]) -> Inspection:
    """Return an inspection whose plan respects the running containers."""
    runtime, todo = found.runtime, found.plan
    units = predict_kill_modes(found.units, todo.changed)
    takeover = _find_takeover(runtime, units, todo, options)
    if takeover is None and not _stops_something(todo.steps, units):
        return found
    daemons = read_daemons(
        node.runtimes.values(), units, outlive_start=runtime.outlives_start(todo.files, units)
    )

    def find(steps: Sequence[Step]) -> list[AtRisk]:
        return find_at_risk(daemons, steps, units, takeover)

    at_risk = find(todo.steps)
    if not at_risk:
        return found
    policy, is_asked = options["running_containers"], options["state"] == "restarted"
    up, down = todo.up, todo.down
    if policy in ("refuse", "defer") and not is_asked:
        up = _defer_restart(found, find, policy)
    if policy == "defer":
        down = _defer_stops(node, found, find)
    taken = find([*up, *down])
    refused = [each for each in taken if not (is_asked and each.unit in runtime.services)]
    pending = [*_list_waiting(todo.up, up, runtime.services), *_list_waiting(todo.down, down)]
    restraint = Restraint(
        at_risk,
        taken,
        pending,
        _warn(pending, [each for each in at_risk if each not in taken], taken, policy),
        _describe_refusal(runtime, refused) if refused and policy == "refuse" else "",
    )
    return found._replace(plan=Plan(todo.files, up, down), restraint=restraint)


def restrain_stop(
    node: Node, runtime: Runtime, steps: list[Step], units: dict[str, Unit], policy: str
) -> tuple[list[Step], Restraint]:
    """Return the steps that stop a runtime, and their effect on the running containers."""
    if not _stops_something(steps, units):
        return steps, NO_RESTRAINT
    daemons = read_daemons(node.runtimes.values(), units, outlive_start=False)
    at_risk = find_at_risk(daemons, steps, units)
    if not at_risk:
        return steps, NO_RESTRAINT
    kept = [] if policy == "defer" else steps
    taken = at_risk if kept else []
    pending = _list_waiting(steps, kept)
    refusal = _describe_refusal(runtime, taken) if policy == "refuse" else ""
    warnings = _warn(pending, [] if kept else at_risk, taken, policy)
    return kept, Restraint(at_risk, taken, pending, warnings, refusal)


def refuse(restraint: Restraint, result: dict[str, Any]) -> CruntimeError:
    """Return the error of a run that running containers prevent.

    :param result: result of the run without the refusal.
    """
    return CruntimeError(
        restraint.refusal,
        reason="containers_running",
        containers_at_risk=result["containers_at_risk"],
        diff=result["diff"],
    )


def predict_kill_modes(units: dict[str, Unit], changes: Sequence[Change]) -> dict[str, Unit]:
    """Return the units with the kill modes that changed drop-ins set before a unit is stopped."""
    predicted = dict(units)
    for change in changes:
        directory, name = os.path.split(change.path)
        unit = units.get(os.path.basename(directory)[: -len(".d")])
        if unit is None or not isinstance(change.after, bytes):
            continue
        # A drop-in with a later name still takes precedence.
        later = [path for path in unit.drop_ins if os.path.basename(path) > name]
        modes = _find_kill_modes(change.after.decode().splitlines())
        if modes and not any(_find_kill_modes(read_settings(path)) for path in later):
            predicted[unit.name] = unit._replace(kill_mode=modes[-1])
    return predicted


def _find_kill_modes(lines: Sequence[str]) -> list[str]:
    return [line[len(_KILL_MODE) :].strip() for line in lines if line.startswith(_KILL_MODE)]


def _find_takeover(
    runtime: Runtime, units: dict[str, Unit], todo: Plan, options: dict[str, Any]
) -> Step | None:
    """Return the step that starts another runtime for this node, None without one."""
    if not options["disable_others"] or runtime.active(units):
        return None
    starts = (step for step in todo.up if step.verb in ("start", "restart"))
    return next((step for step in starts if set(runtime.services) <= set(step.units)), None)


def _stops_something(steps: Sequence[Step], units: dict[str, Unit]) -> bool:
    return any(
        find_stopped(step.units, units) for step in steps if step.verb in ("restart", "stop")
    )


def _defer_restart(found: Inspection, find: _Find, policy: str) -> list[Step]:
    """Return the steps that start the runtime, without a restart that must wait.

    A restart that was pending before this run waits in any case.
    """
    if not find(found.plan.up):
        return found.plan.up

    def replan(restarts: bool) -> list[Step]:
        about = (found.runtime, found.units, found.files)
        return plan.plan_enable(*about, asked=False, pays=False, restarts=restarts)

    without_pending = replan(restarts=True)
    if not find(without_pending):
        return without_pending
    return replan(restarts=False) if policy == "defer" else found.plan.up


def _defer_stops(node: Node, found: Inspection, find: _Find) -> list[Step]:
    """Return the steps that stop the other runtimes, except those that have running containers."""
    if not found.plan.down:
        return []
    kept = {each.daemon.runtime for each in find(found.plan.down)} - {found.runtime.name}
    return plan_disable_others(node, found.runtime, found.units, kept)


def _list_waiting(
    steps: Sequence[Step], kept: Sequence[Step], services: Sequence[str] | None = None
) -> list[Waiting]:
    """Return the units that only the unrestrained steps restart or stop.

    :param services: the units to consider, None for all.
    """
    verbs = ("restart", "stop")
    done = {name for step in kept if step.verb in verbs for name in step.units}
    return [
        Waiting(name, step.why)
        for step in steps
        if step.verb in verbs
        for name in step.units
        if name not in done and (services is None or name in services)
    ]


def _warn(
    pending: Sequence[Waiting], waiting: Sequence[AtRisk], taken: Sequence[AtRisk], policy: str
) -> list[str]:
    warnings = []
    if pending:
        causes: dict[str, list[str]] = {}
        for each in pending:
            causes.setdefault(each.cause, []).append(each.unit)
        text = "; ".join(f"{' and '.join(names)} ({cause})" for cause, names in causes.items())
        warnings.append(
            f"Restart pending: {text}: {describe(waiting)}. Run the task again when they have "
            "ended, or set running_containers: stop"
        )
    if taken and policy != "ignore":
        warnings.append(f"Running containers: {describe(taken)}")
    return warnings


def _describe_refusal(runtime: Runtime, refused: Sequence[AtRisk]) -> str:
    ways = [
        "running_containers: stop to continue",
        "running_containers: defer to do everything else",
    ]
    if any(each.verb == "restart" and not each.daemon.outlive_stop for each in refused):
        ways.append("live_restore: true to keep the containers")
    return (
        f"{runtime.label}: running containers: {describe(refused)}. Nothing was changed. Drain the "
        f"node or stop the containers first, or set {', or '.join(ways)}"
    )
