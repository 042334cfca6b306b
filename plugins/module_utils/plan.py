# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which units to start, stop, reload or restart. Pure functions, no I/O."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, Verb

Units = Dict[str, Unit]

#: Effect of an action on the state of a unit.
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
    """One call of systemctl.

    :param verb: method of Services.
    :param why: reason for the user.
    """

    verb: Verb
    units: tuple[str, ...]
    why: str = ""


class Plan(NamedTuple):
    """Changes of a run.

    :param files: all managed files, including unchanged files.
    :param up: steps that make the runtime run with these files.
    :param down: steps that stop and disable the other runtimes.
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


def plan_enable(
    runtime: Runtime,
    units: Units,
    changes: Iterable[Change],
    *,
    asked: bool,
    pending: str = "",
    pays: bool = True,
    restarts: bool = True,
    protects: bool = False,
) -> list[Step]:
    """Return the steps that make this runtime run with these files, now and after a boot.

    :param asked: whether the user requests a restart.
    :param pending: cause of a restart that was pending before this run, in addition to the causes
        that the units and the times of the files show.
    :param pays: whether restarts of the runtime that were pending before this run are done.
    :param restarts: whether the running runtime is restarted at all.
    :param protects: whether a reload activates a pending setting with which containers survive a
        restart.
    """
    masked = _names(runtime.wanted_units, lambda name: units[name].masked)
    not_enabled = _names(runtime.wanted_units, lambda name: not units[name].enabled_for_good)
    changes = [change for change in changes if change.restart]
    own = [change for change in changes if not change.unit]
    cause = "asked for" if asked else ""
    if pays:
        cause = cause or find_pending_cause(runtime, units, own) or pending
    start = _start(runtime, units, own, cause, asked=asked, opens=pays and restarts)
    if runtime.active(units) and start and start[-1].verb == "restart":
        if protects or any(runtime.reloads_first(change) for change in own if change.changed):
            start = [Step("reload", runtime.services, start[-1].why), *start]
        if not restarts:
            start = start[:-1]
    changes = [change for change in changes if change.unit in runtime.adapters]
    return _steps(
        Step("unmask", masked, "masked"),
        *start,
        *_start_adapter(
            runtime, units, changes, is_restarted=any(step.verb != "reload" for step in start)
        ),
        Step("enable", not_enabled, "not enabled at boot"),
    )


def plan_disable(
    runtimes: Iterable[Runtime], units: Units, keep: Iterable[str], why: str
) -> list[Step]:
    """Return the steps that stop and disable these runtimes.

    :param keep: units that must not be changed.
    :param why: reason for the user.
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
    steps = plan_disable([runtime], units, keep=(), why=why)
    masked = _names(runtime.identity.masked_units, lambda name: units[name].masked)
    return [*(step for step in steps if step.verb != "mask"), *_steps(Step("unmask", masked, why))]


class Saved(NamedTuple):
    """State of a unit that was saved before a change."""

    active: bool
    enabled: bool
    masked: bool


def plan_restore(
    saved: dict[str, Saved], units: Units, runtimes: Iterable[Runtime]
) -> tuple[list[Step], list[Step]]:
    """Return the steps that start and enable units, and those that stop and disable them.

    :param saved: the states to restore, of some of the units.
    """
    why = "restored"
    names = _names(units, lambda name: name in saved and units[name].found)
    groups = [group for each in runtimes for group in (each.units, each.adapters)]
    starts = [
        step
        for group in groups
        for step in _start_whole(
            _names(group, lambda name: name in names and saved[name].active), units, False
        )
    ]
    up = _steps(
        Step("unmask", _names(names, lambda name: units[name].masked and not saved[name].masked)),
        *starts,
        Step("enable", _names(names, lambda name: saved[name].enabled and not units[name].enabled)),
    )
    down = _steps(
        Step(
            "stop", _names(names, lambda name: not saved[name].active and not units[name].stopped)
        ),
        Step(
            "disable", _names(names, lambda name: units[name].enabled and not saved[name].enabled)
        ),
        Step("mask", _names(names, lambda name: saved[name].masked and not units[name].masked)),
    )
    return [step._replace(why=why) for step in up], [step._replace(why=why) for step in down]


