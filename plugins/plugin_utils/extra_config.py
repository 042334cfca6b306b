# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge extra_config into a rendered configuration file."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import Path, Rendering, Spec


def merge(
    rendering: Rendering, spec: Spec, text: str, find_option: Callable[[Path], str | None]
) -> str:
    """Merge extra_config into the text of a configuration file.

    :param find_option: returns the option that sets a key, None if no option does.
    :raises SpecError: if extra_config conflicts with other options.
    """
    data = rendering.format.parse(text)
    problems = []
    for path, value in leaves(spec["extra_config"]):
        if not _keeps(rendering, path, look_up(data, path), value):
            option = _find_owner(rendering, spec, data, path)
            if option is None and _is_leaf(look_up(data, path)):
                option = find_option(path)
            if option is not None:
                problems.append(
                    f"extra_config: {dotted(path)} conflicts with {option}, which sets a different "
                    "value. Remove one of the two"
                )
    if problems:
        raise SpecError(*problems)
    _merge(rendering, data, spec["extra_config"], path=())
    return rendering.format.dump(data)


def leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path of each value that is not a table, with the value."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def look_up(data: Any, path: Path) -> Any:
    """Return the value at a path of keys, None if the path does not exist."""
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return None
        data = data[key]
    return data


def dotted(path: tuple[object, ...]) -> str:
    """Return a path of keys as TOML spells it."""
    return ".".join(f"'{key}'" if "." in str(key) else str(key) for key in path)


def _is_leaf(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


def _find_owner(rendering: Rendering, spec: Spec, data: Any, path: Path) -> str | None:
    """Return the owner of a key or of its table, None if there is none."""
    for owned, owner in rendering.find_owned(spec).items():
        if path[: len(owned)] == owned and look_up(data, owned) is not None:
            return owner
    return None


def _keeps(rendering: Rendering, path: Path, rendered: Any, value: Any) -> bool:
    """Return whether a merge with extra_config keeps the rendered value."""
    joined = rendering.merge_lists(path, rendered, value)
    if joined is None:
        return bool(rendered == value)
    return all(entry in joined for entry in rendered)


def _merge(rendering: Rendering, data: Any, extra: Any, path: Path) -> None:
    for key, value in extra.items():
        here = (*path, key)
        if isinstance(value, dict) != isinstance(data.get(key, value), dict):
            raise SpecError(f"extra_config: {dotted(here)} is a table on one side only")
        if isinstance(value, dict) and key in data:
            _merge(rendering, data[key], value, here)
        else:
            joined = rendering.merge_lists(here, data.get(key), value)
            data[key] = value if joined is None else joined
