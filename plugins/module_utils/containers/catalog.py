# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the container interface of a runtime."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.containers.base import Containers
from ansible_collections.cruntime.node.plugins.module_utils.containers.cri import CriContainers
from ansible_collections.cruntime.node.plugins.module_utils.containers.crio import CrioContainers
from ansible_collections.cruntime.node.plugins.module_utils.containers.docker import (
    DockerContainers,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker


def containers_of(runner: Runner, runtime: Runtime) -> Containers:
    """Return the interface to the containers of a running runtime."""
    if isinstance(runtime, Docker):
        # Docker also lists the containers of cri-dockerd.
        return DockerContainers(runner, runtime.api_socket)
    through_cri = CrioContainers if runtime.name == "crio" else CriContainers
    return through_cri(runner, runtime.socket_path, runtime.oci_runtimes)
