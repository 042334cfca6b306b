# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's control groups."""

from __future__ import annotations

import os


def version() -> int:
    """Return 1 or 2; a hybrid hierarchy is 1, because the controllers are there."""
    return 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1
