# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare crictl with the archive from which the role extracts it."""

from __future__ import annotations

import os
import stat
import tarfile

from ansible_collections.cruntime.node.plugins.module_utils.provision import written

ARCHIVE = "/var/lib/cruntime/crictl.tar.gz"
BINARY = "/usr/local/bin/crictl"
_MODE = 0o755


def is_due(checksum: str, archive: str = ARCHIVE, binary: str = BINARY) -> bool:
    """Return whether the archive must be transferred, or the binary be extracted.

    :param checksum: of the archive, such as C(sha256:HEX).
    """
    return not (written.has_checksum(archive, checksum) and _is_extracted(archive, binary))


def _is_extracted(archive: str, binary: str) -> bool:
    """Return whether a binary has the size and the time of its archive's member."""
    try:
        found = os.lstat(binary)
        with tarfile.open(archive) as opened:
            # The binary is the first member of a release, so the rest need not be decompressed.
            member = next(
                (each for each in opened if os.path.normpath(each.name) == "crictl"), None
            )
    except (OSError, tarfile.TarError):
        return False
    return member is not None and (
        stat.S_ISREG(found.st_mode)
        and stat.S_IMODE(found.st_mode) == _MODE
        and (found.st_uid, found.st_gid) == (0, 0)
        and (found.st_size, int(found.st_mtime)) == (member.size, int(member.mtime))
    )
