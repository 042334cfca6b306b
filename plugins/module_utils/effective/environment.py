# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the environment of a service with the variables that files of the collection set.

The variables are compared with the files of the unit, because systemd reads changed unit files
before the next start, and with the environment of the process.
"""

from __future__ import annotations

import contextlib
import glob
import os
from typing import Callable, Dict, Iterable

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Source,
    Variable,
    find_flag_file,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import Difference
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import Path
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_user
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Start,
    Unit,
    join_lines,
    list_drop_ins,
    parse_settings,
)

#: Returns the text of a file, empty if it cannot be read.
ReadText = Callable[[str], str]


Variables = Dict[str, Variable]


def find_desired(changes: Iterable[Change], unit: Unit) -> dict[str, str]:
    """Return the variables that files of the collection set for a service."""
    files = _find_own_files(changes, unit)
    drop_ins = sorted(path for path in files if path.endswith(".conf"))
    variables = read_variables(drop_ins, lambda path: files.get(path, ""))
    return {name: each.value for name, each in variables.items() if each.value is not None}


def find_filed(changes: Iterable[Change], unit: Unit) -> Variables:
    """Return the variables with which a service would start after the changes of this run."""
    own = _find_own_files(changes, unit)
    drop_ins = {os.path.basename(path): path for path in list_drop_ins(unit)}
    drop_ins.update((os.path.basename(path), path) for path in own if path.endswith(".conf"))
    removed = {change.path for change in changes if change.after is None}
    paths = [path for _name, path in sorted(drop_ins.items()) if path not in removed]
    return read_variables([unit.path, *paths], lambda path: own.get(path) or _read_text(path))


def find_source(unit: Unit, name: str) -> Source:
    """Return the file that sets a variable of a service."""
    filed = find_filed([], unit)
    return filed[name].source if name in filed else Source("environment", unit.name, name)


def find_start_source(effective: Effective, path: Path, start: Start) -> Source:
    """Return the flag or the variable that sets a key, with its file; empty if none does.

    :param path: the normalized path of the key.
    :param start: how the service is started, or how its process was started.
    """
    flag = effective.find_flag(path, start.argv)
    if flag:
        return find_flag_file(start.unit, flag)
    variable = effective.find_variable(path, start.environment)
    return find_source(start.unit, variable) if variable else Source()


def find_overridden(desired: dict[str, str], filed: Variables) -> list[tuple[Difference, Source]]:
    """Return the variables that other files override, with these files."""
    absent = Variable(None, Source())
    return [
        (_differ(name, value, found.value), found.source)
        for name, value in desired.items()
        for found in [filed.get(name, absent)]
        if found.value != value
    ]


def find_pending(desired: dict[str, str], running: dict[str, str]) -> list[Difference]:
    """Return the variables that the process does not have yet.

    :param running: environment of the process, empty if it cannot be read.
    """
    return [
        _differ(name, value, running.get(name))
        for name, value in desired.items()
        if running and running.get(name) != value
    ]


def read_variables(paths: Iterable[str], read_text: ReadText) -> Variables:
    """Return the variables that the files of a unit set.

    :param paths: the unit file and its drop-ins, in systemd's order.
    """
    layers: dict[str, Variables] = {key: {} for key in _LAYERS}
    removed: Variables = {}
    for path in paths:
        for key, value in parse_settings(join_lines(read_text(path))):
            layer = layers.get(key)
            if layer is None:
                continue
            if value:
                layer.update(_LAYERS[key](value, path, read_text))
            else:
                # An empty value resets the setting.
                removed.update(dict.fromkeys(layer, Variable(None, Source("file", path))))
                layer.clear()
    merged = removed
    for layer in layers.values():
        merged.update(layer)
    return merged


def _read_words(value: str, path: str, read_text: ReadText) -> Variables:
    words = command_line.split_words(value.replace("%%", "%"))
    return {
        name: Variable(text, Source("environment", path, name))
        for name, equals, text in (word.partition("=") for word in words)
        if equals
    }


def _read_files(value: str, path: str, read_text: ReadText) -> Variables:
    pattern = value.lstrip("-")
    return {
        name: Variable(text, Source("environment", file, name))
        for file in sorted(glob.glob(pattern)) or [pattern]
        for name, text in command_line.parse_environment_file(read_text(file))
    }


def _read_names(value: str, path: str, read_text: ReadText) -> Variables:
    return dict.fromkeys(command_line.split_words(value), Variable(None, Source("file", path)))


# The settings of a unit with variables. A later one takes precedence.
_LAYERS: dict[str, Callable[[str, str, ReadText], Variables]] = {
    "Environment": _read_words,
    "EnvironmentFile": _read_files,
    "UnsetEnvironment": _read_names,
}


def _find_own_files(changes: Iterable[Change], unit: Unit) -> dict[str, str]:
    """Return the files of the collection for a unit, with their contents after this run."""
    directory = f"/etc/systemd/system/{unit.name}.d"
    return {
        change.path: change.after.decode()
        for change in changes
        if os.path.dirname(change.path) == directory and isinstance(change.after, bytes)
    }


def _read_text(path: str) -> str:
    with contextlib.suppress(OSError, CruntimeError):
        return read_regular(path).decode("utf-8", errors="replace")
    return ""


def _differ(name: str, desired: str | None, current: str | None) -> Difference:
    return Difference(("environment", name), redact_user(desired), redact_user(current))
