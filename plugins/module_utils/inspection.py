# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a node with a spec: inspect, check and plan. Nothing is changed.

This module is independent of the runtime.
"""

from __future__ import annotations

import contextlib
import os
from types import MappingProxyType
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import (
    cgroups,
    compatibility,
    files,
    kubelet,
    oci_runtimes,
    plan,
)
from ansible_collections.cruntime.node.plugins.module_utils.at_risk import (
    NO_RESTRAINT,
    Restraint,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import Effective
from ansible_collections.cruntime.node.plugins.module_utils.effective.catalog import effective_of
from ansible_collections.cruntime.node.plugins.module_utils.effective.comparison import (
    Comparison,
    compare_environment,
    compare_runtime,
    show,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.known_files import KnownFiles
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.paths import find_service_drop_in
from ansible_collections.cruntime.node.plugins.module_utils.plan import Plan, Step
from ansible_collections.cruntime.node.plugins.module_utils.rendered import (
    choose,
    list_facts,
)
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import (
    DEFAULT_SLICE,
    Runtime,
)
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    load_recorded_sockets,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Unit,
    join_lines,
    needed_by,
    parse_settings,
    read_start,
)


class Inspection(NamedTuple):
    """State of a node, and the plan that makes it match the spec.

    :param runtime: the runtime as the spec configures it.
    :param driver: the cgroup driver that the spec selects on this node.
    :param comparison: what was found about the files before the run.
    :param restraint: running containers that the steps would end, and steps that wait.
    :param rewritten: changes that the process need not read, because no value changes.
    """

    runtime: Runtime
    version: str
    driver: str
    units: dict[str, Unit]
    record: ManagedFiles
    plan: Plan
    warnings: list[str]
    comparison: Comparison
    restraint: Restraint = NO_RESTRAINT
    rewritten: Sequence[Change] = ()

    @property
    def files(self) -> list[Change]:
        """The managed files. A change that the process need not read counts as unchanged."""
        return [
            change._replace(before=change.after) if change in self.rewritten else change
            for change in self.plan.files
        ]

    @property
    def needs_action(self) -> bool:
        return bool(self.plan.changed or self.plan.steps or self.record.is_outdated)


def inspect(node: Node, options: dict[str, Any], rendered: list[dict[str, Any]]) -> Inspection:
    """Compare a node with a spec.

    :param rendered: the files that the controller rendered, for every kind of node.
    :raises CruntimeError: if the node cannot match the spec.
    """
    record = ManagedFiles()
    load_recorded_sockets(node.runtimes, record)
    units = node.look()
    present = node.runtimes[options["runtime"]]
    runtime = present.configured(options)
    runtime.check_installed(units)
    version = node.versions.of(runtime)
    kubernetes = options.get("kubernetes_version")
    warnings = compatibility.check(runtime.name, version, kubernetes, cgroups.version())
    if options["rootless"]:
        warnings += compatibility.check_rootless(os.uname().release)
    warnings += _check_oci_runtimes(options)
    _check_certificates(options["registries"])
    driver = _find_cgroup_driver(present, units, options["cgroup_driver"])
    version_range = runtime.identity.find_range(version)
    found = runtime.find_facts(list_facts(rendered))
    facts = {**found, "version_range": version_range, "cgroup_driver": driver}
    effective = effective_of(node.runner, runtime, version)
    service = units[runtime.services[0]]
    start = read_start(service)
    chosen = [
        dict(
            file,
            path=runtime.config_path,
            content=effective.leave_out(file["content"], start),
        )
        if file["path"] == runtime.identity.config_path
        else file
        for file in choose(rendered, facts)
    ]
    changes = files.look(chosen, record, runtime.name)
    effective.check_files(changes)
    runtime.slice = _find_slice(changes, service)
    asked = options["state"] == "restarted"
    comparison = _compare_runtime(
        effective, runtime, changes, units, node.known_files, asks=not asked
    )
    unset = compare_environment(effective, find_main(runtime, changes), changes, service)
    comparison = comparison._replace(pending=(*comparison.pending, *unset))
    todo = Plan(
        changes,
        plan.plan_enable(
            runtime,
            units,
            changes,
            asked=asked,
            pending=comparison.cause,
            protects=any(runtime.protects(each.path, each.desired) for each in comparison.pending),
        ),
        plan_disable_others(node, runtime, units) if options["disable_others"] else [],
    )
    if not any(service.name in step.units for step in todo.up):
        warnings += comparison.doubts
    return Inspection(runtime, version, driver, units, record, todo, warnings, comparison)


def _compare_runtime(
    effective: Effective,
    runtime: Runtime,
    changes: list[Change],
    units: dict[str, Unit],
    known: KnownFiles,
    *,
    asks: bool,
) -> Comparison:
    """Compare the runtime, unless its configuration file changes: then a transaction does it."""
    main = find_main(runtime, changes)
    if main is None or main.changed:
        return Comparison(runtime.label)
    service = units[runtime.services[0]]
    return compare_runtime(
        effective, runtime, main, service, changes=changes, known=known, asks=asks
    )


def _find_slice(changes: list[Change], service: Unit) -> str:
    """Return the slice of a service after this run."""
    path = find_service_drop_in(service.name)
    for change in changes:
        if change.path == path:
            before, after = map(_read_slice, (change.before, change.after))
            if before != after:
                return after or DEFAULT_SLICE
    return service.slice or DEFAULT_SLICE


def _read_slice(content: object) -> str:
    """Return the slice that the content of a drop-in sets, empty if it sets none."""
    if not isinstance(content, bytes):
        return ""
    settings = parse_settings(join_lines(content.decode(errors="replace")))
    return next((value for key, value in settings if key == "Slice"), "")


def find_main(runtime: Runtime, changes: list[Change]) -> Change | None:
    """Return the configuration file of a runtime, None if it is removed."""
    found = (change for change in changes if change.path == runtime.config_path)
    return next((change for change in found if change.after is not None), None)


def report(
    node: Node,
    found: Inspection,
    options: dict[str, Any],
    *,
    comparison: Comparison,
    downtime: float | None,
    backups: Mapping[str, str] = MappingProxyType({}),
    dropped: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return the result of the module.

    :param comparison: what was found about the files as they are now.
    :param downtime: time in seconds for which no runtime responded, None if it is not known.
    :param backups: by path, the backup of a foreign file.
    :param dropped: settings that are lost.
    """
    result = describe_runtime(found.runtime, found.version, found.driver, options)
    result["files"] = [describe_file(change, backups) for change in found.plan.files]
    result["dropped"] = list(dropped)
    result["downtime"] = downtime
    result["overridden"] = [each.result for each in comparison.overridden]
    result["pending"] = [show(each) for each in found.comparison.pending]
    result["unknown"] = [each.result for each in found.comparison.unknown]
    is_reloaded = any(
        step.verb == "reload" and step.units == found.runtime.services for step in found.plan.up
    )
    result["warnings"] = [
        *found.warnings,
        *comparison.warnings,
        *(found.runtime.warn_of_reload(found.units) if is_reloaded else ()),
        *_warn_of_options(found.runtime, options, found.plan.up, backups),
    ]
    diffs = [change.diff for change in found.plan.changed]
    is_refused = bool(found.restraint.refusal)
    add_units(node, result, found.units, found.plan.steps, diffs, predicted=is_refused)
    return add_restraint(result, found.restraint)


