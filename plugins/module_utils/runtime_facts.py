# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the runtimes of a node and the states of their units, as modules return them."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    load_recorded_sockets,
    look_at_units,
    primary_runtimes,
    runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Services, Unit


def describe_runtimes(runner: Runner, warn: Callable[[str], None]) -> dict[str, Any]:
    """Return the facts about all runtimes, the names of the running ones, and the units.

    :param warn: gets a message for each fact that is not known.
    """
    known = runtimes(runner)
    load_recorded_sockets(known, ManagedFiles())
    units = look_at_units(known, Services(runner))
    return {
        "runtimes": {name: _describe(runtime, units, warn) for name, runtime in known.items()},
        "running": [runtime.name for runtime in primary_runtimes(known, units)],
        "units": [
            {"name": name, **unit.state} for name, unit in sorted(units.items()) if unit.found
        ],
    }


def _describe(
    runtime: Runtime, units: dict[str, Unit], warn: Callable[[str], None]
) -> dict[str, Any]:
    installed = runtime.installed(units)
    active = installed and runtime.active(units)
    version = cgroup_driver = None
    if installed:
        try:
            version = KnownVersions(keep=False).of(runtime)
        except CruntimeError as error:
            warn(f"Could not determine the version of {runtime.label}: {error}")
    if active:
        try:
            cgroup_driver = runtime.cgroup_driver()
        except CruntimeError as error:
            warn(f"Could not determine the cgroup driver of {runtime.label}: {error}")
    return {
        "installed": installed,
        "version": version,
        "active": active,
        "enabled": installed and runtime.enabled(units),
        **runtime.cri_facts,
        "cgroup_driver": cgroup_driver,
        "kubelet_options": runtime.kubelet_options(),
    }
