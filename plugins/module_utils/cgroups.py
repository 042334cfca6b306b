# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cgroups of the node."""

from __future__ import annotations

import os

# The hierarchies in which systemd keeps track of processes. With cgroups v1, a node can have both.
_OF_SYSTEMD = ("", "name=systemd")


def version() -> int:
    """Return 1 or 2. A hybrid hierarchy is 1, because its controllers use version 1."""
    return 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1


def read_units(pid: int) -> frozenset[str]:
    """Return the systemd units and slices that a process belongs to, empty if it does not exist."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as handle:
            return parse_units(handle.read())
    except OSError:
        return frozenset()


def parse_units(text: str) -> frozenset[str]:
    """Parse C(/proc/PID/cgroup), whose lines are C(ID:CONTROLLERS:PATH)."""
    lines = (line.split(":", 2) for line in text.splitlines())
    paths = {found[1]: found[2] for found in lines if len(found) == 3}
    # A runtime that uses the controllers of cgroups v1 leaves its containers where they are in the
    # hierarchy without controllers, and systemd ends them with the unit that they have there.
    systemd = next((paths[name] for name in _OF_SYSTEMD if paths.get(name, "/") != "/"), "/")
    return frozenset(filter(None, systemd.split("/")))
