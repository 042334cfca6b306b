# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a new daemon.json for problems that C(dockerd --validate) does not find.

The module is imported only if the file changes.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import (
    daemon_json,
    docker_storage,
    dropped,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    docker_disk,
    docker_store,
)
from ansible_collections.cruntime.node.plugins.module_utils.daemon_json import Table
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Unit,
    read_start,
)

# Time for a request to the engine, in seconds. A loaded node counts its images slowly.
_TIMEOUT = 30
_REMEDY = "If they are needed, set them with options or with extra_config"


def check(runner: Runner, docker: Docker, change: Change, unit: Unit) -> None:
    """Check a change of daemon.json.

    :raises CruntimeError: if the next start would fail, or hide images and containers.
    """
    before, after = _read(change.before), _read(change.after) or {}
    argv = read_start(unit).argv
    old = None if before is None else docker_storage.read_settings(before, argv)
    new = docker_storage.read_settings(after, argv)
    is_live_restore = after.get("live-restore") is True
    if old == new and not is_live_restore:
        return
    info = docker.api(_TIMEOUT).info() if unit.active else None
    # If the current file cannot be parsed, its settings are not known.
    stopped = old or docker_storage.read_settings({}, argv)
    if is_live_restore:
        _check_no_swarm(
            change.path, info, docker_storage.find_directory(stopped.root, bool(stopped.user))
        )
    if old != new:
        major = docker.find_major()
        if info is None:
            store = docker_store.find_store(runner, stopped, major)
        else:
            store = docker_store.read_store(info)
        docker_store.check(change.path, store, old, new, major)


def find_dropped(change: Change) -> list[dropped.Dropped]:
    """Return the foreign settings in a daemon.json that are lost when it is replaced."""
    before, after = _read(change.before), _read(change.after) or {}
    if before is None:
        raise CruntimeError(
            f"{change.target}: could not be parsed as JSON. Repair the file",
            reason="file_unreadable",
        )
    foreign = daemon_json.remove(before, change.old_keys)
    return dropped.describe(daemon_json.find_dropped(foreign, after), change.target, _REMEDY)


def _check_no_swarm(path: str, info: dict[str, Any] | None, directory: str) -> None:
    """Check that the node is not in a swarm, where dockerd does not start with live-restore."""
    if info is not None:
        state = (info.get("Swarm") or {}).get("LocalNodeState") or "inactive"
    else:
        state = "stopped" if docker_disk.is_in_swarm(directory) else "inactive"
    if state != "inactive":
        raise CruntimeError(
            f"{path}: live-restore cannot be enabled on this node: it is in a swarm "
            f"({state}), where Docker does not start with live-restore. Remove live_restore from "
            "the spec, or leave the swarm with 'docker swarm leave'",
            reason="configuration_refused",
        )


def _read(content: Any) -> Table | None:
    """Parse a daemon.json; None if it cannot be parsed, which is an error unless it is replaced."""
    try:
        return daemon_json.parse(content) if isinstance(content, bytes) else {}
    except ValueError:
        return None
