# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the image store of a runtime."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.images.base import ImageStore
from ansible_collections.cruntime.node.plugins.module_utils.images.containerd import (
    ContainerdStore,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.crio import CrioStore
from ansible_collections.cruntime.node.plugins.module_utils.images.docker import DockerStore
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime

_STORES = {"containerd": ContainerdStore, "crio": CrioStore, "docker": DockerStore}


def store_of(runner: Runner, runtime: Runtime, scratch_dir: str, timeout: int = 600) -> ImageStore:
    """Return the image store of a runtime; the parameters are those of ImageStore."""
    return _STORES[runtime.name](runner, runtime, scratch_dir, timeout)
