# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open regular files, and nothing else: a FIFO or a device would block or never end."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import IO, Iterator

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

#: The largest file that is read into memory, in bytes. No configuration file comes near it.
MAX_BYTES = 16 * 1024 * 1024

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a directory",
}


@contextlib.contextmanager
def open_regular(path: str) -> Iterator[IO[bytes]]:
    """Open a regular file for reading, through symbolic links.

    :raises OSError: as open(2).
    :raises CruntimeError: the path is something else than a regular file.
    """
    # Before it is opened: that alone can have an effect on a device.
    _check_regular(path, os.stat(path))
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
        # Again, because another file may have been put in its place meanwhile.
        _check_regular(path, os.fstat(handle.fileno()))
        yield handle


def read_regular(path: str, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file.

    :param limit: the largest size that is read, in bytes.
    :raises OSError: as open(2) and read(2).
    :raises CruntimeError: the path is something else than a regular file, or is larger.
    """
    with open_regular(path) as handle:
        # A file of /proc has no size, and one that a process writes to may grow.
        content = handle.read(limit + 1) or b""
    if len(content) > limit:
        raise CruntimeError(
            f"{path}: the file is too large: it holds more than {limit} bytes. "
            "Move it away and run again"
        )
    return content


def _check_regular(path: str, found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise CruntimeError(
            f"{path}: not a regular file: it is {_KINDS.get(kind, 'of an unknown kind')}. "
            "Move it away and run again"
        )
