# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the command lines of units and processes."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from typing import Iterable, Iterator, Mapping

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# Syntax of an EnvironmentFile, see parse_env_file_internal() in src/basic/env-file.c of systemd.
_COMMENT = re.compile(r"\s*[#;][^\n]*")
_NAME = re.compile(r"\s*([^=\n]*?)[ \t]*(=|\n|\Z)")
_QUOTED = re.compile(r"""[ \t]*(?:'([^']*)(?:'|\Z)|"((?:\\.|[^"\\])*)(?:"|\Z))""", re.DOTALL)
_PLAIN = re.compile(r"[ \t]*((?:\\(?:.|\Z)|[^\\\n])*?)[ \t\r]*(?=\n|\Z)", re.DOTALL)


def read_argv(pid: int) -> list[str]:
    """Return the command line of a process, empty if it does not exist.

    :param pid: PID of the process, 0 for no process.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as handle:
        text = handle.read().decode("utf-8", errors="replace")
        return text.split("\0")[:-1]
    return []


def read_environ(pid: int) -> dict[str, str]:
    """Return the environment with which a process was started, empty if it cannot be read.

    :param pid: PID of the process, 0 for no process.
    """
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as handle:
        text = handle.read().decode("utf-8", errors="replace")
        return dict(word.partition("=")[::2] for word in text.split("\0")[:-1])
    return {}


def list_processes() -> Iterator[tuple[int, list[str]]]:
    """Yield the PID and the command line of each process of this node, except kernel threads."""
    for name in os.listdir("/proc"):
        # The process can have ended since it was listed.
        argv = read_argv(int(name)) if name.isdigit() else []
        if argv:
            yield int(name), argv


def read_environment(settings: Iterable[str], paths: Iterable[str]) -> dict[str, str]:
    """Return the environment with which systemd would start a unit.

    :param settings: words of Environment, each NAME=VALUE.
    :param paths: EnvironmentFile. systemd reads them later, so their values take precedence.
    """
    variables = dict(line.partition("=")[::2] for line in settings if "=" in line)
    for path in paths:
        # If a file is missing, systemd ignores it or does not start the unit.
        with contextlib.suppress(OSError, CruntimeError):
            text = read_regular(path).decode("utf-8", errors="replace")
            variables.update(parse_environment_file(text))
    return variables


def expand(command: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Expand the variables of ExecStart, as systemd does.

    :param command: words of ExecStart. A word that is only C($NAME) becomes any number of words.
    """
    words: list[str] = []
    for word in command:
        alone = re.fullmatch(r"\$(\w+)", word)
        if alone:
            words += split_words(environment.get(alone[1], ""))
        else:
            words.append(
                _VARIABLE.sub(lambda match: environment.get(match[1] or match[2], ""), word)
            )
    return words


def list_variables(word: str) -> list[str]:
    """Return the names of the variables in a word of ExecStart."""
    return [match[1] or match[2] for match in _VARIABLE.finditer(word)]


def find_flag(argv: Iterable[str], *names: str) -> str | None:
    """Return the value of a flag, None if it is not set. The last one takes precedence."""
    values = find_flags(argv, *names)
    return values[-1] if values else None


def find_flags(argv: Iterable[str], *names: str, takes_value: bool = True) -> list[str]:
    """Return the values of a flag that can be repeated.

    :param argv: command line, in which a flag is C(--name value), C(--name=value) or C(-n value).
    :param names: names of the flag without dashes.
    :param takes_value: whether the next word can be the value. If not, the value is C(true).
    """
    return _split_off(argv, names, takes_value)[0]


def remove_flags(argv: Iterable[str], *names: str, takes_value: bool = True) -> list[str]:
    """Return a command line without a flag, see C(find_flags)."""
    return _split_off(argv, names, takes_value)[1]


def _split_off(
    argv: Iterable[str], names: tuple[str, ...], takes_value: bool
) -> tuple[list[str], list[str]]:
    """Return the values of a flag, and the other words."""
    values: list[str] = []
    others: list[str] = []
    is_value = False
    for word in argv:
        name, equals, value = word.partition("=")
        if is_value:
            values.append(word)
            is_value = False
        elif name.startswith("-") and name.lstrip("-") in names:
            is_value = takes_value and not equals
            if not is_value:
                values.append(value if equals else "true")
        else:
            others.append(word)
    return values, others


def parse_environment_file(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and the values of an EnvironmentFile, as systemd reads them."""
    for name, value, _start, _end in locate_assignments(text):
        yield name, value


def locate_assignments(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield the names and values of an EnvironmentFile, with the positions of each value's text."""
    position = 0
    while position < len(text):
        found = _COMMENT.match(text, position) or _NAME.match(text, position)
        if not found:
            return
        position = found.end()
        if found.lastindex and found[2] == "=":
            start = position
            value, position = _read_value(text, position)
            if re.fullmatch(r"[A-Za-z_]\w*", found[1], re.ASCII):
                yield found[1], value, start, position


def _read_value(text: str, position: int) -> tuple[str, int]:
    """Return the value at a position of an EnvironmentFile, and the position of its end."""
    value = ""
    quoted = _QUOTED.match(text, position)
    while quoted:
        value += quoted[1] or re.sub(r'\\(["\\`$\n])', _unescape, quoted[2] or "")
        position = quoted.end()
        quoted = _QUOTED.match(text, position)
    plain = _PLAIN.match(text, position)
    if plain:
        value += re.sub(r"\\(.|\n|\Z)", _unescape, plain[1])
        position = plain.end()
    return value, position


def _unescape(match: re.Match[str]) -> str:
    """Return an escaped character. An escaped end of the line is removed."""
    return match[1].strip("\n")


def split_words(text: str) -> list[str]:
    """Split text into words at white space. Quotation marks join words."""
    try:
        return shlex.split(text)
    except ValueError:
        # A quotation mark that is not closed.
        return text.split()