def plan_rollback(before: Units, now: Units, taken: Iterable[Step]) -> list[Step]:
    """Return the steps that roll back the units, after their files were restored.

    :param taken: steps to roll back.
    """
    names = tuple(before)
    # These units were restarted during the run, so their processes have read files that are now
    # reverted.
    stale = frozenset(
        name
        for name in names
        if before[name].active and not now[name].stopped and before[name].pid != now[name].pid
    )
    # A socket has no process. It listens on the path of its configuration at the restart.
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
        # A unit that hangs in deactivating must be killed before it can start again.
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
    """Return the predicted units after these steps."""
    after = dict(units)
    for step in steps:
        for name in step.units:
            after[name] = after[name]._replace(**_EFFECTS[step.verb])
    return after


def _start(
    runtime: Runtime, units: Units, changes: list[Change], cause: str, *, asked: bool, opens: bool
) -> list[Step]:
    """Return the steps that make the units of the runtime run with its files.

    :param opens: whether a running runtime is restarted because one of its sockets is not active.
    """
    whole = _start_whole(runtime.units, units, asked or any(each.changed for each in changes))
    if whole and (opens or not runtime.active(units)):
        return whole
    changed = [change for change in changes if change.changed]
    reason = cause
    if changed and not reason:
        reason = f"{changed[0].path} changed"
        if runtime.reloads(changed):
            return [Step("reload", runtime.services, reason)]
    if not reason:
        return []
    # Keep the sockets open. Clients then wait during the restart and do not fail.
    return [Step("restart", runtime.services, reason)]


def find_pending_cause(runtime: Runtime, units: Units, changes: Iterable[Change]) -> str:
    """Return the cause of a restart of the runtime that was pending before this run, if any.

    The binary of the process was replaced, or a file is newer than the process.
    """
    return _upgrade_restart_reason(runtime.services, units) or _pending_restart_reason(
        runtime.services, units, list(changes)
    )


def _start_adapter(
    runtime: Runtime, units: Units, changes: list[Change], is_restarted: bool
) -> list[Step]:
    """Return the steps that make the adapter run with its files and its runtime.

    An adapter that is not enabled is not started.

    :param is_restarted: whether the runtime is started or restarted. An adapter queries the runtime
        only once.
    """
    whole = _start_whole(runtime.adapters, units, any(change.changed for change in changes))
    if whole:
        return whole if runtime.adapter_enabled else []
    services = _names(runtime.adapters, lambda name: name.endswith(".service"))
    stale = [
        change
        for change in changes
        if change.changed or _pending_restart_reason(services, units, [change])
    ]
    reason = _upgrade_restart_reason(services, units) or _pending_restart_reason(
        services, units, stale
    )
    reason = reason or (f"{stale[0].path} changed" if stale else "")
    if not reason and runtime.adapter_enabled:
        reason = (
            f"{runtime.label} is restarted"
            if is_restarted
            else _adapter_restart_reason(runtime, services, units)
        )
    if not reason:
        return []
    # Keep the sockets open, except if a socket must listen on a different path.
    moved = any(change.unit not in services for change in stale)
    return [Step("restart", runtime.adapters if moved else services, reason)]


def _start_whole(names: tuple[str, ...], units: Units, is_outdated: bool) -> list[Step]:
    """Return the steps that start all of these units if one of them is not active.

    :param is_outdated: whether a start that has begun must begin again.
    """
    down = _names(names, lambda name: not units[name].active)
    if not down:
        return []
    half_up = any(not units[name].stopped for name in names)
    # A socket cannot be started while its service is running. Otherwise, wait for a start that has
    # begun, because it can take long.
    begins_again = is_outdated or any(name.endswith(".socket") for name in down)
    verb: Verb = "restart" if half_up and begins_again else "start"
    return [Step(verb, names, f"{' and '.join(down)} not active")]


def _adapter_restart_reason(runtime: Runtime, services: tuple[str, ...], units: Units) -> str:
    """Return a reason if the runtime was started after the adapter, which can have cached data."""
    began = max(units[name].started or 0.0 for name in runtime.services)
    if all((units[name].started or 0.0) >= began for name in services):
        return ""
    return f"{' and '.join(runtime.services)} was started after {' and '.join(services)}"


def _upgrade_restart_reason(services: tuple[str, ...], units: Units) -> str:
    """Return a reason if the binary of a running process was replaced by an upgrade."""
    old = _names(services, lambda name: units[name].replaced)
    return f"the binary of {' and '.join(old)} was replaced" if old else ""


def _pending_restart_reason(services: tuple[str, ...], units: Units, changes: list[Change]) -> str:
    """Return a reason if a restart was pending before this run, no matter who wrote the file."""
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
