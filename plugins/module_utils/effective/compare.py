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

from typing import Any, Dict, Iterator, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
    Path,
)

Tree = Dict[str, Any]
#: Values by their normalized paths in the rendered file.
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


def flatten(tree: Tree, equivalences: Equivalences) -> Leaves:
    """Return the leaves of a tree by their normalized paths.

    If two keys have the same normalized path, the last one wins, as in the runtimes.
    """
    return {equivalences.locate(path): value for path, value in find_leaves(tree)}


def find_overridden(desired: Tree, filed: Leaves, equivalences: Equivalences) -> list[Difference]:
    """Return the keys of a rendered file that other files or flags override.

    :param desired: the rendered file.
    :param filed: what the runtime would start with.
    """
    return [
        Difference(path, value, filed.get(normal))
        for path, value in find_leaves(desired)
        for normal in [equivalences.locate(path)]
        if not equivalences.agree(normal, value, filed.get(normal))
    ]


def find_pending(
    desired: Tree, filed: Leaves, running: Leaves, equivalences: Equivalences
) -> list[Difference]:
    """Return the keys of a rendered file whose filed value the process does not use yet.

    :param running: the values that the process reports. A key that it does not report is unknown.
    """
    return [
        Difference(path, filed.get(normal), value)
        for path, _value in find_leaves(desired)
        for normal, value in equivalences.complete(equivalences.locate(path), running).items()
        if not equivalences.agree(normal, value, filed.get(normal))
    ]


def find_changed(
    before: Leaves, after: Leaves, running: Leaves, equivalences: Equivalences
) -> set[Path]:
    """Return the paths whose filed value changes to a value that the process does not use.

    :param running: the values that the process reports. A key that it does not report is unknown.
    """

    def is_equal(path: Path, one: Any, other: Any) -> bool:
        # A list can be part of another one without the same effect.
        return equivalences.agree(path, one, other) and equivalences.agree(path, other, one)

    return {
        path
        for path in {*before, *after}
        if not is_equal(path, before.get(path), after.get(path))
        and not (path in running and equivalences.agree(path, after.get(path), running[path]))
    }
