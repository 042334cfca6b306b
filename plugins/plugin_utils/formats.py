# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File formats of the rendered files, and the templates that render them."""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from typing import Any, Callable, NamedTuple

import jinja2
import tomllib

from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

TEMPLATES = os.path.join(os.path.dirname(__file__), "..", "..", "templates")


class Format(NamedTuple):
    """File format.

    :param validate: parses a text, and fails if the text is not in this format.
    :param parse: parses a text for a merge.
    :param dump: writes the merged data.
    """

    validate: Callable[[str], Any]
    parse: Callable[[str], Any]
    dump: Callable[[Any], str]


def import_library(name: str) -> Any:
    """Import a library of the controller at its first use, because the import takes time.

    :raises SpecError: if the library is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SpecError(
            f"{name}: Python library not found on the controller: {sys.executable} cannot import "
            f"it. Install it with {sys.executable} -m pip install {name}",
            reason="library_not_found",
        ) from error


def _parse_toml(text: str) -> Any:
    return import_library("tomlkit").parse(text)


def _dump_toml(data: Any) -> str:
    text: str = import_library("tomlkit").dumps(data)
    return text


def _dump_json(data: Any) -> str:
    return json.dumps(data, indent=2) + "\n"


JSON = Format(json.loads, json.loads, _dump_json)
# tomlkit keeps comments in a merge, but it is ten times slower than tomllib.
TOML = Format(tomllib.loads, _parse_toml, _dump_toml)
#: Text without a structure that could be validated.
TEXT = Format(str, str, str)


def render(template: str, variables: dict[str, Any]) -> str:
    """Render a template."""
    return _environment().get_template(template).render(variables)


@functools.lru_cache(maxsize=None)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Configuration files are not HTML. Templates quote each value with a filter of its format.
        autoescape=False,
        # Each host has a separate process, which would otherwise compile the templates again.
        bytecode_cache=_bytecode_cache(),
    )
    environment.filters["toml"] = _toml
    environment.filters["json"] = json.dumps
    environment.filters["systemd_argument"] = _quote_argument
    environment.filters["systemd_environment"] = _quote_environment
    return environment


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    """Return the user's cache of compiled templates, None if there is no safe directory."""
    try:
        return jinja2.FileSystemBytecodeCache()
    except (OSError, RuntimeError):
        return None


def _toml(value: str | bool | list[Any]) -> str:
    """Return a value as TOML, except tables. TOML supports JSON escapes, and also escapes DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def _quote_argument(value: str) -> str:
    """Quote an argument of a command in a unit file, including % and $."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        value = value.replace(special, escaped)
    return f'"{value}"'


def _quote_environment(value: str) -> str:
    """Quote a value of an EnvironmentFile of systemd, in which % is not special."""
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'
