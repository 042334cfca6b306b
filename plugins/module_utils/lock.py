# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lock the node while a module changes it: cruntime_enable alone, the other modules shared."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

#: A separate directory for root only, because a process that can open the file can hold the lock
#: without end.
LOCK_DIR = "/run/cruntime"
_NAME = "lock"
_COMMAND_LENGTH = 120


@contextlib.contextmanager
def locked(*, shared: bool, timeout: float, check_mode: bool) -> Iterator[None]:
    """Hold the lock of this node.

    :param shared: whether other processes can hold a shared lock at the same time.
    :param timeout: how long to wait for the lock, in seconds.
    :param check_mode: whether nothing is changed, and therefore nothing is locked.
    :raises CruntimeError: if another process held the lock until the timeout, or if other users
        could have created the lock.
    """
    if check_mode:
        yield
        return
    descriptor = _open()
    try:
        _acquire(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, timeout)
        yield
    finally:
        os.close(descriptor)


def _open() -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(LOCK_DIR, 0o700)
    try:
        directory = os.open(LOCK_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            owner = os.fstat(directory).st_uid
            if owner != os.geteuid():
                raise _unsafe(LOCK_DIR, f"it belongs to the user {owner}")
            # The directory may be an existing one, or created with another umask.
            os.fchmod(directory, 0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(_NAME, flags, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise _unsafe(LOCK_DIR, str(error.strerror)) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise _unsafe(f"{LOCK_DIR}/{_NAME}", "it is not a file of this user")
    os.fchmod(descriptor, 0o600)
    return descriptor


def _unsafe(path: str, cause: str) -> CruntimeError:
    return CruntimeError(
        f"{path}: no safe place for a lock: {cause}. Remove it and run again", reason="lock_unsafe"
    )


def _acquire(descriptor: int, mode: int, timeout: float) -> None:
    """Lock an open file.

    :raises CruntimeError: if other processes held a lock on it until the timeout.
    """

    def is_acquired() -> bool:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    if not wait_until(is_acquired, timeout, interval=0.1):
        raise CruntimeError(
            f"{LOCK_DIR}/{_NAME}: locked: {find_holders(descriptor)} changes this node, "
            f"and has not finished within {timeout:g} seconds. Run again afterwards",
            reason="lock_timeout",
        )


def find_holders(descriptor: int) -> str:
    """Return the processes that hold a lock on an open file, as text for a message."""
    inode = os.fstat(descriptor).st_ino
    with open("/proc/locks", encoding="ascii") as table:
        pids = parse_holders(table.read(), inode)
    return " and ".join(map(_described, pids)) or "a process that can't be seen from here"


def parse_holders(table: str, inode: int) -> list[int]:
    """Parse C(/proc/locks): C(1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF).

    The line of a waiting process has an arrow after the first number.
    """
    rows = [line.split() for line in table.splitlines()]
    return [
        int(row[4])
        for row in rows
        if len(row) > 5 and row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)
    ]


def _described(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as handle:
        command = handle.read(_COMMAND_LENGTH).decode(errors="replace").replace("\0", " ")
        return f"the process {pid} ({' '.join(command.split())})"
    return f"the process {pid}"
