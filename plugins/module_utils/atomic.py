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
    """Write a file, by a temporary one beside it and a rename.

    :param mode: of a new file; one that is replaced hands on its own, unless that is more open
        than 0600 and this is 0600.
    :raises OSError: as open(2), write(2) and rename(2).
    """
    temporary = _temporary(path)
    try:
        write_new(temporary, content, mode)
        if mode == 0o600 and get_status(path) is not None:
            # The replacement takes over the mode of what it replaces.
            os.chmod(path, mode)
        replace_file(temporary, path)
    except OSError:
        _discard(temporary)
        raise
    sync_directory(os.path.dirname(path))


def write_link(path: str, target: str) -> None:
    """Make a symbolic link, in place of whatever file or link is at its path.

    :raises OSError: as symlink(2) and rename(2).
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
    """Remove a file or a link; it may be gone already.

    :raises OSError: as unlink(2).
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync_directory(os.path.dirname(path))


def write_new(path: str, content: bytes, mode: int) -> None:
    """Write a file that nobody else has open: what is at the path is removed first.

    :raises OSError: as open(2) and write(2).
    """
    _discard(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "wb") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def make_directories(path: str) -> list[str]:
    """Make a directory and those above it, for everyone to look into; return those that were made.

    :raises OSError: as mkdir(2).
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
            # Whatever the umask is.
            os.chmod(each, 0o755)
    except OSError:
        for each in reversed(made):
            os.rmdir(each)
        raise
    return made


def sync_directory(directory: str) -> None:
    """Make a rename in a directory outlast a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def get_status(path: str) -> os.stat_result | None:
    """Return the status of a file; None if there is none, and for a link, which has no mode."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return None if stat.S_ISLNK(found.st_mode) else found


def _temporary(path: str) -> str:
    """Return a path in the same file system which no daemon reads: some read all of NAME.d.

    The name is always the same one, so that the next run removes what a killed run left.
    """
    directory, name = os.path.split(path)
    # Not beyond a mount point: a rename can't leave its file system.
    while directory.endswith(".d") and not os.path.ismount(directory):
        directory = os.path.dirname(directory)
    return os.path.join(directory, f".{name}.cruntime")


def _discard(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
