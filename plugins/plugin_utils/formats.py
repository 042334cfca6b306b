# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File formats: how each is read and written, and how a template quotes a value in it."""

from __future__ import annotations

import functools
import importlib
import json
import os
from typing import Any, Callable, NamedTuple

import jinja2

from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

try:
    import tomllib
except ImportError:  # Python 3.10
    _TOML_LOADS: Callable[[str], Any] | None = None
else:
    _TOML_LOADS = tomllib.loads

TEMPLATES = os.path.join(os.path.dirname(__file__), "..", "..", "templates")


class Format(NamedTuple):
    """A file format: how it is proved well-formed, read for a merge, and written after it."""

    prove: Callable[[str], Any]
    parse: Callable[[str], Any]
    dump: Callable[[Any], str]


def _tomlkit() -> Any:
    """Import tomlkit where a file is merged; elsewhere it would only take every run's time."""
    try:
        return importlib.import_module("tomlkit")
    except ImportError as error:
        raise SpecError(
            "cruntime_enable needs the Python library tomlkit on the controller: "
            "pip install tomlkit",
            reason="library_not_found",
        ) from error


def _prove_toml(text: str) -> Any:
    # tomlkit takes ten times as long, for each host of a fleet.
    return _TOML_LOADS(text) if _TOML_LOADS else _tomlkit().parse(text).unwrap()


def _parse_toml(text: str) -> Any:
    return _tomlkit().parse(text)


def _dump_toml(data: Any) -> str:
    text: str = _tomlkit().dumps(data)
    return text


def _dump_json(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


JSON = Format(json.loads, json.loads, _dump_json)
TOML = Format(_prove_toml, _parse_toml, _dump_toml)


def text(source: str, variables: dict[str, Any]) -> str:
    """Render a template."""
    return _environment().get_template(source).render(variables)


@functools.lru_cache(maxsize=None)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Configuration files are no HTML; every value goes through a filter of its format.
        autoescape=False,
        # Each host has a process of its own, which would compile them anew.
        bytecode_cache=_bytecode_cache(),
    )
    environment.filters["toml"] = _toml
    environment.filters["json"] = json.dumps
    environment.filters["systemd_argument"] = _quote_argument
    environment.filters["systemd_environment"] = _quote_environment
    return environment


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    """Return the user's own cache of compiled templates, None where there is no safe place."""
    try:
        return jinja2.FileSystemBytecodeCache()
    except (OSError, RuntimeError):
        return None


def _toml(value: str | bool | list[Any]) -> str:
    """Write a value that is no table: TOML reads what JSON escapes, and wants DEL escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def _quote_argument(value: str) -> str:
    """Quote an argument of a command in a unit file: escapes, then % and $ are read in it."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        value = value.replace(special, escaped)
    return f'"{value}"'


def _quote_environment(value: str) -> str:
    """Quote a value of an EnvironmentFile of systemd, where % means nothing."""
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'
