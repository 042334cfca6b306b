# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a new archive safely, also in a directory that other users can write to.

Images can have secrets, so only root can read a new archive, unless the task sets its mode. If an
archive is replaced, the new one gets its owner and mode, unless another user could have created the
old archive.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import atomic

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def new_archive(
    module: AnsibleModule, path: str, scratch_dir: str, mode: int | None = None
) -> Iterator[str]:
    """Yield a temporary path for a new archive, and move the archive to its path at the end.

    :param scratch_dir: a directory that no other user can write to.
    :param mode: mode of the archive; None for 0600, or for the mode of an archive that is replaced.
    :raises OSError: if the archive cannot be moved to its path.
    """
    directory = os.path.dirname(path)
    is_safe = _is_safe(directory)
    # In an unsafe directory, another user could replace the temporary directory with a link.
    where = directory if is_safe else scratch_dir
    with tempfile.TemporaryDirectory(dir=where, prefix=".cruntime-") as temporary:
        written = os.path.join(temporary, "archive.tar")
        yield written
        os.chmod(written, 0o600)
        if is_safe:
            atomic.move_file(module, written, path)
        else:
            atomic.copy_file(written, path)
    if mode is not None:
        _set_mode(path, mode)


def _set_mode(path: str, mode: int) -> None:
    """Set the mode of an archive, but not of a file to which another user links its path."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _is_safe(directory: str) -> bool:
    """Return whether no other user can rename the files that root creates in a directory."""
    found = os.stat(directory)
    is_kept = not found.st_mode & _OTHERS_WRITE or bool(found.st_mode & stat.S_ISVTX)
    return found.st_uid == os.geteuid() and is_kept
