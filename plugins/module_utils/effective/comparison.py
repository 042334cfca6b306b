# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a runtime with its spec: what it would start with, and what its process uses.

This module is independent of the runtime.
"""

from __future__ import annotations

import os
from typing import Any, Iterable, Iterator, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.dropped import quote_path
from ansible_collections.cruntime.node.plugins.module_utils.effective import compare, unreported
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Source,
    find_flag_file,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import (
    Difference,
    Leaves,
    Tree,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.known_files import KnownFiles
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Start,
    Unit,
    read_start,
)
from ansible_collections.cruntime.node.plugins.module_utils.state_cache import (
    identify,
    identify_binary,
)


class Overridden(NamedTuple):
    """A key of the configuration file that another file or a flag overrides.

    :param source: what decides the value.
    """

    difference: Difference
    source: Source = Source()

    @property
    def text(self) -> str:
        path, current = self.difference.path, self.difference.current
        return f"{quote_path(path)} is {_show(path, current)}"

    @property
    def result(self) -> dict[str, Any]:
        """Return the key as the modules return it, with secrets redacted."""
        kind, file = self.source.kind or None, str(self.source) or None
        return {**show(self.difference), "source": kind, "file": file}


class Unknown(NamedTuple):
    """A key that the process of a runtime does not report, and whose value can have changed.

    :param value: the value with which the runtime would start.
    :param file: a file or a directory that is newer than the process.
    """

    path: tuple[str, ...]
    value: Any
    file: str

    @property
    def result(self) -> dict[str, Any]:
        """Return the key as the modules return it, with secrets redacted."""
        found = show(Difference(self.path, self.value, None))
        return {**found, "source": "file", "file": self.file}


class Comparison(NamedTuple):
    """Result of the comparison of a runtime with its configuration file.

    :param label: the runtime.
    :param pending: keys whose filed values the process does not use yet.
    :param overridden: overridden keys that no option sets.
    :param conflicts: warnings about settings that take the effect from others.
    :param unknown: keys that the process does not report.
    """

    label: str
    pending: tuple[Difference, ...] = ()
    overridden: tuple[Overridden, ...] = ()
    conflicts: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = ()

    @property
    def cause(self) -> str:
        """Cause of a pending restart, empty if there is none."""
        for path, _desired, current in self.pending[:1]:
            return f"{self.label} still uses {quote_path(path)}={_show(path, current)}"
        return ""

    @property
    def warnings(self) -> list[str]:
        return [
            *_describe(
                list(self.overridden), "the collection would set", "set them in extra_config"
            ),
            *self.conflicts,
        ]

    @property
    def doubts(self) -> list[str]:
        """Warnings about unknown keys, if the runtime is not restarted."""
        files: dict[str, list[str]] = {}
        for each in self.unknown:
            files.setdefault(each.file, []).append(quote_path(each.path))
        return [
            f"{file} is newer than the process of {self.label}, which does not report its values "
            f"of {', '.join(paths)}. Continuing without a restart. To make sure that {self.label} "
            "uses its files, set state: restarted"
            for file, paths in files.items()
        ]


def compare_runtime(
    effective: Effective,
    runtime: Runtime,
    change: Change,
    unit: Unit,
    *,
    changes: list[Change],
    known: KnownFiles,
    asks: bool = True,
) -> Comparison:
    """Compare a runtime whose configuration file matches the spec.

    :param effective: effective configuration of the runtime.
    :param change: the configuration file.
    :param changes: all files of the runtime.
    :param unit: service of the runtime.
    :param known: files that are not compared again.
    :param asks: whether the process is asked for its values. It need not respond before a restart.
    :raises CruntimeError: if another file or a flag overrides a key that an option sets, or if the
        runtime does not respond.
    """
    files = _identify_files(effective, runtime, unit)
    if known.contain(runtime.name, files):
        desired = effective.parse_desired(_content(change), {})
        filed = compare.flatten(desired, effective.equivalences)
        comparison = Comparison(runtime.label)
    else:
        desired, filed, comparison = _compare_filed(effective, runtime, change, unit, change.path)
        if not comparison.warnings:
            known.note(runtime.name, files)
    if not (asks and unit.active and unit.pid):
        return comparison
    running = effective.read_running(command_line.read_argv(unit.pid))
    return comparison._replace(
        pending=tuple(compare.find_pending(desired, filed, running, effective.equivalences)),
        unknown=tuple(
            _find_unknown(effective, desired, running, main=change, changes=changes, unit=unit)
        ),
    )


def _find_unknown(
    effective: Effective,
    desired: Tree,
    running: Leaves,
    *,
    main: Change,
    changes: Iterable[Change],
    unit: Unit,
) -> Iterator[Unknown]:
    """Yield the keys of the configuration file whose values in the process are unknown."""
    equivalences = effective.equivalences
    leaves = [(path, equivalences.locate(path), v) for path, v in compare.find_leaves(desired)]
    paths = {change.path for change in changes if change.after is not None}
    for entry in unreported.list_entries(equivalences.runtime, equivalences.version):
        found = [
            (path, value)
            for path, normal, value in leaves
            if entry.scope.matches(normal) and not equivalences.complete(normal, running)
        ]
        if entry.own_file in paths:
            found.append((entry.scope.path, None))
        newer = unreported.find_newer(entry, main.path, changes, unit) if found else ""
        if newer:
            yield from (Unknown(path, value, newer) for path, value in found)


def check_filed(
    effective: Effective, runtime: Runtime, change: Change, unit: Unit, path: str
) -> Comparison:
    """Check that no other file and no flag overrides a changed configuration file.

    :param path: the staged file.
    :raises CruntimeError: if a key that an option sets is overridden.
    """
    return _compare_filed(effective, runtime, change, unit, path)[2]


def compare_change(
    effective: Effective, runtime: Runtime, change: Change, unit: Unit, path: str
) -> Comparison | None:
    """Compare a running runtime whose configuration file would change only in its text.

    :param path: the staged file.
    :return: None if the process must read the file, because a value changes.
    :raises CruntimeError: if the runtime would not start with one of the files, or if it does not
        respond.
    """
    start = read_start(unit)
    before, after = (effective.read_filed(start, each) for each in (change.path, path))
    running = effective.read_running(command_line.read_argv(unit.pid))
    equivalences = effective.equivalences
    changed = compare.find_changed(before, after, running, equivalences)
    if changed.difference(effective.file_keys):
        return None
    desired = effective.parse_desired(_content(change), after)
    pending = compare.find_pending(desired, after, running, equivalences)
    return Comparison(runtime.label, pending=tuple(pending))


def check_running(effective: Effective, runtime: Runtime, change: Change, unit: Unit) -> None:
    """Check that the process uses every value of the configuration file that it reports.

    :param unit: service of the runtime, after the start of the process.
    :raises CruntimeError: if it uses another value for a key that an option sets.
    """
    desired = effective.parse_desired(_content(change), {})
    running = effective.read_running(command_line.read_argv(unit.pid))
    equivalences = effective.equivalences
    filed = compare.flatten(desired, equivalences)
    for found in compare.find_pending(desired, filed, running, equivalences):
        if found.path not in change.unasked:
            raise _describe_unused(runtime, found)


def compare_environment(
    effective: Effective, main: Change | None, changes: list[Change], unit: Unit
) -> tuple[Difference, ...]:
    """Return the variables of the collection that the process of a runtime does not have yet.

    :param main: the configuration file of the runtime.
    :param changes: all files of the runtime.
    :param unit: service of the runtime.
    :raises CruntimeError: if another file overrides a variable.
    """
    own = _find_unit_files(changes, unit)
    if not own:
        return ()
    # Import it only for a spec with variables, which most runs do not have.
    from ansible_collections.cruntime.node.plugins.module_utils.effective import environment

    desired = environment.find_desired(changes, unit)
    content = _content(main) if main else b""
    filed = {
        **environment.find_filed(changes, unit),
        **effective.find_variables(content, read_start(unit)),
    }
    _refuse([Overridden(*each) for each in environment.find_overridden(desired, filed)])
    if any(change.changed for change in own):
        return ()
    return tuple(environment.find_pending(desired, command_line.read_environ(unit.pid)))


def check_environment(runtime: Runtime, changes: list[Change], unit: Unit) -> None:
    """Check that the process of a runtime has the variables of the collection.

    :param unit: service of the runtime, after the start of the process.
    :raises CruntimeError: if it does not have them.
    """
    if not _find_unit_files(changes, unit):
        return
    from ansible_collections.cruntime.node.plugins.module_utils.effective import environment

    desired = environment.find_desired(changes, unit)
    for found in environment.find_pending(desired, command_line.read_environ(unit.pid)):
        raise _describe_unused(runtime, found)


def _find_unit_files(changes: list[Change], unit: Unit) -> list[Change]:
    """Return the files of the collection that can set variables of a service."""
    directory = f"/etc/systemd/system/{unit.name}.d"
    return [each for each in changes if each.after and os.path.dirname(each.path) == directory]


def _describe_unused(runtime: Runtime, found: Difference) -> CruntimeError:
    overridden = Overridden(found)
    return CruntimeError(
        f"{runtime.label}: setting overridden: {overridden.text}, but the spec requires "
        f"{_show(found.path, found.desired)}. Check for an override in {runtime.overrides}",
        reason="setting_overridden",
        overridden=[overridden.result],
    )


def _compare_filed(
    effective: Effective, runtime: Runtime, change: Change, unit: Unit, path: str
) -> tuple[Tree, Leaves, Comparison]:
    start = read_start(unit)
    _check_config_path(effective, runtime, start, change.path)
    filed = effective.read_filed(start, path)
    desired = effective.parse_desired(_content(change), filed)
    found = [
        Overridden(each, effective.find_source(each, start))
        for each in compare.find_overridden(desired, filed, effective.equivalences)
    ]
    _refuse([each for each in found if each.difference.path not in change.unasked])
    conflicts = effective.find_conflicts(desired, filed, start)
    comparison = Comparison(runtime.label, overridden=tuple(found), conflicts=tuple(conflicts))
    return desired, filed, comparison


def _identify_files(effective: Effective, runtime: Runtime, unit: Unit) -> list[list[Any]]:
    """Return values that change if the result of C(_compare_filed) can change, empty if unknown."""
    paths = effective.list_read_files(read_start(unit))
    # A unit that must be reloaded is not what its files say.
    binary = identify_binary(runtime.binary_path) if paths and not unit.reload_needed else []
    if not binary:
        return []
    paths += [unit.path, *unit.drop_ins, *unit.environment_files]
    return [binary, *map(identify, paths)]


def _refuse(overridden: list[Overridden]) -> None:
    """Raise an error for overridden keys that options set."""
    if overridden:
        raise CruntimeError(
            "; ".join(_describe(overridden, "the spec requires", "change the spec")),
            reason="setting_overridden",
            overridden=[each.result for each in overridden],
        )


def _check_config_path(effective: Effective, runtime: Runtime, start: Start, path: str) -> None:
    """Check that the unit of the runtime reads the configuration file of the collection."""
    other = command_line.find_flag(start.argv, *runtime.config_flag)
    place = effective.find_config_place()
    if other is None or os.path.realpath(other) == os.path.realpath(place):
        return
    kept = " ".join(command_line.remove_flags(start.argv, *runtime.config_flag))
    source = find_flag_file(start.unit, runtime.config_flag)
    raise CruntimeError(
        f"{source}: another configuration file: {start.unit.name} starts {runtime.label} with "
        f"{other}, so {path} would have no effect. Remove the flag, for example with a drop-in in "
        f"/etc/systemd/system/{start.unit.name}.d that has the lines [Service], ExecStart= and "
        f"ExecStart={kept}",
        reason="setting_overridden",
    )


def _content(change: Change) -> bytes:
    return change.after if isinstance(change.after, bytes) else b""


def _describe(overridden: list[Overridden], who: str, other_fix: str) -> list[str]:
    """Return one sentence for each file."""
    sources: dict[Source, list[str]] = {}
    for each in overridden:
        desired = _show(each.difference.path, each.difference.desired)
        sources.setdefault(each.source, []).append(f"{each.text}, but {who} {desired}")
    return [
        f"{str(source) or 'another file'}: setting overridden: {'; '.join(texts)}. Remove "
        f"{'this key' if len(texts) == 1 else 'these keys'} from the file, or {other_fix}"
        for source, texts in sources.items()
    ]


def show(difference: Difference) -> dict[str, Any]:
    """Return a difference as the modules return it, with secrets redacted."""
    path, desired, current = difference
    return {
        "key": quote_path(path),
        "current": redact(path, current),
        "desired": redact(path, desired),
    }


def _show(path: tuple[str, ...], value: Any) -> str:
    return "(not set)" if value is None else repr(redact(path, value))
