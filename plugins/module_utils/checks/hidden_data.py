# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a change that hides images and containers from their runtime.

Hidden images and containers stay on the disk, where the runtime neither shows nor removes them.
"""

from __future__ import annotations

from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

#: Number of images if containerd is stopped, and its database can't be read.
UNKNOWN = -1


def refuse(
    label: str,
    path: str,
    keys: Iterable[str],
    *,
    hidden: dict[str, int],
    stores: tuple[str, str],
    ways: Iterable[str],
) -> CruntimeError:
    """Return the error for a change that hides data.

    :param label: the name of the runtime.
    :param path: the file that changes.
    :param keys: the keys that change in this file.
    :param hidden: numbers of hidden objects by kind, such as C(image).
    :param stores: the store in use and the new store.
    :param ways: settings with which the runtime keeps its store, each as an instruction.
    """
    counts = [_count(number, name) for name, number in hidden.items() if number]
    old, new = stores
    return CruntimeError(
        f"{path}: {_join(keys)} can't be changed: {label} would no longer show {_join(counts)} "
        f"that it has in {old}, and start with {new}. Remove them first, or keep this store: "
        f"{_join(ways)}",
        reason="data_hidden",
    )


def _count(number: int, name: str) -> str:
    if number == UNKNOWN:
        return f"{name}s (their number can't be read from the database of containerd)"
    return f"{number} {name}{'' if number == 1 else 's'}"


def _join(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
