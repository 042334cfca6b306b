# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare files of a node with what the role writes."""

from __future__ import annotations

import hashlib
import os
import re
import stat

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import (
    MAX_BYTES,
    open_regular,
    read_regular,
)

#: Mode of the files that the role writes.
MODE = 0o644
_CHUNK = 1024 * 1024
# A digest can also be the URL of a file with checksums, which only a download can compare.
_CHECKSUM = re.compile(r"(?P<algorithm>\w+):(?P<digest>[0-9a-fA-F]+)", re.ASCII)


def read_text(path: str, limit: int = MAX_BYTES) -> str | None:
    """Return the content of a file; None if it cannot be read, or is larger than the limit."""
    try:
        return read_regular(path, limit).decode(errors="replace")
    except (OSError, CruntimeError):
        return None


def is_written(path: str, content: str) -> bool:
    """Return whether a file has this content, and the mode of the role's files."""
    return read_text(path) == content and _mode(path) == MODE


def has_checksum(path: str, checksum: str) -> bool:
    """Return whether a file has a checksum, such as C(sha256:HEX); False if that is not known."""
    found = _CHECKSUM.fullmatch(checksum)
    if found is None or found["algorithm"] not in hashlib.algorithms_available:
        return False
    digest = hashlib.new(found["algorithm"])
    try:
        with open_regular(path) as handle:
            while True:
                chunk = handle.read(_CHUNK)
                if not chunk:
                    return digest.hexdigest() == found["digest"].lower()
                digest.update(chunk)
    except (OSError, CruntimeError):
        return False


def _mode(path: str) -> int | None:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return None
