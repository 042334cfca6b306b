# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges extra_config into what was rendered; what an option decides can't be set again."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

#: In a path of managed keys: whatever key stands there.
ANY = object()


def merged(config: Config, text: str, extra: dict[str, Any]) -> str:
    """Merge extra_config into the text of a configuration file.

    :raises SpecError: it fights what another option decides.
    """
    data = config.format.parse(text)
    for path, value in leaves(extra):
        option = _decided_by(config.managed, data, path)
        if option and not _keeps(config, path, look_up(data, path), value):
            raise SpecError(
                f"extra_config sets {dotted(path)} to something else than {option}, "
                "which decides it: set one of the two"
            )
    _merge(config, data, extra, path=())
    return config.format.dump(data)


def leaves(
    tree: dict[str, Any], path: tuple[object, ...] = ()
) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Walk a tree of dicts: every path to a value that is no dict, with that value."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def look_up(data: Any, path: tuple[object, ...]) -> Any:
    """Return the value at a path of keys, None if the path does not exist."""
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return None
        data = data[key]
    return data


def dotted(path: tuple[object, ...]) -> str:
    """Write a path of keys as one would in TOML."""
    return ".".join(f"'{key}'" if "." in str(key) else str(key) for key in path)


def _decided_by(
    managed: dict[tuple[object, ...], str], data: Any, path: tuple[object, ...]
) -> str | None:
    """Name the option that has set this path, something above it or something below it."""
    for keys, option in managed.items():
        matches = all(key in (ANY, here) for key, here in zip(keys, path))
        if matches and look_up(data, path[: len(keys)]) is not None:
            return option
    return None


def _keeps(config: Config, path: tuple[object, ...], decided: Any, value: Any) -> bool:
    """Return whether the value of an option still holds when extra_config is merged into it."""
    joined = config.merge_lists(path, decided, value)
    if joined is None:
        return bool(decided == value)
    return all(entry in joined for entry in decided)


def _merge(
    config: Config, data: dict[str, Any], extra: dict[str, Any], path: tuple[object, ...]
) -> None:
    for key, value in extra.items():
        here = (*path, key)
        if isinstance(value, dict) != isinstance(data.get(key, value), dict):
            raise SpecError(f"extra_config: {dotted(here)} is a table on one side only")
        if isinstance(value, dict) and key in data:
            _merge(config, data[key], value, here)
        else:
            joined = config.merge_lists(here, data.get(key), value)
            data[key] = value if joined is None else joined
