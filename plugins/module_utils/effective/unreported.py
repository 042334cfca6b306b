# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find keys that a process does not report, and the files that can have changed them since.

The values of these keys are unknown if one of their files or directories is newer than the process.
A changed status of a file counts too, because a copied file can have an old mtime, and so does a
directory, because a file can have been removed from it. The unit needs no times: the process itself
shows its flags and its environment.
"""

from __future__ import annotations

import contextlib
import glob
import os
from typing import Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import Scope
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_DROP_INS,
    CRIO_DROP_INS,
    CRIO_REGISTRIES,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

# Difference in seconds between the times that a rename sets for a file and for its directory.
_RENAME = 1


class Unreported(NamedTuple):
    """Keys that a process does not report.

    :param scope: the keys, and the versions to which they apply.
    :param files: patterns of the files and directories that set the keys, in addition to the file
        of the collection.
    :param own_file: file of the collection with the keys, empty for the configuration file.
    """

    scope: Scope
    files: tuple[str, ...]
    own_file: str = ""


_CONTAINERD_FILES = tuple(
    f"{directory}{names}" for directory in CONTAINERD_DROP_INS for names in ("", "/*.toml")
)
_REGISTRIES = os.path.dirname(CRIO_REGISTRIES)
_CRIO_FILES = ("/etc/crio/crio.conf", CRIO_DROP_INS, f"{CRIO_DROP_INS}/*")

#: All keys of rendered files that a process does not report. No other key is unknown.
TABLE: tuple[Unreported, ...] = (
    Unreported(Scope("containerd", ("debug",)), _CONTAINERD_FILES),
    Unreported(Scope("containerd", ("metrics",)), _CONTAINERD_FILES),
    *(
        Unreported(Scope("containerd", ("plugins", plugin), since=(2, 0)), _CONTAINERD_FILES)
        for plugin in ("io.containerd.cri.v1.images", "io.containerd.transfer.v1.local")
    ),
    # A reload empties the reported list.
    Unreported(Scope("crio", ("crio", "image", "pinnedimages")), _CRIO_FILES),
    Unreported(
        Scope("crio", ("registry",)),
        ("/etc/containers/registries.conf", _REGISTRIES, f"{_REGISTRIES}/*"),
        CRIO_REGISTRIES,
    ),
    *(
        Unreported(Scope("docker", (key,)), ())
        for key in ("log-level", "log-opts", "default-ulimits", "metrics-addr", "features")
    ),
)


def list_entries(runtime: str, version: tuple[int, int]) -> list[Unreported]:
    """Return the entries of a version of a runtime."""
    return [entry for entry in TABLE if entry.scope.includes(runtime, version)]


def find_newer(entry: Unreported, main: str, changes: Iterable[Change], unit: Unit) -> str:
    """Return a file or a directory of keys that is newer than the process, empty if there is none.

    :param main: the configuration file of the collection.
    :param changes: all files of the runtime. The process can have reloaded them.
    :param unit: service of the runtime.
    """
    if unit.started is None:
        return ""
    reloads = [
        _read_time(change.target) + _RENAME
        for change in changes
        if unit.pid and change.loaded_by == unit.pid
    ]
    read_at = max([unit.started, *reloads])
    patterns = (entry.own_file or main, *entry.files)
    paths = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    return next((path for path in paths if _read_time(path) > read_at), "")


def _read_time(path: str) -> float:
    """Return the time of the last change of a file or a directory, also of its status."""
    times = [0.0]
    for read in (os.lstat, os.stat):
        with contextlib.suppress(OSError):
            status = read(path)
            times += [status.st_mtime, status.st_ctime]
    return max(times)
