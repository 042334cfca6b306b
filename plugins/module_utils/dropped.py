# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the settings of a configuration file that are lost when it is replaced. Pure functions."""

from __future__ import annotations

import re
from typing import Any, Collection, Iterator, Mapping, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact, redact_text

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_CRICTL_LINE = re.compile(r"([\w-]+)[ \t]*:[ \t]+(.+)")


class Dropped(NamedTuple):
    """A setting that is lost.

    :param key: path of the key, as its file format writes it.
    :param value: the lost value, with secrets redacted.
    :param file: the file that had set the key.
    :param remedy: instruction to keep the setting.
    """

    key: str
    value: Any
    file: str
    remedy: str

    @property
    def result(self) -> dict[str, Any]:
        """Return the setting as the module returns it."""
        return {"key": self.key, "value": self.value, "file": self.file}


def find_dropped(
    old: dict[str, Any], new: dict[str, Any], default: dict[str, Any], decided: dict[str, Any]
) -> dict[tuple[str, ...], Any]:
    """Return the settings, by path, that a replaced file had set and the node no longer has.

    :param old: effective configuration with the old file, defaults and drop-ins included.
    :param new: effective configuration with the new file.
    :param default: effective configuration without any file.
    :param decided: settings of the new file that follow from the spec.
    """
    return dict(_find(old, new, default, decided, ()))


def without(tree: dict[str, Any], paths: Collection[tuple[str, ...]]) -> dict[str, Any]:
    """Return a copy of a tree without these paths."""
    inner = {key: [path[1:] for path in paths if path[0] == key] for key in tree}
    return {
        key: without(value, inner[key]) if isinstance(value, dict) and inner[key] else value
        for key, value in tree.items()
        if () not in inner[key]
    }


def describe(settings: Mapping[tuple[str, ...], Any], file: str, remedy: str) -> list[Dropped]:
    """Return settings as the module reports them: secrets redacted, keys in TOML syntax."""
    return [
        Dropped(redact_text(quote_path(path)), redact(path, value), file, remedy)
        for path, value in settings.items()
    ]


def warn(dropped: list[Dropped]) -> list[str]:
    """Return one warning for each file."""
    files: dict[tuple[str, str], list[str]] = {}
    for setting in dropped:
        files.setdefault((setting.file, setting.remedy), []).append(setting.key)
    return [
        f"{file}: Settings of this file are lost when it is replaced: {', '.join(keys)}. {remedy}"
        for (file, remedy), keys in files.items()
    ]


def quote_path(path: tuple[str, ...]) -> str:
    """Return a path of keys in TOML syntax."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else f'"{key}"' for key in path)


def parse_crictl(text: str) -> dict[str, str]:
    """Parse crictl.yaml, which has one setting per line. Zero values are not settings."""
    matches = filter(None, map(_CRICTL_LINE.fullmatch, text.splitlines()))
    settings = {match.group(1): match.group(2).strip("\"' ") for match in matches}
    return {key: value for key, value in settings.items() if value not in ("", "0", "false")}


def _find(
    old: dict[str, Any], new: Any, default: Any, decided: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in old.items():
        inner_new, inner_default, inner_decided = (
            table.get(key) if isinstance(table, dict) else None for table in (new, default, decided)
        )
        here = (*path, key)
        if isinstance(value, dict) and any(
            isinstance(table, dict) for table in (inner_new, inner_default)
        ):
            yield from _find(value, inner_new, inner_default, inner_decided, here)
        elif inner_decided is None and _without_zeros(value) != _without_zeros(inner_default):
            if isinstance(value, list) and isinstance(inner_new, list):
                lost: Any = [item for item in value if item not in inner_new]
                if lost:
                    yield here, lost
            elif _without_zeros(value) != _without_zeros(inner_new):
                yield here, _without_zeros(value) or value


def _without_zeros(value: Any) -> Any:
    """Return a value without zero values, which mean unset keys; None if no value remains."""
    if isinstance(value, dict):
        inner = {key: _without_zeros(item) for key, item in value.items()}
        value = {key: item for key, item in inner.items() if item is not None}
    return value or None