def plan_disable_others(
    node: Node, runtime: Runtime, units: dict[str, Unit], kept: Iterable[str] = ()
) -> list[Step]:
    """Return the steps that stop and disable the other runtimes.

    :param kept: names of the runtimes that are not changed.
    """
    others = [other for other in node.runtimes.values() if other.name not in (runtime.name, *kept)]
    running = [runtime.units, *(node.runtimes[name].all_units for name in kept)]
    needed = needed_by((name for names in running for name in names), units)
    why = f"disabled in favor of {runtime.label}"
    return plan.plan_disable(others, units, keep=needed, why=why)


def _find_cgroup_driver(runtime: Runtime, units: dict[str, Unit], wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if cgroups.version() == 2:
        return "systemd"
    # On cgroups v1, both drivers work. Keep the current driver, because a change breaks running
    # pods.
    with contextlib.suppress(CruntimeError):
        if runtime.active(units):
            return runtime.cgroup_driver()
    # The runtime is not running, or does not provide the CRI yet, such as containerd with the
    # configuration of Docker's packages.
    return "cgroupfs"


def _check_oci_runtimes(options: dict[str, Any]) -> list[str]:
    """Check the binaries of the OCI runtimes of a spec; return warnings.

    :raises CruntimeError: if the binary of the default OCI runtime does not exist.
    """
    default = oci_runtimes.default(options)
    warnings = []
    for handler in oci_runtimes.named(options):
        if os.access(handler["path"], os.X_OK):
            continue
        problem = (
            f"OCI runtime {handler['name']}: {handler['path']} does not exist or is not executable"
        )
        if handler["name"] == default:
            other = "another oci_runtime" if options["oci_runtime"] else "gpus: none"
            raise CruntimeError(
                f"{problem}. Install it, or set {other}",
                reason="oci_runtime_not_found",
            )
        warnings.append(problem)
    return warnings


def _check_certificates(registries: list[dict[str, Any]]) -> None:
    if registries:
        from ansible_collections.cruntime.node.plugins.module_utils import certificates

        certificates.check(registries)


def describe_runtime(
    runtime: Runtime, version: str | None, driver: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    kubernetes = options.get("kubernetes_version")
    fields = runtime.kubelet_config(kubernetes, driver, cgroups.version())
    return {
        "runtime": runtime.name,
        "version": version,
        **runtime.cri_facts,
        "cgroup_driver": driver,
        "kubelet_options": runtime.kubelet_options(kubernetes),
        "kubelet_config": {**fields, **kubelet.find_fields(options)},
        "files": [],
        "rolled_back": False,
        "warnings": [],
    }


def _warn_of_options(
    runtime: Runtime, options: dict[str, Any], up: list[Step], backups: Mapping[str, str]
) -> list[str]:
    unused = runtime.unused_options(options)
    unmasked = [name for step in up if step.verb == "unmask" for name in step.units]
    return [
        *(f"The option {option} is ignored: {why}" for option, why in unused.items()),
        *(f"Unmasking {name}, which was masked, to enable {runtime.label}" for name in unmasked),
        *(
            f"{path} was not managed by this collection; the previous version was backed up to "
            f"{backup}"
            for path, backup in backups.items()
        ),
    ]


def describe_file(change: Change, backups: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {"path": change.target, "changed": change.changed}
    if change.changed:
        result["diff"] = change.diff
    if change.target in backups:
        result["backup"] = backups[change.target]
    return result


def add_restraint(result: dict[str, Any], restraint: Restraint) -> dict[str, Any]:
    """Add the running containers at risk, and the steps that wait because of them."""
    result["containers_at_risk"] = [each.result for each in restraint.at_risk]
    result["restart_pending"] = [dict(each._asdict()) for each in restraint.pending]
    result["warnings"] += restraint.warnings
    result["diff"] += restraint.diffs
    return result


def add_units(
    node: Node,
    result: dict[str, Any],
    before: dict[str, Unit],
    steps: list[Step],
    diffs: list[dict[str, Any]],
    *,
    predicted: bool = False,
) -> dict[str, Any]:
    """Add the changed units and the diff of a run.

    :param predicted: whether the steps were not taken.
    """
    reasons = {name: step.why for step in reversed(steps) for name in step.units}
    is_predicted = predicted or node.check_mode or not steps
    after = plan.predict(before, steps) if is_predicted else node.look()
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
