# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognize containerd shims: the processes that hold containers, including Docker containers."""

from __future__ import annotations

import os

#: Namespaces of the plugins and of the containers of Docker in containerd.
PLUGINS_OF_DOCKER = "plugins.moby"
DOCKER_NAMESPACES = ("moby", PLUGINS_OF_DOCKER)


def is_shim(argv: list[str]) -> bool:
    """Return whether this is the command line of a shim."""
    return os.path.basename(argv[0]).startswith("containerd-shim")


def namespace_of(argv: list[str]) -> str:
    """Return the namespace of a shim, empty if its command line does not have it."""
    words = [word.lstrip("-") for word in argv]
    return words[words.index("namespace") + 1] if "namespace" in words[:-1] else ""
