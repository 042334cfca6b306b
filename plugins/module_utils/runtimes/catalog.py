# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every runtime there is."""

from __future__ import annotations

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
    """Return every runtime of this node by its name in a spec, installed or not."""
    return {cls.identity.name: cls(runner) for cls in (Containerd, Crio, Docker)}


def recall_sockets(known: dict[str, Runtime], record: ManagedFiles) -> None:
    """Let each runtime be asked where it was last told to answer."""
    for runtime in known.values():
        runtime.socket_path = record.socket_of(runtime.name) or runtime.socket_path


def running(runner: Runner, services: Services, name: str | None = None) -> Runtime:
    """Return the runtime of this name, or the one that this node runs, where it answers now.

    A runtime that runs only because another one needs it does not count, such as containerd
    under Docker.

    :raises NotRunningError: it does not run, none does, or several do.
    """
    known = runtimes(runner)
    recall_sockets(known, ManagedFiles())
    units = services.look(unit for runtime in known.values() for unit in runtime.all_units)
    return choose(known, units, name)


def choose(known: dict[str, Runtime], units: dict[str, Unit], name: str | None = None) -> Runtime:
    """Pick from what was seen, see C(running)."""
    if name is not None:
        if not known[name].active(units):
            raise NotRunningError(
                f"{known[name].label} is not running on this node: enable it with cruntime_enable",
                reason="runtime_not_running",
            )
        return known[name]
    chosen = in_their_own_right(known, units)
    if not chosen:
        raise NotRunningError(
            "no container runtime is running on this node: enable one with cruntime_enable",
            reason="runtime_not_running",
        )
    if len(chosen) > 1:
        names = " and ".join(runtime.label for runtime in chosen)
        raise NotRunningError(
            f"{names} are running on this node: say which by the option runtime",
            reason="runtime_ambiguous",
        )
    return chosen[0]


def in_their_own_right(known: dict[str, Runtime], units: dict[str, Unit]) -> list[Runtime]:
    """Return the runtimes that run, but for those that run because another one needs them."""
    active = [runtime for runtime in known.values() if runtime.active(units)]
    needed = {unit for runtime in active for unit in needed_by(runtime.units, units)}
    return [runtime for runtime in active if not needed.issuperset(runtime.services)]
