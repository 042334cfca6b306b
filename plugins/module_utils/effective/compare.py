# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the three values of each key that a rendered file sets. Pure functions.

- Desired: the value in the rendered file.
- Filed: the value with which the runtime would start now, from all its files and flags.
- Running: the value that the process of the runtime uses.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, NamedTuple, Tuple

#: Keys that lead to a value.
Path = Tuple[str, ...]
Tree = Dict[str, Any]
#: Values by their normalized paths.
Leaves = Dict[Path, Any]


class Difference(NamedTuple):
    """A key with two different values.

    :param path: path of the key in the rendered file.
    :param desired: the value that the key should have. None for an absent key or a zero value.
    :param current: the value that the key has.
    """

    path: Path
    desired: Any
    current: Any


def find_leaves(tree: Tree, parent: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path and the value of each key. A list is a value, also a list of tables."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from find_leaves(value, (*parent, key))
        else:
            yield (*parent, key), value


def flatten(tree: Tree) -> Leaves:
    """Return the leaves of a tree by their normalized paths.

    If two keys have the same normalized path, the last one wins, as in the runtimes.
    """
    return {normalize(path): value for path, value in find_leaves(tree)}


def normalize(path: Iterable[str]) -> Path:
    """Return a path in the form that all spellings of its keys have in common.

    Runtimes print sandbox_image as sandboxImage, and read systemdCgroup as SystemdCgroup.
    """
    return tuple(key.replace("_", "").lower() for key in path)


def find_overridden(desired: Tree, filed: Leaves) -> list[Difference]:
    """Return the keys of a rendered file that other files or flags override.

    :param desired: the rendered file, with the paths under which the runtime prints its keys.
    :param filed: what the runtime would start with.
    """
    return [
        Difference(path, value, filed.get(normalize(path)))
        for path, value in find_leaves(desired)
        if not agrees(value, filed.get(normalize(path)))
    ]


def find_pending(desired: Tree, filed: Leaves, running: Leaves) -> list[Difference]:
    """Return the keys of a rendered file whose filed value the process does not use yet.

    :param running: the values that the process reports. A key that it does not report is unknown.
    """
    paths = {path: normalize(path) for path, _value in find_leaves(desired)}
    return [
        Difference(path, filed.get(normal), running[normal])
        for path, normal in paths.items()
        if normal in running and not agrees(filed.get(normal), running[normal])
    ]


def agrees(desired: Any, current: Any) -> bool:
    """Return whether a value has the effect of a desired value.

    A runtime prints zero values for keys that are not set, also in the tables of a list.
    """
    if isinstance(desired, dict) and isinstance(current, dict):
        return all(agrees(value, current.get(key)) for key, value in desired.items())
    if isinstance(desired, list) and isinstance(current, list):
        return len(desired) == len(current) and all(map(agrees, desired, current))
    return (desired or None) == (current or None)
