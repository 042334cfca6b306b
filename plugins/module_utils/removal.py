# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and remove the data of a runtime, also its data in the store of another runtime.

Each runtime lists the names of its data; nothing else is removed.
"""

from __future__ import annotations

import os
from typing import Any, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import (
    containerd_namespaces,
    stored_data,
)
from ansible_collections.cruntime.node.plugins.module_utils.at_risk import AtRisk
from ansible_collections.cruntime.node.plugins.module_utils.command_line import list_processes
from ansible_collections.cruntime.node.plugins.module_utils.containerd_namespaces import Namespace
from ansible_collections.cruntime.node.plugins.module_utils.daemons import find_orphans
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.stored_data import Data

_SHOWN = 3


class Kept(NamedTuple):
    """Data of a runtime on this node.

    :param data: the data in each of its data roots.
    :param namespaces: its namespaces in the store of another runtime, each with the root of that
        store.
    :param keeper: the runtime that this store belongs to, None if there are no namespaces.
    """

    data: tuple[Data, ...] = ()
    namespaces: tuple[tuple[str, Namespace], ...] = ()
    keeper: Runtime | None = None

    @property
    def lines(self) -> list[str]:
        """The data to remove, one line each, as reported to the user."""
        paths = [path for data in self.data for path in data.paths]
        return [*paths, *(f"{root}: namespace {each}" for root, each in self.namespaces)]

    def diffs(self, label: str) -> list[dict[str, str]]:
        """Return Ansible's diff of the removal, empty if there is no data."""
        header = f"data of {label}"
        before = "".join(f"{line}\n" for line in self.lines)
        diff = {"before_header": header, "after_header": header, "before": before, "after": ""}
        return [diff] if before else []


def find_kept(
    node: Node,
    runtime: Runtime,
    record: ManagedFiles,
    options: dict[str, Any],
    units: dict[str, Unit],
) -> Kept:
    """Return the data of a runtime that will be removed.

    :param options: C(storage) can name a data root that the record does not have.
    :raises CruntimeError: if a data root also has foreign data, or it cannot be distinguished.
    """
    roots = _roots(runtime, record, (options.get("storage") or {}).get("root"))
    _check_namespaces(runtime, roots)
    data = tuple(
        stored_data.find_data(root, runtime.data_names, runtime.data_first, runtime.label, roots)
        for root in roots
    )
    runtime.check_data(roots)
    keepers = [each for each in node.runtimes.values() if each.keeps_namespaces]
    found = [
        (keeper, root, namespace)
        for keeper in keepers
        if keeper.name != runtime.name
        for root in _roots(keeper, record, None)
        for namespace in containerd_namespaces.read_namespaces(root)
        if namespace.name in runtime.namespaces
    ]
    if not found:
        return Kept(data)
    keeper = found[0][0]
    _check_startable(keeper, runtime, units)
    return Kept(data, tuple((root, namespace) for _keeper, root, namespace in found), keeper)


def remove_kept(node: Node, kept: Kept, units: dict[str, Unit]) -> None:
    """Remove the data of a runtime, which must be stopped.

    :param units: the units before this run changed them.
    :raises CruntimeError: if something cannot be removed. The next run removes the rest.
    """
    if kept.keeper is not None:
        services = kept.keeper.services
        stopped = [name for name in services if not units[name].active]
        if stopped:
            node.services.start(stopped)
        for _root, namespace in kept.namespaces:
            containerd_namespaces.remove_namespace(
                node.runner, kept.keeper.socket_path, namespace.name
            )
        if stopped:
            node.services.stop(stopped)
    for data in kept.data:
        stored_data.remove(data, node.runner)


def describe_edited(managed: Iterable[str], changes: Iterable[Change]) -> list[str]:
    """Return a warning for each managed file that stays because it was changed.

    :param managed: paths of all managed files of the runtime.
    :param changes: the removals among them.
    """
    removed = {change.path for change in changes}
    return [
        f"{path}: not removed: it was changed after this collection wrote it. Remove it if it is "
        "not needed"
        for path in managed
        if path not in removed and os.path.lexists(path)
    ]


def check_idle(runtime: Runtime, at_risk: Iterable[AtRisk], *, is_active: bool) -> None:
    """Check that no process on the node holds a container of a runtime.

    :param at_risk: containers that the runtime reports.
    :param is_active: whether the runtime is running.
    :raises CruntimeError: if there are such processes.
    """
    holders = {pid: argv for pid, argv in list_processes() if runtime.holds_container(argv)}
    orphans = find_orphans(runtime, holders) if holders and is_active else set()
    problems = []
    if holders.keys() - orphans:
        problems.append(
            f"{runtime.label} still runs containers: their processes have the PIDs "
            f"{_show(holders.keys() - orphans)}. Drain the node and remove the containers first"
        )
    if orphans:
        problems.append(
            f"{runtime.label} does not know the containers of the processes with the PIDs "
            f"{_show(orphans)}, which an earlier process of it left behind. End their containers: "
            "kill the child processes of these processes, and then these processes"
        )
    if problems:
        raise CruntimeError(
            ". ".join(problems),
            reason="containers_running",
            containers_at_risk=[each.result for each in at_risk],
        )


def _show(pids: Iterable[int]) -> str:
    """Return the first PIDs and the number of the others."""
    ordered = sorted(pids)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(map(str, ordered[:_SHOWN])) + more


def _roots(runtime: Runtime, record: ManagedFiles, given: str | None) -> list[str]:
    roots = [*record.data_roots.get(runtime.name, ()), *([given] if given else [])]
    # Different paths can lead to the same directory.
    return list(
        dict.fromkeys(os.path.realpath(root) for root in roots or [runtime.identity.data_root])
    )


def _check_namespaces(runtime: Runtime, roots: Iterable[str]) -> None:
    if not runtime.keeps_namespaces:
        return
    for root in roots:
        foreign = [
            str(each)
            for each in containerd_namespaces.read_namespaces(root)
            if each.name not in runtime.namespaces and not each.is_empty
        ]
        if foreign:
            raise CruntimeError(
                f"{root}: foreign data: {runtime.label} keeps data of others in the namespaces "
                f"{', '.join(foreign)}. Remove it first (to remove moby, the namespace of Docker, "
                "set runtime: docker and state: absent), or set keep_data: true",
                reason="data_foreign",
            )


def _check_startable(keeper: Runtime, runtime: Runtime, units: dict[str, Unit]) -> None:
    for name in keeper.services:
        if not units[name].active and (units[name].masked or not units[name].found):
            raise CruntimeError(
                f"{runtime.label} keeps data in the store of {keeper.label}, which must run to "
                f"remove the data: {name} is "
                f"{'masked' if units[name].masked else 'not installed'}. Unmask or install it "
                "first, or set keep_data: true",
                reason="runtime_not_running",
            )
