# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply a plan and verify the runtime, or roll back.

The new runtime is started and verified before the old one is stopped. Therefore a configuration
that does not work never leaves the node without a runtime.

Only runs that change the node import this module. Most runs change nothing, and every run
recompiles the modules that it imports.
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import Any, Iterable, Iterator, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import atomic, redaction, takeover
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.checks.catalog import checks_of
from ansible_collections.cruntime.node.plugins.module_utils.effective import comparison
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import Effective
from ansible_collections.cruntime.node.plugins.module_utils.effective.catalog import effective_of
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.inspection import find_main
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Plan, Step, plan_rollback
from ansible_collections.cruntime.node.plugins.module_utils.removal import Kept, remove_kept
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    primary_runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, read_start
from ansible_collections.cruntime.node.plugins.module_utils.swap import (
    Swap,
    clamp_future_mtimes,
    need_daemon_reload,
    staged,
)
from ansible_collections.cruntime.node.plugins.module_utils.takeover import Takeover
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until


class Validation(NamedTuple):
    """Result of the validation of files.

    :param comparison: what was found about a changed configuration file, None without one.
    """

    takeover: Takeover
    comparison: comparison.Comparison | None


class Applied(NamedTuple):
    """Result of the changes of a run.

    :param backups: by path, the backup of a foreign file.
    :param downtime: time in seconds for which no runtime responded, None if none was running.
    """

    backups: dict[str, str]
    downtime: float | None


def validate(
    node: Node, runtime: Runtime, plan: Plan, *, version: str, units: dict[str, Unit]
) -> Validation:
    """Validate the files of a runtime. Nothing is changed.

    :param version: version of the runtime.
    :param units: units before the run.
    :raises CruntimeError: if a check fails.
    """
    changed = plan.changed
    found, compared = takeover.NOTHING, None
    # A start also reads foreign files, which can be invalid. Before a start, validate all files.
    to_validate = plan.files if plan.up else changed
    checks = checks_of(node.runner, runtime)
    effective = effective_of(node.runner, runtime, version)
    if changed:
        checks.check_changes(changed, units)
    if to_validate:
        unsafe_writes = bool(node.module.params.get("unsafe_writes"))
        with staged(to_validate, node.module.tmpdir, unsafe_writes) as paths:
            checks.validate(paths, version, units)
            compared = _check_filed(effective, runtime, changed, units, paths)
            found = takeover.inspect(checks, changed, paths)
    return Validation(found, compared)


def enable(
    node: Node,
    runtime: Runtime,
    plan: Plan,
    *,
    version: str,
    units: dict[str, Unit],
    record: ManagedFiles,
    waits: bool = False,
    loaded: Sequence[Change] = (),
) -> Applied:
    """Apply the files of a runtime, start and verify it, and stop the others.

    :param version: version of the runtime.
    :param units: units before the run.
    :param waits: whether the process keeps running with its old files for now.
    :param loaded: changed files that the process need not read.
    :raises CruntimeError: if a step fails. C(rolled_back) in its facts has the result of the
        rollback.
    """
    changed, effective = plan.changed, effective_of(node.runner, runtime, version)
    swap = Swap(functools.partial(atomic.replace, node.module), record)
    were_running = [each.name for each in primary_runtimes(node.runtimes, units)]
    with _transaction(node, runtime, units, swap, plan.steps):
        backups = swap.apply(changed, runtime.name, runtime.socket_path)
        clamp_future_mtimes(plan.files)
        if need_daemon_reload(changed):
            node.services.daemon_reload()
        if loaded:
            swap.mark_loaded(loaded, max(units[name].pid for name in runtime.services))
        begun = time.monotonic()
        _run(node, units, plan.up)
        _wait(runtime, node.timeout)
        seconds = time.monotonic() - begun
        if not waits:
            _note_reloads(swap, units, plan.up, changed)
            _check_running(node, effective, runtime, plan.files)
        _run(node, units, plan.down)
        # Verify the runtime again: detect a dependency on a stopped unit now and not at the next
        # boot.
        _wait(runtime, node.timeout)
        if not waits:
            swap.finish(runtime.name, plan.files, runtime.socket_path)
    # Another runtime is stopped only after this one responds.
    is_down = were_running == [runtime.name] and _restarts(runtime, plan.up)
    downtime = round(seconds, 2) if is_down else 0.0
    return Applied(backups, downtime if were_running else None)


