# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enable and disable a runtime: look, check, plan, have it done, report.

Knows no runtime by name.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, ContextManager, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import (
    cgroups,
    compatibility,
    files,
    oci_runtimes,
    plan,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.rendered import choose
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import recall_sockets
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, needed_by


def enable(node: Node, options: dict[str, Any], rendered: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a runtime run as its spec says.

    :param rendered: the files that the controller made of the spec, for every kind of node.
    :return: the module's result.
    :raises CruntimeError: nothing was touched; or it was, and C(rolled_back) says how it ended.
    """
    with _alone(node):
        return _enable(node, options, rendered)


def disable(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    """Stop a runtime and keep it from coming up at boot; its files and data stay.

    :raises CruntimeError: as C(enable).
    """
    with _alone(node):
        return _disable(node, options)


def remove(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    """Stop a runtime, and remove its managed files and its data.

    :raises CruntimeError: if C(enable) would raise it, or if data could not be removed. Removed
        data is not restored.
    """
    with _alone(node):
        return _remove(node, options)


def _enable(node: Node, options: dict[str, Any], rendered: list[dict[str, Any]]) -> dict[str, Any]:
    record = ManagedFiles()
    recall_sockets(node.runtimes, record)
    present = node.runtimes[options["runtime"]]
    runtime = present.configured(options)
    units = node.look()
    runtime.check_installed(units)
    version = node.versions.of(runtime)
    kubernetes = options.get("kubernetes_version")
    warnings = compatibility.check(runtime.name, version, kubernetes, cgroups.version())
    if options["rootless"]:
        warnings += compatibility.check_rootless(os.uname().release)
    warnings += _check_oci_runtimes(options)
    _check_certificates(options["registries"])
    driver = _cgroup_driver(present, units, options["cgroup_driver"])
    version_range = runtime.identity.find_range(version)
    facts = {**runtime.find_facts(), "version_range": version_range, "cgroup_driver": driver}
    wanted = {"cgroup_driver": driver, "sandbox_image": options["rendered_sandbox_image"]}
    changes = files.look(choose(rendered, facts), record, runtime.name)
    todo = plan.Plan(
        changes,
        plan.bring_up(runtime, units, changes, restart=options["state"] == "restarted"),
        _others_down(node, runtime, units) if options["disable_others"] else [],
    )
    if todo.changed:
        runtime.check_changes(todo.changed, units)
    backups: dict[str, str] = {}
    dropped: list[dict[str, Any]] = []
    if todo.changed or todo.steps:
        from ansible_collections.cruntime.node.plugins.module_utils import transaction

        record.note_data_root(runtime.name, runtime.configured_root(changes))
        outcome = transaction.enable(
            node, runtime, todo, version=version, units=units, record=record, wanted=wanted
        )
        backups = outcome.backups
        dropped = [setting.result for setting in outcome.takeover.dropped]
        warnings += outcome.takeover.warnings
    result = _result(runtime, version, driver, kubernetes)
    result["files"] = [_file_result(change, backups) for change in changes]
    result["dropped"] = dropped
    result["warnings"] = warnings + _remarks(runtime, options, todo.up, backups)
    return _add_units(node, result, units, todo.steps, [change.diff for change in todo.changed])


def _others_down(node: Node, runtime: Runtime, units: dict[str, Unit]) -> list[Step]:
    others = [other for other in node.runtimes.values() if other.name != runtime.name]
    needed = needed_by(runtime.units, units)
    why = f"{runtime.label} shall be the one runtime"
    return plan.take_down(others, units, keep=needed, why=why)


def _disable(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    seen = _look_at(node, options["runtime"])
    steps = plan.take_down([seen.runtime], seen.units, keep=(), why="asked for")
    if steps and not node.check_mode:
        from ansible_collections.cruntime.node.plugins.module_utils import transaction

        transaction.disable(node, seen.runtime, steps, units=seen.units, record=seen.record)
    result = _result(seen.runtime, seen.version, None, options.get("kubernetes_version"))
    result["warnings"] = seen.warnings
    return _add_units(node, result, seen.units, steps, [])


def _remove(node: Node, options: dict[str, Any]) -> dict[str, Any]:
    # Most runs remove nothing, and each run would compile these modules.
    from ansible_collections.cruntime.node.plugins.module_utils import removal, transaction

    seen = _look_at(node, options["runtime"])
    runtime, record = seen.runtime, seen.record
    removal.check_idle(runtime)
    kept = removal.Kept()
    if not options["keep_data"]:
        kept = removal.find_kept(node, runtime, record, options, seen.units)
    changes = files.look([], record, runtime.name)
    managed = record.paths_of(runtime.name)
    todo = plan.Plan(changes, [], plan.stop_for_removal(runtime, seen.units, why="asked for"))
    result = _result(runtime, seen.version, None, options.get("kubernetes_version"))
    result["warnings"] = seen.warnings + removal.describe_edited(managed, changes)
    if not node.check_mode and (todo.steps or managed or kept.lines):
        transaction.remove(node, runtime, todo, kept, units=seen.units, record=record)
    result["files"] = [_file_result(change, {}) for change in changes]
    gone = [change.path for change in todo.changed if change.after is None]
    result["removed"] = gone + kept.lines
    configured = {entry["runtime"] for entry in record.entries.values()}
    result["configured_runtimes"] = sorted(configured - {runtime.name})
    diffs = [*(change.diff for change in todo.changed), *kept.diffs(runtime.label)]
    return _add_units(node, result, seen.units, todo.steps, diffs)


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
    recall_sockets(node.runtimes, record)
    runtime = node.runtimes[name]
    units = node.look()
    _check_unneeded(node, runtime, units)
    return _Seen(record, runtime, units, *_version(node, runtime, units))


# Look and check


def _alone(node: Node) -> ContextManager[None]:
    """Hold the lock of the node alone: wait for other runs, and make them wait."""
    return locked(shared=False, timeout=node.timeout, check_mode=node.check_mode)


def _version(node: Node, runtime: Runtime, units: dict[str, Unit]) -> tuple[str | None, list[str]]:
    """Return the version of a runtime that shall go, which need not work any more; and warnings."""
    if not runtime.installed(units):
        return None, []
    try:
        return node.versions.of(runtime), []
    except CruntimeError as error:
        return None, [f"{runtime.label} does not tell its version: {error}"]


def _cgroup_driver(runtime: Runtime, units: dict[str, Unit], wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if cgroups.version() == 2:
        return "systemd"
    # On v1 both work, and a change under running pods breaks them: stay with what is in use.
    with contextlib.suppress(CruntimeError):
        if runtime.active(units):
            return runtime.cgroup_driver()
    # None runs, or one that serves no CRI yet: containerd as Docker's own packages set it up.
    return "cgroupfs"


def _check_oci_runtimes(options: dict[str, Any]) -> list[str]:
    """Look for the binaries that the spec names; return warnings.

    :raises CruntimeError: the one that every container would be run by is not there.
    """
    default = oci_runtimes.default(options)
    warnings = []
    for handler in oci_runtimes.named(options):
        if os.access(handler["path"], os.X_OK):
            continue
        words = f"the OCI runtime {handler['name']} needs {handler['path']}, which is not there"
        if handler["name"] == default:
            raise CruntimeError(
                f"{words}: install it first, or choose another oci_runtime",
                reason="oci_runtime_not_found",
            )
        warnings.append(words)
    return warnings


def _check_certificates(registries: list[dict[str, Any]]) -> None:
    if registries:
        from ansible_collections.cruntime.node.plugins.module_utils import certificates

        certificates.check(registries)


def _check_unneeded(node: Node, runtime: Runtime, units: dict[str, Unit]) -> None:
    for other in node.runtimes.values():
        if other is runtime or not other.active(units):
            continue
        needed = needed_by(other.units, units).intersection(runtime.all_units)
        if needed:
            raise CruntimeError(
                f"{runtime.label} can't be disabled: {other.label} is running and needs "
                f"{' and '.join(sorted(needed))}. Disable {other.name} first",
                reason="runtime_needed",
            )


# Report


def _result(
    runtime: Runtime, version: str | None, driver: str | None, kubernetes: str | None
) -> dict[str, Any]:
    return {
        "runtime": runtime.name,
        "version": version,
        "socket_path": runtime.socket_path,
        "cri_endpoint": runtime.cri_endpoint,
        "cgroup_driver": driver,
        "kubelet_options": runtime.kubelet_options(kubernetes),
        "kubelet_config": runtime.kubelet_config(kubernetes, driver),
        "files": [],
        "rolled_back": False,
        "warnings": [],
    }


def _remarks(
    runtime: Runtime, options: dict[str, Any], up: list[Step], backups: dict[str, str]
) -> list[str]:
    unused = runtime.unused_options(options)
    unmasked = [name for step in up if step.verb == "unmask" for name in step.units]
    return [
        *(f"{option} changes nothing on this node: {why}" for option, why in unused.items()),
        *(f"{name} was masked; it is unmasked to enable its runtime" for name in unmasked),
        *(
            f"{path} was not written by this collection; it is kept as {backup}"
            for path, backup in backups.items()
        ),
    ]


def _file_result(change: Change, backups: dict[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {"path": change.target, "changed": change.changed}
    if change.changed:
        result["diff"] = change.diff
    if change.target in backups:
        result["backup"] = backups[change.target]
    return result


def _add_units(
    node: Node,
    result: dict[str, Any],
    before: dict[str, Unit],
    steps: list[Step],
    diffs: list[dict[str, Any]],
) -> dict[str, Any]:
    reasons = {name: step.why for step in reversed(steps) for name in step.units}
    after = plan.predict(before, steps) if node.check_mode or not steps else node.look()
    touched = sorted(reasons)
    result["units"] = [
        {
            "name": name,
            "before": before[name].state,
            "after": after[name].state,
            "cause": reasons[name],
        }
        for name in touched
    ]
    result["changed"] = bool(diffs or steps)
    result["diff"] = list(diffs)
    if steps:
        restarted = {name for step in steps if step.verb == "restart" for name in step.units}
        result["diff"].append(
            {
                "before_header": "systemd units",
                "after_header": "systemd units",
                "before": "".join(f"{name}: {before[name]}\n" for name in touched),
                "after": "".join(
                    f"{name}: {after[name]}{', restarted' if name in restarted else ''}\n"
                    for name in touched
                ),
            }
        )
    return result
