# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a runtime with its spec: what it would start with, and what its process uses.

This module is independent of the runtime.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.dropped import quote_path
from ansible_collections.cruntime.node.plugins.module_utils.effective import compare
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Start,
    find_flag_file,
    read_start,
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
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.state_cache import (
    identify,
    identify_binary,
)


class Overridden(NamedTuple):
    """A key of the configuration file that another file or a flag overrides.

    :param source: the file, with the flag; empty if it is not known.
    """

    difference: Difference
    source: str

    @property
    def text(self) -> str:
        path, current = self.difference.path, self.difference.current
        return f"{quote_path(path)} is {_show(path, current)}"

    @property
    def result(self) -> dict[str, Any]:
        """Return the key as the modules return it, with secrets redacted."""
        return {**show(self.difference), "file": self.source or None}


class Comparison(NamedTuple):
    """Result of the comparison of a runtime with its configuration file.

    :param label: the runtime.
    :param pending: keys whose filed values the process does not use yet.
    :param overridden: overridden keys that no option sets.
    :param other_drivers: warnings about OCI runtimes of other files.
    """

    label: str
    pending: tuple[Difference, ...] = ()
    overridden: tuple[Overridden, ...] = ()
    other_drivers: tuple[str, ...] = ()

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
            *self.other_drivers,
        ]


def compare_runtime(
    effective: Effective,
    runtime: Runtime,
    change: Change,
    unit: Unit,
    *,
    known: KnownFiles,
    asks: bool = True,
) -> Comparison:
    """Compare a runtime whose configuration file matches the spec.

    :param effective: effective configuration of the runtime.
    :param change: the configuration file.
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
        pending=tuple(compare.find_pending(desired, filed, running, effective.equivalences))
    )


def check_filed(
    effective: Effective, runtime: Runtime, change: Change, unit: Unit, path: str
) -> Comparison:
    """Check that no other file and no flag overrides a changed configuration file.

    :param path: the staged file.
    :raises CruntimeError: if a key that an option sets is overridden.
    """
    return _compare_filed(effective, runtime, change, unit, path)[2]


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
            raise CruntimeError(
                f"{runtime.label}: setting overridden: {Overridden(found, '').text}, but the spec "
                f"requires {_show(found.path, found.desired)}. Check for an override in "
                f"{runtime.overrides}",
                reason="setting_overridden",
                overridden=[Overridden(found, "").result],
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
    asked = [each for each in found if each.difference.path not in change.unasked]
    if asked:
        raise CruntimeError(
            "; ".join(_describe(asked, "the spec requires", "change the spec")),
            reason="setting_overridden",
            overridden=[each.result for each in asked],
        )
    others = effective.find_other_drivers(desired, filed, start)
    comparison = Comparison(runtime.label, overridden=tuple(found), other_drivers=tuple(others))
    return desired, filed, comparison


def _identify_files(effective: Effective, runtime: Runtime, unit: Unit) -> list[list[Any]]:
    """Return values that change if the result of C(_compare_filed) can change, empty if unknown."""
    binary = identify_binary(runtime.binary_path)
    paths = effective.list_read_files(read_start(unit))
    # A unit that must be reloaded is not what its files say.
    if not (binary and paths) or unit.reload_needed:
        return []
    paths += [unit.path, *unit.drop_ins, *unit.environment_files]
    return [binary, *map(identify, paths)]


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
    sources: dict[str, list[str]] = {}
    for each in overridden:
        desired = _show(each.difference.path, each.difference.desired)
        sources.setdefault(each.source, []).append(f"{each.text}, but {who} {desired}")
    return [
        f"{source or 'another file'}: setting overridden: {'; '.join(texts)}. Remove "
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
