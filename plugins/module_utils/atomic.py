# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files so that a crash leaves the old content or the new one, never a part of it.

All files that the collection writes on a node to stay are written here. New files are created with
O_EXCL and O_NOFOLLOW, so no link of another user is followed. An existing file is replaced by a
rename and never by a copy, unlike with AnsibleModule.atomic_move: a crash could cut a copy short.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import IO, Callable, Iterator

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

#: Renames one file over another, see C(replace).
Replace = Callable[[str, str], None]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: Errors of rename(2) and unlink(2) for a file that is a mount point.
_MOUNT_ERRORS = (errno.EBUSY, errno.EXDEV)


def replace(module: AnsibleModule, source: str, target: str, keep_access: bool = True) -> None:
    """Rename one file over another, and keep the owner, mode and SELinux context of the latter.

    A new file gets the SELinux context of the policy. A file on which another file is mounted is
    overwritten in place if the option unsafe_writes is true, like AnsibleModule.atomic_move does.

    :param source: file that no other user can replace.
    :param keep_access: whether a replaced file counts. If not, the file counts as new.
    :raises OSError: if rename(2) fails.
    """
    found = get_status(target) if keep_access else None
    if found is None:
        context = module.selinux_default_context(target)
    else:
        context = module.selinux_context(target)
        os.chown(source, found.st_uid, found.st_gid)
        os.chmod(source, stat.S_IMODE(found.st_mode))
    module.set_context_if_different(source, context, False)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno not in _MOUNT_ERRORS or not module.params.get("unsafe_writes"):
            raise
        _overwrite(source, target)


def _overwrite(source: str, target: str) -> None:
    """Copy the content of a file into another file, and remove the first file."""
    descriptor = os.open(target, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(source, "rb") as content, open(descriptor, "wb") as sink:
        sink.truncate(0)
        shutil.copyfileobj(content, sink)
        sink.flush()
        os.fsync(sink.fileno())
    os.unlink(source)


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


def move_file(module: AnsibleModule, source: str, path: str) -> None:
    """Move a complete file to a path in the same file system.

    The file gets the owner, mode and SELinux context of a file that it replaces, unless another
    user could have created the replaced file.

    :param source: file that no other user can replace.
    :raises OSError: if fsync(2) or rename(2) fails.
    """
    directory = os.path.dirname(path)
    with open(source, "rb") as handle:
        os.fsync(handle.fileno())
    replace(module, source, path, keep_access=not os.stat(directory).st_mode & _OTHERS_WRITE)
    sync_directory(directory)


def copy_file(source: str, path: str) -> None:
    """Copy a file with mode 0600 to a path in a directory that belongs to another user.

    All steps use one descriptor of the directory, because the other user can replace the directory
    with a link between two steps. The SELinux policy labels the file when it is created.

    :raises OSError: if open(2), write(2) or rename(2) fails.
    """
    name = os.path.basename(path)
    temporary = f".{name}.cruntime"
    with _opened_directory(os.path.dirname(path)) as directory:
        with open(source, "rb") as content, _created(temporary, 0o600, directory) as sink:
            shutil.copyfileobj(content, sink)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


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
    with _created(path, mode) as handle:
        handle.write(content)


@contextlib.contextmanager
def _created(path: str, mode: int, directory: int | None = None) -> Iterator[IO[bytes]]:
    """Open a new file, and write it to the disk at the end; see C(write_new).

    :param directory: descriptor of the directory that a relative path refers to.
    """
    _discard(path, directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, mode, dir_fd=directory), "wb") as handle:
        os.fchmod(handle.fileno(), mode)
        yield handle
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


def sync_directory(path: str) -> None:
    """Write a directory to the disk, because a rename in it must survive a power failure."""
    with _opened_directory(path) as directory:
        os.fsync(directory)


@contextlib.contextmanager
def _opened_directory(path: str) -> Iterator[int]:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)


def get_status(path: str) -> os.stat_result | None:
    """Return the status of a regular file; None if there is no such file at the path."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def describe_error(path: str, error: OSError) -> CruntimeError:
    """Return the error for a file that could not be written or removed."""
    if error.errno in _MOUNT_ERRORS and path in list_mount_points():
        return describe_mount(path)
    return CruntimeError(
        f"{path}: could not be written: {error.strerror}", reason="file_unwritable"
    )


def describe_mount(path: str) -> CruntimeError:
    """Return the error for a file that is a mount point, which no rename can replace."""
    return CruntimeError(
        f"{path}: could not be written: a file is mounted here, so it can not be replaced "
        "atomically. Unmount it, mount its directory instead, or set unsafe_writes to true",
        reason="file_unwritable",
    )


def list_mount_points() -> set[str]:
    """Return the paths of all mount points of this node."""
    # Import it only if files change: most runs do not need it.
    from ansible_collections.cruntime.node.plugins.module_utils.mounts import read_mounts

    return {mount.path for mount in read_mounts()}


def _temporary(path: str) -> str:
    """Return a path in the same file system that no daemon reads: some daemons read all of NAME.d.

    The name is always the same one, so that the next run removes what a killed run left.
    """
    directory, name = os.path.split(path)
    # Stop at a mount point, because a rename can't leave its file system.
    while directory.endswith(".d") and not os.path.ismount(directory):
        directory = os.path.dirname(directory)
    return os.path.join(directory, f".{name}.cruntime")


def _discard(path: str, directory: int | None = None) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path, dir_fd=directory)
