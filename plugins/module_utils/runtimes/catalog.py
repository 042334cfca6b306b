# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the runtimes of a node."""

from __future__ import annotations

import os

from ansible_collections.cruntime.node.plugins.module_utils import kubelet_process
from ansible_collections.cruntime.node.plugins.module_utils.errors import NotRunningError
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Services,
    Unit,
    needed_by,
)


def runtimes(runner: Runner) -> dict[str, Runtime]:
    """Return all supported runtimes by their name in a spec, installed or not."""
    return {cls.identity.name: cls(runner) for cls in (Containerd, Crio, Docker)}


def load_recorded_sockets(known: dict[str, Runtime], record: ManagedFiles) -> None:
    """Set the CRI socket of each runtime to the socket that was configured last."""
    for runtime in known.values():
        runtime.socket_path = record.socket_of(runtime.name) or runtime.socket_path


def look_at_units(known: dict[str, Runtime], services: Services) -> dict[str, Unit]:
    """Return the units of all runtimes, from which each runtime learns what it uses."""
    units = services.look(name for runtime in known.values() for name in runtime.all_units)
    for runtime in known.values():
        runtime.read_units(units)
    return units


def running(runner: Runner, services: Services, name: str | None = None) -> Runtime:
    """Return the running runtime with this name, or the only running runtime of this node.

    A runtime that runs only because another one needs it is ignored, such as containerd under
    Docker.

    :raises NotRunningError: if the runtime is not running, or if no or several runtimes are.
    """
    known = runtimes(runner)
    load_recorded_sockets(known, ManagedFiles())
    units = look_at_units(known, services)
    return choose(known, units, name)


def choose(known: dict[str, Runtime], units: dict[str, Unit], name: str | None = None) -> Runtime:
    """Choose a runtime by the state of the units, see C(running)."""
    if name is not None:
        if not known[name].active(units):
            raise NotRunningError(
                f"{known[name].label} is not running on this node. Enable it with cruntime_enable",
                reason="runtime_not_running",
            )
        return known[name]
    chosen = primary_runtimes(known, units)
    if not chosen:
        raise NotRunningError(
            "No container runtime is running on this node. Enable one with cruntime_enable",
            reason="runtime_not_running",
        )
    if len(chosen) > 1:
        names = " and ".join(runtime.label for runtime in chosen)
        raise NotRunningError(
            f"{names} are running on this node. Set the option runtime to select one of them",
            reason="runtime_ambiguous",
        )
    return chosen[0]


def primary_runtimes(known: dict[str, Runtime], units: dict[str, Unit]) -> list[Runtime]:
    """Return the running runtimes, except those that only run because another one needs them."""
    active = [runtime for runtime in known.values() if runtime.active(units)]
    needed = {unit for runtime in active for unit in needed_by(runtime.units, units)}
    only_needed = [runtime for runtime in active if needed.issuperset(runtime.services)]
    # For example, the kubelet uses containerd, and Docker builds images next to it.
    socket = kubelet_process.find_socket() if only_needed else None
    return [
        runtime
        for runtime in active
        if runtime not in only_needed
        or os.path.realpath(runtime.socket_path) == socket
        or runtime.has_pods()
    ]
