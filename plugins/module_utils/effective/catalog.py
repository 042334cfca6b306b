# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the effective configuration of a runtime."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.effective.base import Effective
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio


def effective_of(runner: Runner, runtime: Runtime, version: str) -> Effective:
    """Return the effective configuration of a runtime.

    :param version: version of the installed runtime.
    """
    # Every run compiles the modules that it imports, so import only the module of this runtime.
    if isinstance(runtime, Containerd):
        from ansible_collections.cruntime.node.plugins.module_utils.effective import containerd

        return containerd.ContainerdEffective(runner, runtime, version)
    if isinstance(runtime, Crio):
        from ansible_collections.cruntime.node.plugins.module_utils.effective import crio

        return crio.CrioEffective(runner, runtime, version)
    from ansible_collections.cruntime.node.plugins.module_utils.effective import docker

    return docker.DockerEffective(runner, runtime, version)
