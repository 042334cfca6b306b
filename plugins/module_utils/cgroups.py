# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cgroups of the node."""

from __future__ import annotations

import os


def version() -> int:
    """Return 1 or 2. A hybrid hierarchy is 1, because its controllers use version 1."""
    return 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1
