# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tarball of a runtime's whole store, such as minikube's, as a source of images.

It is unpacked beside the store that is in use and read from there, by a second, private runtime
where that takes one. The runtime in use is not stopped, and loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils import image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images.base import ImageStore
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.stored_data import read_mounts

_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.lz4")
# Unpacking a store takes its time, in seconds.
_TIMEOUT = 1800


def archives(folder: str) -> list[str]:
    """Return the archives in a folder, in order.

    :raises CruntimeError: there are none.
    """
    found = sorted(name for name in os.listdir(folder) if name.endswith(_SUFFIXES))
    if not found:
        raise CruntimeError(
            f"preload: {folder} holds no file with one of {', '.join(_SUFFIXES)}",
            reason="archive_invalid",
        )
    return [os.path.join(folder, name) for name in found]


@contextlib.contextmanager
def unpacked(runner: Runner, store: ImageStore, path: str) -> Iterator[str]:
    """Unpack the part of a tarball that is a store of this runtime; yield that folder.

    :raises CruntimeError: it is no such tarball, or no whole one.
    """
    root = store.root
    compression = image_archive.compression_of(path)
    # On the file system of the store, which may have the room and can be the base of an overlay.
    folder = tempfile.mkdtemp(prefix=".cruntime-", dir=root if os.path.isdir(root) else "/var/lib")
    try:
        with image_archive.plain(runner, path, compression) as stream:
            result = runner.run(
                "tar",
                *("--extract", "--directory", folder, "--xattrs"),
                *("--xattrs-include", "security.capability"),
                stdin=stream,
                timeout=_TIMEOUT,
            )
        if result.rc != 0:
            raise CruntimeError(
                f"preload: {path} could not be unpacked: {result.words}", reason="archive_invalid"
            )
        # Made of /var, so that its paths begin at lib.
        held = os.path.relpath(store.default_root, "/var")
        inner = os.path.join(folder, held)
        if not os.path.isdir(inner):
            raise CruntimeError(
                f"preload: {path} holds no {held}: it is no tarball of the store of {store.label}",
                reason="archive_invalid",
            )
        yield inner
    finally:
        _unmount(runner, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _unmount(runner: Runner, folder: str) -> None:
    """Storage drivers mount their folder on itself, and not all of them undo it."""
    for point in sorted((mount.path for mount in read_mounts()), reverse=True):
        if point.startswith(f"{folder}/"):
            runner.run("umount", point)
