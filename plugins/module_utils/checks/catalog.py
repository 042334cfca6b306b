# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of each runtime."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.checks.containerd import (
    ContainerdChecks,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks.crio import CrioChecks
from ansible_collections.cruntime.node.plugins.module_utils.checks.docker import DockerChecks
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker


def checks_of(runner: Runner, runtime: Runtime) -> Checks[Any]:
    """Return the checks of a runtime."""
    if isinstance(runtime, Containerd):
        return ContainerdChecks(runner, runtime)
    if isinstance(runtime, Crio):
        return CrioChecks(runner, runtime)
    if isinstance(runtime, Docker):
        return DockerChecks(runner, runtime)
    return Checks(runner, runtime)