def restore(
    node: Node,
    runtime: Runtime,
    up: list[Step],
    down: list[Step],
    *,
    units: dict[str, Unit],
    record: ManagedFiles,
) -> None:
    """Start units of a runtime, verify it, and stop other units.

    :param units: units before the run.
    :raises CruntimeError: if C(enable) would raise it.
    """
    swap = Swap(functools.partial(atomic.replace, node.module), record)
    with _transaction(node, runtime, units, swap, [*up, *down]):
        _run(node, units, up)
        _wait(runtime, node.timeout)
        _run(node, units, down)
        _wait(runtime, node.timeout)


def disable(
    node: Node, runtime: Runtime, steps: list[Step], *, units: dict[str, Unit], record: ManagedFiles
) -> None:
    """Stop a runtime.

    :raises CruntimeError: if C(enable) would raise it.
    """
    swap = Swap(functools.partial(atomic.replace, node.module), record)
    with _transaction(node, runtime, units, swap, steps):
        _run(node, units, steps)


def remove(
    node: Node,
    runtime: Runtime,
    plan: Plan,
    kept: Kept,
    *,
    units: dict[str, Unit],
    record: ManagedFiles,
) -> None:
    """Stop a runtime, and remove its managed files and its data.

    :raises CruntimeError: if C(enable) would raise it, or if data could not be removed. Removed
        data is not restored.
    """
    swap = Swap(functools.partial(atomic.replace, node.module), record)
    with _transaction(node, runtime, units, swap, plan.steps):
        _run(node, units, plan.steps)
        swap.apply(plan.files, runtime.name)
        if need_daemon_reload(plan.changed):
            node.services.daemon_reload()
    try:
        remove_kept(node, kept, units)
    except CruntimeError as error:
        raise CruntimeError(
            f"{str(error).rstrip('.')}. {runtime.label} was stopped, and some of its data can have "
            "been removed",
            reason=error.reason,
            **{**error.facts, "rolled_back": False},
        ) from error
    swap.forget(runtime.name, keep_data=not kept.data)


@contextlib.contextmanager
def _transaction(
    node: Node, runtime: Runtime, before: dict[str, Unit], swap: Swap, steps: list[Step]
) -> Iterator[None]:
    begun = time.time()
    try:
        yield
    except Exception as error:
        journal: list[str] = []
        with contextlib.suppress(CommandError):
            secrets = _list_secrets(before[name] for name in runtime.wanted_units)
            journal = node.services.journal(runtime.wanted_units, begun, secrets)
        # If a start failed, the journal of the unit has the cause, not the output of the tool.
        checks = checks_of(node.runner, runtime)
        cause = _explain(checks, before, journal) if isinstance(error, CommandError) else ""
        try:
            _roll_back(node, before, swap, steps)
        except Exception as rollback_error:
            end = f"The rollback failed: {rollback_error}"
            raise _ended(error, f"{cause}. {end}", False, journal) from error
        raise _ended(error, f"{cause}. All changes were rolled back", True, journal) from error


def _restarts(runtime: Runtime, steps: list[Step]) -> bool:
    return any(
        step.verb == "restart" and not set(runtime.services).isdisjoint(step.units)
        for step in steps
    )


def _list_secrets(units: Iterable[Unit]) -> list[str]:
    """Return the secrets in the environments of units."""
    environments = [read_start(unit).environment for unit in units]
    return [secret for each in environments for secret in redaction.list_secrets((), each)]


