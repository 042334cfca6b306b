# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides which units change, from what was seen. Pure: no process, no file."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, Verb

Units = Dict[str, Unit]

#: What a verb makes of a unit.
_EFFECTS: dict[str, dict[str, Any]] = {
    "unmask": {"file_state": "disabled"},
    "start": {"active_state": "active"},
    "restart": {"active_state": "active"},
    "reload": {},
    "stop": {"active_state": "inactive"},
    "kill": {"active_state": "inactive"},
    "enable": {"file_state": "enabled"},
    "disable": {"file_state": "disabled"},
    "mask": {"file_state": "masked"},
}


class Step(NamedTuple):
    """One call to systemd.

    :param verb: the method of Services.
    :param why: the reason, for the operator.
    """

    verb: Verb
    units: tuple[str, ...]
    why: str = ""


class Plan(NamedTuple):
    """What a converge is to do.

    :param files: every file that is managed, those too that are as they shall be.
    :param up: what makes the runtime run with them.
    :param down: what stops the others.
    """

    files: list[Change]
    up: list[Step]
    down: list[Step]

    @property
    def changed(self) -> list[Change]:
        return [file for file in self.files if file.changed]

    @property
    def steps(self) -> list[Step]:
        return self.up + self.down


def bring_up(
    runtime: Runtime, units: Units, changes: Iterable[Change], restart: bool
) -> list[Step]:
    """Return the steps after which this runtime runs with these files, now and after a boot.

    :param restart: the operator asks for a restart.
    """
    masked = _names(runtime.wanted_units, lambda name: units[name].masked)
    not_enabled = _names(runtime.wanted_units, lambda name: not units[name].enabled_for_good)
    changes = [change for change in changes if change.restart]
    start = _start(runtime, units, [change for change in changes if not change.unit], restart)
    changes = [change for change in changes if change.unit in runtime.adapters]
    return _steps(
        Step("unmask", masked, "masked"),
        *start,
        *_start_adapter(runtime, units, changes, anew=any(step.verb != "reload" for step in start)),
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
    to_mask = {name for runtime in runtimes for name in runtime.identity.masked_units}
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


def stop_for_removal(runtime: Runtime, units: Units, why: str) -> list[Step]:
    """Return the steps that stop and disable a runtime, and remove the masks of its units.

    :param why: the reason to report for each step.
    """
    steps = take_down([runtime], units, keep=(), why=why)
    masked = _names(runtime.identity.masked_units, lambda name: units[name].masked)
    return [*(step for step in steps if step.verb != "mask"), *_steps(Step("unmask", masked, why))]


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
    # A socket has no process; it listens as it was told when its service was started with it.
    stale |= {
        name
        for step in taken
        if step.verb == "restart" and not stale.isdisjoint(step.units)
        for name in step.units
        if before[name].active and not now[name].stopped
    }
    reloaded = {name for step in taken if step.verb == "reload" for name in step.units}
    return _steps(
        Step("unmask", _names(names, lambda name: now[name].masked and not before[name].masked)),
        # What hangs in a stop can't start again before it is gone.
        Step("kill", _names(names, lambda name: now[name].active_state == "deactivating")),
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


def predict(units: Units, steps: Iterable[Step]) -> Units:
    """Return the units as they will be after these steps."""
    after = dict(units)
    for step in steps:
        for name in step.units:
            after[name] = after[name]._replace(**_EFFECTS[step.verb])
    return after


def _start(runtime: Runtime, units: Units, changes: list[Change], restart: bool) -> list[Step]:
    whole = _start_whole(runtime.units, units)
    if whole:
        return whole
    changed = [change for change in changes if change.changed]
    reason = "asked for" if restart else _replaced(runtime.services, units)
    reason = reason or _owed(runtime.services, units, changes)
    if changed and not reason:
        reason = f"{changed[0].path} changed"
        if runtime.reloads(changed):
            return [Step("reload", runtime.services, reason)]
    if not reason:
        return []
    steps = []
    if any(runtime.reloads_first(change) for change in changed):
        steps.append(Step("reload", runtime.services, reason))
    # The sockets stay, so that clients wait rather than fail.
    return [*steps, Step("restart", runtime.services, reason)]


def _start_adapter(runtime: Runtime, units: Units, changes: list[Change], anew: bool) -> list[Step]:
    """Bring the adapter up to its files and its runtime; one that is not wanted is not started.

    :param anew: the runtime is started or restarted, and an adapter asks it only once what it is.
    """
    whole = _start_whole(runtime.adapters, units)
    if whole:
        return whole if runtime.adapted else []
    services = _names(runtime.adapters, lambda name: name.endswith(".service"))
    stale = [change for change in changes if change.changed or _owed(services, units, [change])]
    reason = _replaced(services, units) or _owed(services, units, stale)
    reason = reason or (f"{stale[0].path} changed" if stale else "")
    if not reason and runtime.adapted:
        reason = f"{runtime.label} is restarted" if anew else _outlived(runtime, services, units)
    if not reason:
        return []
    # Its sockets stay too, but for one that shall listen elsewhere.
    moved = any(change.unit not in services for change in stale)
    return [Step("restart", runtime.adapters if moved else services, reason)]


def _start_whole(names: tuple[str, ...], units: Units) -> list[Step]:
    """Start units that belong together, where one of them is down."""
    down = _names(names, lambda name: not units[name].active)
    if not down:
        return []
    half_up = any(not units[name].stopped for name in names)
    # A socket can't be started beside its running service: both go round together.
    verb: Verb = "restart" if half_up else "start"
    return [Step(verb, names, f"{' and '.join(down)} not active")]


def _outlived(runtime: Runtime, services: tuple[str, ...], units: Units) -> str:
    """Say that an adapter has seen its runtime restarted: what it knows may be of the old one."""
    began = max(units[name].started or 0.0 for name in runtime.services)
    if all((units[name].started or 0.0) >= began for name in services):
        return ""
    return f"{' and '.join(runtime.services)} was started after it"


def _replaced(services: tuple[str, ...], units: Units) -> str:
    """Say that an upgrade has left a process of the old version behind."""
    old = _names(services, lambda name: units[name].replaced)
    return f"{' and '.join(old)} runs a program that was replaced" if old else ""


def _owed(services: tuple[str, ...], units: Units, changes: list[Change]) -> str:
    """Say why a restart was owed before this run, whoever wrote the file and whenever."""
    for change in changes:
        if any(_newer(change, units[name]) for name in services):
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
