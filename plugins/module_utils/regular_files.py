# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open regular files only: reading a FIFO or a device could block or never end."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import IO, Iterator

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

#: The largest file that is read into memory, in bytes. Configuration files are much smaller.
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

    :raises OSError: if open(2) fails.
    :raises CruntimeError: if the path is not a regular file.
    """
    # Check before opening, because opening a device can already have an effect.
    _check_regular(path, os.stat(path))
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
        # Check again: the file can have been replaced before it was opened.
        _check_regular(path, os.fstat(handle.fileno()))
        yield handle


def read_regular(path: str, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file.

    :param limit: the largest size to read, in bytes.
    :raises OSError: if open(2) or read(2) fails.
    :raises CruntimeError: if the path is not a regular file, or if the file is larger.
    """
    with open_regular(path) as handle:
        # The size is not checked before: files in /proc report 0, and other files can grow.
        content = handle.read(limit + 1) or b""
    if len(content) > limit:
        raise CruntimeError(
            f"{path}: the file is too large: it has more than {limit} bytes. "
            "Move it away and run the task again",
            reason="file_unreadable",
        )
    return content


def read_drop_in(path: str) -> bytes:
    """Return the content of a drop-in, which its runtime must be able to read too.

    :raises CruntimeError: if the drop-in cannot be read, is not a regular file or is too large.
    """
    try:
        return read_regular(path)
    except OSError as error:
        raise CruntimeError(
            f"{path}: unreadable drop-in: {error.strerror}. Remove it and run the task again",
            reason="file_unreadable",
        ) from error


def _check_regular(path: str, found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise CruntimeError(
            f"{path}: not a regular file: it is {_KINDS.get(kind, 'of an unknown kind')}. "
            "Move it away and run the task again",
            reason="file_unreadable",
        )