def _ended(error: Exception, end: str, rolled_back: bool, journal: list[str]) -> Exception:
    """Return the error of a transaction that did not succeed."""
    if isinstance(error, CruntimeError):
        reason, facts = error.reason, error.facts
    elif isinstance(error, OSError):
        reason, facts = "system_error", {}
    else:
        # A bug. Ansible shows the traceback.
        return RuntimeError(f"{error}{end}")
    facts = {**facts, "rolled_back": rolled_back, "journal": journal}
    return CruntimeError(f"{error}{end}", reason=reason, **facts)


def _explain(checks: Checks[Any], units: dict[str, Unit], journal: list[str]) -> str:
    """Return the last journal line of a failed start, and the foreign drop-ins of the runtime."""
    paths = checks.find_drop_ins(units)
    parts = [
        *([f"last line of the journal: {journal[-1]}"] if journal else []),
        *([f"foreign drop-ins: {', '.join(paths)}"] if paths else []),
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _roll_back(node: Node, before: dict[str, Unit], swap: Swap, steps: list[Step]) -> None:
    if swap.restore():
        node.services.daemon_reload()
    _run(node, before, plan_rollback(before, node.look(), steps))
    for other in node.runtimes.values():
        if other.active(before):
            _wait(other, node.timeout)


def _run(node: Node, units: dict[str, Unit], steps: list[Step]) -> None:
    for step in steps:
        if step.verb in ("start", "restart"):
            if any(units[name].reload_needed for name in step.units):
                node.services.daemon_reload()
            node.services.reset_failed(step.units)
        begun = time.time()
        node.services.apply(step.verb, step.units)
        if step.verb == "reload":
            _wait_for_reload(node, step, begun)


def _wait_for_reload(node: Node, step: Step, begun: float) -> None:
    (runtime,) = (each for each in node.runtimes.values() if each.services == step.units)
    if not wait_until(lambda: runtime.reloaded(begun), node.timeout, interval=0.1):
        raise CruntimeError(
            f"{runtime.label} did not apply the new configuration after a reload within "
            f"{node.timeout} seconds. Set state: restarted to restart it instead",
            reason="no_response",
        )


def _note_reloads(
    swap: Swap, units: dict[str, Unit], up: list[Step], changed: list[Change]
) -> None:
    restarted = {name for step in up if step.verb == "restart" for name in step.units}
    for step in up:
        if step.verb == "reload" and restarted.isdisjoint(step.units):
            loaded = [
                change
                for change in changed
                if change.restart and change.after is not None and not change.unit
            ]
            swap.mark_loaded(loaded, max(units[name].pid for name in step.units))


def _check_filed(
    effective: Effective,
    runtime: Runtime,
    changed: list[Change],
    units: dict[str, Unit],
    staged_paths: dict[str, str],
) -> comparison.Comparison | None:
    """Check that no option is overridden if the configuration file of the runtime changes."""
    main = find_main(runtime, changed)
    if main is None:
        return None
    unit = units[runtime.services[0]]
    return comparison.check_filed(effective, runtime, main, unit, staged_paths[main.path])


def _check_running(
    node: Node, effective: Effective, runtime: Runtime, changes: list[Change]
) -> None:
    main = find_main(runtime, changes)
    unit = node.look()[runtime.services[0]]
    if main is not None:
        comparison.check_running(effective, runtime, main, unit)
    comparison.check_environment(runtime, changes, unit)


def _wait(runtime: Runtime, timeout: int) -> None:
    """Wait until a runtime responds.

    :raises CommandError: if it does not respond in time.
    """
    errors: list[CruntimeError] = []

    def is_responding() -> bool:
        try:
            runtime.check_responding()
        except CruntimeError as error:
            errors.append(error)
            return False
        return True

    if not wait_until(is_responding, timeout):
        raise CommandError(
            f"{runtime.label} did not respond within {timeout} seconds: {errors[-1]}",
            reason="no_response",
            **errors[-1].facts,
        ) from errors[-1]
