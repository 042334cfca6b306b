# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides which units change, from what was seen. Pure: no process, no file."""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

Units = Dict[str, Unit]

#: What a verb makes of a unit.
_EFFECTS = {
    "unmask": {"file_state": "disabled"},
    "start": {"active_state": "active"},
    "restart": {"active_state": "active"},
    "reload": {},
    "stop": {"active_state": "inactive"},
    "enable": {"file_state": "enabled"},
    "disable": {"file_state": "disabled"},
    "mask": {"file_state": "masked"},
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One call to systemd.

    :param verb: the method of Services.
    :param why: the reason, for the operator.
    """

    verb: str
    units: tuple[str, ...]
    why: str = ""


def bring_up(
    runtime: Runtime, units: Units, changes: Iterable[Change], restart: bool
) -> list[Step]:
    """Return the steps after which this runtime runs with these files, now and after a boot.

    :param restart: the operator asks for a restart.
    """
    masked = _names(runtime.units, lambda name: units[name].masked)
    not_enabled = _names(runtime.units, lambda name: not units[name].enabled_for_good)
    return _steps(
        Step("unmask", masked, "masked"),
        *_start(runtime, units, changes, restart),
        Step("enable", not_enabled, "not enabled at boot"),
    )


def take_down(
    runtimes: Iterable[Runtime], units: Units, keep: Iterable[str], why: str
) -> list[Step]:
    """Return the steps after which these runtimes are stopped and stay so after a boot.

    :param keep: units that must be left as they are.
    :param why: the reason, for the operator.
    """
    kept = frozenset(keep)
    names = [
        name
        for runtime in runtimes
        for name in runtime.all_units
        if units[name].found and name not in kept
    ]
    to_mask = {name for runtime in runtimes for name in runtime.masked_when_disabled}
    return _steps(
        Step("stop", _names(names, lambda name: not units[name].stopped), why),
        Step("disable", _names(names, lambda name: units[name].enabled), why),
        Step(
            "mask",
            _names(
                names,
                lambda name: name in to_mask and not units[name].masked and units[name].maskable,
            ),
            why,
        ),
    )


def go_back(before: Units, now: Units, taken: Iterable[Step]) -> list[Step]:
    """Return the steps that bring units back to how they were, once their files are.

    :param taken: the steps to take back.
    """
    names = tuple(before)
    # Another process than before has read the files that were taken back.
    stale = frozenset(
        name
        for name in names
        if before[name].active and not now[name].stopped and before[name].pid != now[name].pid
    )
    reloaded = {name for step in taken if step.verb == "reload" for name in step.units}
    return _steps(
        Step("unmask", _names(names, lambda name: now[name].masked and not before[name].masked)),
        Step("stop", _names(names, lambda name: before[name].stopped and not now[name].stopped)),
        Step("restart", _names(names, lambda name: name in stale)),
        Step("reload", _names(reloaded, lambda name: now[name].active and name not in stale)),
        Step(
            "start",
            _names(
                names,
                lambda name: before[name].active and not now[name].active and name not in stale,
            ),
        ),
        Step("enable", _names(names, lambda name: before[name].enabled and not now[name].enabled)),
        Step("disable", _names(names, lambda name: now[name].enabled and not before[name].enabled)),
        Step("mask", _names(names, lambda name: before[name].masked and not now[name].masked)),
    )


def needed_by(names: Iterable[str], units: Units) -> set[str]:
    """Return the units that a start of these pulls in, through any number of others."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        for name in units[todo.pop()].needs:
            if name in units and name not in found:
                found.add(name)
                todo.append(name)
    return found


def predict(units: Units, steps: Iterable[Step]) -> Units:
    """Return the units as they will be after these steps."""
    after = dict(units)
    for step in steps:
        for name in step.units:
            after[name] = dataclasses.replace(after[name], **_EFFECTS[step.verb])
    return after


def _start(runtime: Runtime, units: Units, changes: Iterable[Change], restart: bool) -> list[Step]:
    down = _names(runtime.units, lambda name: not units[name].active)
    if down:
        half_up = any(not units[name].stopped for name in runtime.units)
        # A socket can't be started beside its running service: both go round together.
        verb = "restart" if half_up else "start"
        return [Step(verb, runtime.units, f"{' and '.join(down)} not active")]
    changed = [change for change in changes if change.restart and change.changed]
    reason = "asked for" if restart else _owed(runtime, units, changes)
    if changed and not reason:
        reason = f"{changed[0].path} changed"
        if all(runtime.reloads(change) for change in changed):
            return [Step("reload", runtime.services, reason)]
    if not reason:
        return []
    steps = []
    if any(runtime.reloads_first(change) for change in changed):
        steps.append(Step("reload", runtime.services, reason))
    # The sockets stay, so that clients wait rather than fail.
    return [*steps, Step("restart", runtime.services, reason)]


def _owed(runtime: Runtime, units: Units, changes: Iterable[Change]) -> str:
    """Say why a restart was owed before this run, whoever wrote the file and whenever."""
    processes = [units[name] for name in runtime.services]
    for change in changes:
        if change.restart and any(_newer(change, process) for process in processes):
            return f"{change.path} is newer than the running process"
    return ""


def _newer(change: Change, process: Unit) -> bool:
    if change.mtime_ns is None or change.loaded_by == process.pid:
        return False
    return process.started is None or change.mtime_ns / 1e9 > process.started


def _names(names: Iterable[str], wanted: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(name for name in names if wanted(name))


def _steps(*steps: Step) -> list[Step]:
    return [step for step in steps if step.units]
