# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of this node."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular


class Mount(NamedTuple):
    """A line of C(/proc/self/mountinfo).

    :param device: device number as MAJOR:MINOR.
    :param source: the part of the file system that is mounted.
    """

    path: str
    device: str
    source: str
    kind: str


def read_mounts() -> list[Mount]:
    """Return the mounts of this node, in the order in which they were made."""
    return parse_mounts(read_regular("/proc/self/mountinfo").decode(errors="surrogateescape"))


def parse_mounts(table: str) -> list[Mount]:
    """Parse C(/proc/self/mountinfo), see proc_pid_mountinfo(5)."""
    mounts = []
    for line in table.splitlines():
        fields = line.split(" ")
        kind = fields[fields.index("-") + 1]
        mounts.append(Mount(_unescaped(fields[4]), fields[2], _unescaped(fields[3]), kind))
    return mounts


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
