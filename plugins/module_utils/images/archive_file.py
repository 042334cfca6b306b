# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a new archive safely, also in a directory that other users can write to.

Images can hold secrets, so only root can read a new archive. If an archive is replaced, the new one
gets its owner and mode, unless another user could have created the old archive.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from typing import Iterator

_CONTEXT = "security.selinux"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def new_archive(path: str, scratch_dir: str) -> Iterator[str]:
    """Yield a temporary path for a new archive, and move the archive to its path at the end.

    :param scratch_dir: a directory that no other user can write to.
    :raises OSError: if the archive can't be moved to its path.
    """
    directory = os.path.dirname(path)
    # In an unsafe directory, another user could replace our directory with a link.
    where = directory if _is_safe(directory) else scratch_dir
    with tempfile.TemporaryDirectory(dir=where, prefix=".cruntime-") as folder:
        written = os.path.join(folder, "archive.tar")
        yield written
        os.chmod(written, 0o600)
        if where != directory:
            return _copy(written, path)
        _hand_on(written, path)
        with open(written, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(written, path)


def _is_safe(directory: str) -> bool:
    """Return whether no other user can rename the files that we create in a directory."""
    found = os.stat(directory)
    is_kept = not found.st_mode & _OTHERS_WRITE or bool(found.st_mode & stat.S_ISVTX)
    return found.st_uid == os.geteuid() and is_kept


def _hand_on(written: str, path: str) -> None:
    """Give a new file the owner, mode and SELinux context of the file that it replaces."""
    try:
        before = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(before.st_mode) or os.stat(os.path.dirname(path)).st_mode & _OTHERS_WRITE:
        return
    os.chown(written, before.st_uid, before.st_gid)
    os.chmod(written, stat.S_IMODE(before.st_mode))
    with contextlib.suppress(OSError):
        # Nodes without SELinux have no such attribute.
        os.setxattr(written, _CONTEXT, os.getxattr(path, _CONTEXT))


def _copy(written: str, path: str) -> None:
    """Copy a file to a directory of another user, and follow no link that this user creates."""
    name = os.path.basename(path)
    temporary = f".{name}.cruntime"
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as sink:
            with open(written, "rb") as source:
                shutil.copyfileobj(source, sink)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)
