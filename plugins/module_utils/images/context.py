# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the digest of a build: it is repeated only if the digest changes."""

from __future__ import annotations

import hashlib
import json
import os
import stat

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular

#: Label of an image with the digest of its build.
LABEL = "io.cruntime.build-digest"
_CHUNK = 1024 * 1024


def digest(context: str, dockerfile: str, args: dict[str, str], options: list[str]) -> str:
    """Return a digest of all files of a context (path, type, mode, content) and of all options.

    :raises CruntimeError: if a file can't be read.
    """
    total = hashlib.sha256(json.dumps([sorted(args.items()), options]).encode())
    try:
        total.update(_file(dockerfile))
        for path in _walk(context):
            total.update(_entry(context, path))
    except OSError as error:
        raise CruntimeError(
            f"{error.filename}: could not be read: {error.strerror}", reason="file_unreadable"
        ) from error
    return f"sha256:{total.hexdigest()}"


def _walk(context: str) -> list[str]:
    def refuse(error: OSError) -> None:
        raise error

    return sorted(
        os.path.join(directory, name)
        for directory, directories, files in os.walk(context, onerror=refuse)
        for name in directories + files
    )


def _entry(context: str, path: str) -> bytes:
    status = os.lstat(path)
    content = b""
    if stat.S_ISLNK(status.st_mode):
        content = os.fsencode(os.readlink(path))
    elif stat.S_ISREG(status.st_mode):
        content = _file(path)
    head = json.dumps([os.path.relpath(path, context), status.st_mode])
    return head.encode(errors="surrogateescape") + b"\0" + content + b"\0"


def _file(path: str) -> bytes:
    total = hashlib.sha256()
    with open_regular(path) as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            total.update(chunk)
    return total.digest()
