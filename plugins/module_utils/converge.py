# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enable, disable and remove a runtime: inspect, check, plan, apply, report.

This module is independent of the runtime.
"""

from __future__ import annotations

from typing import Any, ContextManager, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import (
    files,
    needless,
    plan,
    removal,
    running_containers,
    transaction,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.inspection import (
    add_restraint,
    add_units,
    describe_file,
    describe_runtime,
    inspect,
    report,
)
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    load_recorded_sockets,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, needed_by


def enable(node: Node, options: dict[str, Any], rendered: list[dict[str, Any]]) -> dict[str, Any]:
    """Bring a runtime to its spec, and enable it.

    :param rendered: the files that the controller rendered, for every kind of node.
    :return: the result of the module.
    :raises CruntimeError: if the run fails. If it changed something before, the facts of the error
        have C(rolled_back).
    """
    with _acquire_lock(node):
        return _enable(node, options, rendered)


def disable(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    """Stop and disable a runtime; its files and data are kept.

    :raises CruntimeError: if C(enable) would raise it.
    """
    with _acquire_lock(node):
        return _disable(node, options)


def restore(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    """Bring the units of all runtimes back to saved states, from which a runtime was running.

    :raises CruntimeError: if C(enable) would raise it.
    """
    with _acquire_lock(node):
        return _restore(node, options)


def remove(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    """Stop a runtime, and remove its managed files and its data.

    :raises CruntimeError: if C(enable) would raise it, or if data could not be removed. Removed
        data is not restored.
    """
    with _acquire_lock(node):
        return _remove(node, options)


def _enable(node: Node, options: dict[str, Any], rendered: list[dict[str, Any]]) -> dict[str, Any]:
    found = needless.drop_restart(node, inspect(node, options, rendered), options)
    found = running_containers.restrain(node, found, options)
    if not found.needs_action:
        return report(node, found, options, comparison=found.comparison, downtime=0.0)
    runtime, todo, record = found.runtime, found.plan, found.record
    record.note_data_root(runtime.name, runtime.configured_root(todo.files))
    validation = transaction.validate(node, runtime, todo, version=found.version, units=found.units)
    found.warnings.extend(validation.takeover.warnings)
    dropped = [setting.result for setting in validation.takeover.dropped]
    comparison = validation.comparison or found.comparison

    def describe(applied: transaction.Applied) -> dict[str, Any]:
        given = {**applied._asdict(), "dropped": dropped}
        return report(node, found, options, comparison=comparison, **given)

    predicted = transaction.Applied({}, None)
    if found.restraint.refusal:
        raise running_containers.refuse(found.restraint, describe(predicted))
    if node.check_mode:
        return describe(predicted)
    waits = any(each.unit in runtime.services for each in found.restraint.pending)
    loaded = () if waits else found.rewritten
    return describe(
        transaction.enable(
            *(node, runtime, todo),
            version=found.version,
            units=found.units,
            record=record,
            waits=waits,
            loaded=loaded,
        )
    )


def _restore(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    record = ManagedFiles()
    load_recorded_sockets(node.runtimes, record)
    runtime = node.runtimes[options["runtime"]]
    units = node.look()
    saved = _read_saved(options["units"], runtime, units)
    runtime.check_installed(units)
    up, down = plan.plan_restore(saved, units, node.runtimes.values())
    steps, restraint = running_containers.restrain_stop(
        node, runtime, [*up, *down], units, options["running_containers"]
    )

    def describe() -> dict[str, Any]:
        version, warnings = _version(node, runtime, units)
        result = describe_runtime(runtime, version, None, options)
        result["warnings"] = warnings
        add_units(node, result, units, steps, [], predicted=bool(restraint.refusal))
        return add_restraint(result, restraint)

    if restraint.refusal:
        raise running_containers.refuse(restraint, describe())
    if steps and not node.check_mode:
        transaction.restore(node, runtime, up, down, units=units, record=record)
    return describe()


def _disable(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    seen = _look_at(node, options["runtime"])
    steps, restraint = running_containers.restrain_stop(
        node,
        seen.runtime,
        plan.plan_disable([seen.runtime], seen.units, keep=(), why="asked for"),
        seen.units,
        options["running_containers"],
    )

    def describe() -> dict[str, Any]:
        result = describe_runtime(seen.runtime, seen.version, None, options)
        result["warnings"] = seen.warnings
        is_refused = bool(restraint.refusal)
        add_units(node, result, seen.units, steps, [], predicted=is_refused)
        return add_restraint(result, restraint)

    if restraint.refusal:
        raise running_containers.refuse(restraint, describe())
    if steps and not node.check_mode:
        transaction.disable(node, seen.runtime, steps, units=seen.units, record=seen.record)
    return describe()


def _remove(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    seen = _look_at(node, options["runtime"])
    runtime, record = seen.runtime, seen.record
    steps = plan.stop_for_removal(runtime, seen.units, why="asked for")
    restraint = running_containers.restrain_stop(node, runtime, steps, seen.units, "refuse")[1]
    is_active = runtime.active(seen.units)
    removal.check_idle(runtime, restraint.at_risk, is_active=is_active)
    kept = removal.Kept()
    if not options["keep_data"]:
        kept = removal.find_kept(node, runtime, record, options, seen.units)
    changes = files.look([], record, runtime.name)
    managed = record.paths_of(runtime.name)
    todo = plan.Plan(changes, [], steps)
    result = describe_runtime(runtime, seen.version, None, options)
    result["warnings"] = seen.warnings + removal.describe_edited(managed, changes)
    if not node.check_mode and (todo.steps or managed or kept.lines):
        transaction.remove(node, runtime, todo, kept, units=seen.units, record=record)
    result["files"] = [describe_file(change, {}) for change in changes]
    gone = [change.path for change in todo.changed if change.after is None]
    result["removed"] = gone + kept.lines
    configured = {entry["runtime"] for entry in record.entries.values()}
    result["configured_runtimes"] = sorted(configured - {runtime.name})
    diffs = [*(change.diff for change in todo.changed), *kept.diffs(runtime.label)]
    return add_units(node, result, seen.units, todo.steps, diffs)


class _Seen(NamedTuple):
    """State of a runtime that will be stopped.

    :param version: None if the runtime is not installed, or its binary no longer works.
    """

    record: ManagedFiles
    runtime: Runtime
    units: dict[str, Unit]
    version: str | None
    warnings: list[str]


def _look_at(node: Node, name: str) -> _Seen:
    """Read the state of a runtime that will be stopped.

    :raises CruntimeError: if another runtime needs its units.
    """
    record = ManagedFiles()
    load_recorded_sockets(node.runtimes, record)
    runtime = node.runtimes[name]
    units = node.look()
    _check_unneeded(node, runtime, units)
    return _Seen(record, runtime, units, *_version(node, runtime, units))


def _read_saved(
    saved: list[dict[str, Any]], runtime: Runtime, units: dict[str, Unit]
) -> dict[str, plan.Saved]:
    """Return the saved states of units.

    :raises CruntimeError: if a unit is unknown, or the runtime was not running.
    """
    states = {
        each["name"]: plan.Saved(*(each[key] for key in plan.Saved._fields)) for each in saved
    }
    unknown = sorted(states.keys() - units.keys())
    if unknown:
        raise CruntimeError(
            f"units: {', '.join(unknown)}: unknown unit of a runtime. Set the list units that "
            "cruntime_info returned",
            reason="option_invalid",
        )
    if not all(name in states and states[name].active for name in runtime.services):
        raise CruntimeError(
            f"units: {' and '.join(runtime.services)} must be active, because {runtime.label} is "
            "the runtime to restore. Set runtime to the one that was running",
            reason="option_invalid",
        )
    return states


# Inspect and check


def _acquire_lock(node: Node) -> ContextManager[None]:
    """Acquire the exclusive lock of the node."""
    return locked(shared=False, timeout=node.timeout, check_mode=node.check_mode)


def _version(node: Node, runtime: Runtime, units: dict[str, Unit]) -> tuple[str | None, list[str]]:
    """Return the version of a runtime that will be stopped, and warnings if it is unknown."""
    if not runtime.installed(units):
        return None, []
    try:
        return node.versions.of(runtime), []
    except CruntimeError as error:
        return None, [f"Could not determine the version of {runtime.label}: {error}"]


def _check_unneeded(node: Node, runtime: Runtime, units: dict[str, Unit]) -> None:
    for other in node.runtimes.values():
        if other is runtime or not other.active(units):
            continue
        needed = needed_by(other.units, units).intersection(runtime.all_units)
        if needed:
            raise CruntimeError(
                f"{runtime.label} cannot be disabled: {other.label} is running and needs "
                f"{' and '.join(sorted(needed))}. Disable {other.name} first",
                reason="runtime_needed",
            )
