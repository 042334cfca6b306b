# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack the tarball of a whole store, such as those of minikube, as a source of images.

The tarball is unpacked next to the store of the runtime, and read from there, if necessary with a
second, private runtime. The runtime of the node keeps running, and its store is not changed.
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
from ansible_collections.cruntime.node.plugins.module_utils.mounts import read_mounts
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.lz4")
# Time to unpack a store, in seconds.
_TIMEOUT = 1800


def archives(directory: str) -> list[str]:
    """Return the archives in a directory, in order.

    :raises CruntimeError: if it has no archives.
    """
    found = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIXES))
    if not found:
        raise CruntimeError(
            f"preload: {directory} has no file with one of {', '.join(_SUFFIXES)}",
            reason="archive_invalid",
        )
    return [os.path.join(directory, name) for name in found]


@contextlib.contextmanager
def unpacked(runner: Runner, store: ImageStore, path: str) -> Iterator[str]:
    """Unpack a tarball, and yield the directory of the store in it.

    :raises CruntimeError: if the tarball is damaged, or has no store of this runtime.
    """
    root = store.root
    compression = image_archive.compression_of(path)
    # The file system of the store probably has enough space, and supports overlays.
    directory = tempfile.mkdtemp(
        prefix=".cruntime-", dir=root if os.path.isdir(root) else "/var/lib"
    )
    try:
        with image_archive.plain(runner, path, compression) as stream:
            result = runner.run(
                "tar",
                *("--extract", "--directory", directory, "--xattrs"),
                *("--xattrs-include", "security.capability"),
                stdin=stream,
                timeout=_TIMEOUT,
            )
        if result.rc != 0:
            raise CruntimeError(
                f"preload: {path} could not be unpacked: {result.words}", reason="archive_invalid"
            )
        # Such a tarball is made in /var, so its paths begin with lib.
        held = os.path.relpath(store.default_root, "/var")
        inner = os.path.join(directory, held)
        if not os.path.isdir(inner):
            raise CruntimeError(
                f"preload: {path} has no {held}: it is not a tarball of a store of {store.label}",
                reason="archive_invalid",
            )
        yield inner
    finally:
        _unmount(runner, directory)
        shutil.rmtree(directory, ignore_errors=True)


def _unmount(runner: Runner, directory: str) -> None:
    """Unmount everything in a directory: some storage drivers leave it mounted on itself."""
    for point in sorted((mount.path for mount in read_mounts()), reverse=True):
        if point.startswith(f"{directory}/"):
            runner.run("umount", point)
