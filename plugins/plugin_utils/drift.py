# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extract the drifted keys from the diff of a run in check mode.

The content of a file that cannot be parsed is not shown, because it can contain secrets.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Iterator

import yaml

from ansible_collections.cruntime.node.plugins.module_utils.redaction import (
    HIDDEN,
    NOT_SHOWN,
    redact,
    redact_text,
)
from ansible_collections.cruntime.node.plugins.plugin_utils import formats
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import dotted

SAME_VALUES = "(the same values, written differently)"

_LINK = re.compile(r"link to .*\n")


def of_files(diffs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the drifted keys of each file in a diff.

    :param diffs: diffs that cruntime_enable returned.
    :return: dicts with C(kind), which is C(differs); C(source), which is C(file); C(file); C(key),
        dotted, None for the whole file; C(current) and C(desired), None if the key does not exist.
        The values contain no secrets.
    """
    return [
        {"kind": "differs", "source": "file", "file": diff["after_header"], **difference}
        for diff in diffs
        # The diff of the units has no path.
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
        # Compare JSON text, because 1 equals true in Python.
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
    """Return the values of a file by key; None if it is secret or cannot be parsed."""
    parse = _PARSERS.get(os.path.splitext(path)[1])
    if parse is None or text == NOT_SHOWN:
        return None
    try:
        # Convert through JSON, which has neither dates nor infinite numbers.
        plain = json.dumps(parse(text) if text else {}, default=str)
        data = json.loads(plain, parse_constant=str)
        return dict(_leaves(data, ())) if isinstance(data, dict) else None
    except Exception:  # Parsers raise various errors for files with arbitrary content.
        return None


def _leaves(value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Yield the path of each value that is neither a table nor a list of tables, with the value."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    else:
        yield path, value


def _parse_flat_yaml(text: str) -> dict[str, Any]:
    """Parse YAML without nesting, such as crictl.yaml: nested aliases could expand endlessly."""
    data = yaml.safe_load(text) or {}
    if not isinstance(data, dict) or any(
        isinstance(value, (dict, list)) for value in data.values()
    ):
        raise ValueError("not flat")
    return data


_PARSERS = {
    ".conf": formats.TOML.validate,
    ".json": formats.JSON.validate,
    ".toml": formats.TOML.validate,
    ".yaml": _parse_flat_yaml,
}
