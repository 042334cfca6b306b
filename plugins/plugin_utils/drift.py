# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the diff of a run in check mode: which keys of which files are not as the spec says.

What can't be read as a file of its format is not shown, for nobody can say what it holds.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Iterator

import yaml

from ansible_collections.cruntime.node.plugins.module_utils.files import NOT_SHOWN
from ansible_collections.cruntime.node.plugins.module_utils.redaction import (
    HIDDEN,
    redact,
    redact_text,
)
from ansible_collections.cruntime.node.plugins.plugin_utils import formats
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import dotted

SAME_VALUES = "(the same values, written differently)"

_LINK = re.compile(r"link to .*\n")


def of_files(diffs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell what differs in each file of a diff.

    :param diffs: as cruntime_enable returns them.
    :return: dicts with file; key, dotted, None for the file as a whole; current and desired, None
        where there is no such key. A secret is not among the values.
    """
    return [
        {"file": diff["after_header"], **difference}
        for diff in diffs
        # The units are in a diff of their own.
        if diff["after_header"].startswith("/")
        for difference in _differences(diff["after_header"], diff["before"], diff["after"])
    ]


def _differences(path: str, before: str, after: str) -> Iterator[dict[str, Any]]:
    found, wanted = _leaves_of(path, before), _leaves_of(path, after)
    if found is None or wanted is None:
        yield {"key": None, "current": _as_a_whole(before), "desired": _as_a_whole(after)}
        return
    differing = [
        keys
        for keys in dict.fromkeys([*wanted, *found])
        # As text, for Python takes 1 and true for the same.
        if _text(found.get(keys)) != _text(wanted.get(keys))
    ]
    for keys in differing:
        yield {
            "key": redact_text(dotted(keys)),
            "current": redact(keys, found.get(keys)),
            "desired": redact(keys, wanted.get(keys)),
        }
    if not differing:
        yield {"key": None, "current": SAME_VALUES, "desired": None}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _as_a_whole(text: str) -> str | None:
    if not text:
        return None
    return text.rstrip("\n") if _LINK.fullmatch(text) else HIDDEN


def _leaves_of(path: str, text: str) -> dict[tuple[object, ...], Any] | None:
    """Read a file's values by their keys; None where it can't be read, or not by everyone."""
    parse = _PARSERS.get(os.path.splitext(path)[1])
    if parse is None or text == NOT_SHOWN:
        return None
    try:
        # By way of JSON, which has neither dates nor an infinity.
        plain = json.dumps(parse(text) if text else {}, default=str)
        data = json.loads(plain, parse_constant=str)
        return dict(_leaves(data, ())) if isinstance(data, dict) else None
    except Exception:  # whatever a parser may say of a file that anybody may have written
        return None


def _leaves(value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Walk a tree down to what is neither a table nor a list of tables."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    else:
        yield path, value


def _parse_flat_yaml(text: str) -> dict[str, Any]:
    """Read YAML without any depth, as crictl's is: an alias could make it endless."""
    data = yaml.safe_load(text) or {}
    if not isinstance(data, dict) or any(
        isinstance(value, (dict, list)) for value in data.values()
    ):
        raise ValueError("not flat")
    return data


_PARSERS = {
    ".conf": formats.TOML.prove,
    ".json": formats.JSON.prove,
    ".toml": formats.TOML.prove,
    ".yaml": _parse_flat_yaml,
}
