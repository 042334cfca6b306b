# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the data of a runtime by the names that the runtime uses, and remove only this data."""

from __future__ import annotations

import os
import re
import shutil
import stat
from typing import Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.mounts import Mount, read_mounts
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Names

#: Patterns of names in a data root, each with a pattern of the names below it, None for any name.

# Types of file systems that runtimes mount within their data, and do not always unmount.
_MOUNTED_BY_RUNTIMES = ("overlay", "fuse.fuse-overlayfs")
# This directory belongs to the file system and is not data.
_LOST_AND_FOUND = "lost+found"
# Temporary directory of this collection next to a store; it stays if a run is killed.
_SCRATCH = r"\.cruntime-.+"
_SHOWN = 10


class Data(NamedTuple):
    """Data of a runtime in one data root.

    :param paths: paths to remove.
    :param mounts: mount points to unmount first.
    """

    paths: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()


def find_data(
    root: str, names: Names, first: Iterable[str], label: str, roots: Iterable[str] = ()
) -> Data:
    """Return the data of a runtime in a directory that can be removed.

    :param names: names that the runtime uses.
    :param first: names to remove first, because the other data has no meaning without them.
    :param label: name of the runtime in messages.
    :param roots: all data roots of the runtime. One in another one is kept, like any other root.
    :raises CruntimeError: if the directory holds anything else.
    """
    root = os.path.realpath(root)
    own, foreign = _sort(root, names)
    foreign = [path for path in foreign if path not in roots]
    table = read_mounts()
    below = [mount for mount in table if any(_is_in(mount.path, path) for path in own)]
    unmounted = [mount.path for mount in below if _is_made_by_runtime(mount, table)]
    others = [mount.path for mount in below if mount.path not in unmounted]
    # If a path is a mount point itself, its content is removed and it stays mounted.
    emptied = [path for path in others if path in own]
    foreign += [path for path in others if path not in emptied]
    if foreign:
        raise CruntimeError(_describe_foreign(root, sorted(foreign), label), reason="data_foreign")
    order = {name: number for number, name in enumerate(first)}
    own.sort(key=lambda path: (order.get(os.path.basename(path), len(order)), path))
    paths = [inner for path in own for inner in (_list(path) if path in emptied else [path])]
    return Data(tuple(paths), tuple(sorted(unmounted, reverse=True)))


def _sort(root: str, names: Names) -> tuple[list[str], list[str]]:
    """Return the paths in a directory that the runtime made, and the foreign paths."""
    own: list[str] = []
    foreign: list[str] = []
    for path in _list(root):
        known = (*names, (_SCRATCH, None))
        fitting = [inner for name, inner in known if re.fullmatch(name, os.path.basename(path))]
        # Runtimes create no links here. A link and its target belong to the admin.
        if not fitting or os.path.islink(path):
            foreign.append(path)
            continue
        own.append(path)
        for inner in filter(None, fitting):
            within = _list(path)
            foreign += [each for each in within if not re.fullmatch(inner, os.path.basename(each))]
    return own, foreign


def _list(directory: str) -> list[str]:
    if not os.path.isdir(directory) or os.path.islink(directory):
        return []
    names = sorted(os.listdir(directory))
    return [os.path.join(directory, name) for name in names if name != _LOST_AND_FOUND]


def _describe_foreign(root: str, paths: list[str], label: str) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return (
        f"{root}: foreign data: {label} did not make {', '.join(paths[:_SHOWN])}{more}. "
        "Move it away, or set keep_data to true"
    )


def remove(data: Data, runner: Runner) -> None:
    """Remove data, never through a link and never from another file system.

    :raises CruntimeError: if something can't be removed. The next run removes the rest.
    """
    # The daemon can have unmounted some file systems itself when it was stopped.
    mounted = {mount.path for mount in read_mounts()}
    for path in filter(mounted.__contains__, data.mounts):
        runner.output("umount", "--", path)
    for path in data.paths:
        try:
            _remove_tree(path)
        except OSError as error:
            raise CruntimeError(
                f"{error.filename or path}: not removed: {error.strerror}. Remove the cause and "
                "run again",
                reason="data_not_removed",
            ) from error


def _remove_tree(path: str) -> None:
    try:
        is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
        (shutil.rmtree if is_directory else os.unlink)(path)
    except FileNotFoundError:
        # An interrupted run or the daemon removed the path, or a part of it. Remove the rest.
        if os.path.lexists(path):
            _remove_tree(path)


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _is_made_by_runtime(mount: Mount, table: list[Mount]) -> bool:
    """Return whether a runtime made a mount. A storage driver bind-mounts its own directory."""
    if mount.kind in _MOUNTED_BY_RUNTIMES and mount.source == "/":
        return True
    if mount.kind == "tmpfs" and mount.path.endswith("/shm"):
        return True
    around = [each for each in table if each.path == "/" or mount.path.startswith(f"{each.path}/")]
    if not around:
        return False
    outer = max(around, key=lambda each: len(each.path))
    inner = os.path.normpath(f"{outer.source}/{os.path.relpath(mount.path, outer.path)}")
    return mount.device == outer.device and mount.source == inner
