# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the effective configuration of a runtime."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.effective.base import Effective
from ansible_collections.cruntime.node.plugins.module_utils.effective.containerd import (
    ContainerdEffective,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.crio import CrioEffective
from ansible_collections.cruntime.node.plugins.module_utils.effective.docker import DockerEffective
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime

_EFFECTIVE = {
    "containerd": ContainerdEffective,
    "crio": CrioEffective,
    "docker": DockerEffective,
}


def effective_of(runner: Runner, runtime: Runtime) -> Effective:
    """Return the effective configuration of a runtime."""
    return _EFFECTIVE[runtime.name](runner, runtime)
