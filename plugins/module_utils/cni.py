# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of the CNI plugins on this node."""

from __future__ import annotations

import os

#: Directories of CNI plugins in packages and installers. The first is the default of CNI.
BIN_DIRS = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
#: Fact of a node: the directory that contains its plugins.
BIN_DIR_FACT = "cni_bin_dir"


def find_bin_dir(directories: tuple[str, ...] = BIN_DIRS) -> str | None:
    """Return the first directory that contains plugins, None if no directory does.

    Every pod needs the plugin loopback, so every complete set of plugins has it.
    """
    for directory in directories:
        if os.access(f"{directory}/loopback", os.X_OK):
            return directory
    return None
