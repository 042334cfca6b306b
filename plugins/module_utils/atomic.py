# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write one file so that a crash leaves the old content or the new one, never a part of it."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Callable

from ansible.module_utils.basic import AnsibleModule

#: Renames one file over another, see C(replace).
Replace = Callable[[str, str], None]


def replace(module: AnsibleModule, source: str, target: str) -> None:
    """Rename one file over another, and keep the owner, mode and SELinux context of the latter.

    Unlike AnsibleModule.atomic_move it never falls back to a copy, which a crash could cut short.
    """
    found = get_status(target)
    if found is None:
        context = module.selinux_default_context(target)
    else:
        context = module.selinux_context(target)
        os.chown(source, found.st_uid, found.st_gid)
        os.chmod(source, stat.S_IMODE(found.st_mode))
    module.set_context_if_different(source, context, False)
    os.rename(source, target)


def write_file(path: str, content: bytes, mode: int, replace_file: Replace = os.rename) -> None:
    """Write a file: write a temporary file first, then rename it to the path.

    :param mode: mode of a new file. An existing file keeps its own mode, except if this is 0600.
    :raises OSError: if open(2), write(2) or rename(2) fails.
    """
    temporary = _temporary(path)
    try:
        write_new(temporary, content, mode)
        if mode == 0o600 and get_status(path) is not None:
            # The new file gets the mode of the file that it replaces.
            os.chmod(path, mode)
        replace_file(temporary, path)
    except OSError:
        _discard(temporary)
        raise
    sync_directory(os.path.dirname(path))


def write_link(path: str, target: str) -> None:
    """Create a symbolic link. A file or link at its path is replaced.

    :raises OSError: if symlink(2) or rename(2) fails.
    """
    temporary = _temporary(path)
    try:
        _discard(temporary)
        os.symlink(target, temporary)
        os.rename(temporary, path)
    except OSError:
        _discard(temporary)
        raise
    sync_directory(os.path.dirname(path))


def remove_file(path: str) -> None:
    """Remove a file or a link, if it exists.

    :raises OSError: if unlink(2) fails.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync_directory(os.path.dirname(path))


def write_new(path: str, content: bytes, mode: int) -> None:
    """Create a file that no other process has open: an existing file at the path is removed first.

    :raises OSError: if open(2) or write(2) fails.
    """
    _discard(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "wb") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def make_directories(path: str) -> list[str]:
    """Create a directory and its missing parents, with mode 0755; return the created directories.

    :raises OSError: if mkdir(2) fails.
    """
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    made = []
    try:
        for each in reversed(missing):
            os.mkdir(each)
            made.append(each)
            # The umask must not restrict the mode.
            os.chmod(each, 0o755)
    except OSError:
        for each in reversed(made):
            os.rmdir(each)
        raise
    return made


def sync_directory(directory: str) -> None:
    """Write a directory to the disk, because a rename in it must survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def get_status(path: str) -> os.stat_result | None:
    """Return the status of a file; None if it does not exist or is a link, which has no mode."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return None if stat.S_ISLNK(found.st_mode) else found


def _temporary(path: str) -> str:
    """Return a path in the same file system that no daemon reads: some daemons read all of NAME.d.

    The name is always the same one, so that the next run removes what a killed run left.
    """
    directory, name = os.path.split(path)
    # Stop at a mount point, because a rename can't leave its file system.
    while directory.endswith(".d") and not os.path.ismount(directory):
        directory = os.path.dirname(directory)
    return os.path.join(directory, f".{name}.cruntime")


def _discard(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
