# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the flags in the unit of cri-dockerd that the drop-in of this collection replaces."""

from __future__ import annotations

import os
import shlex

from ansible_collections.cruntime.node.plugins.module_utils import dropped, services
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRI_DOCKERD_DROP_IN

_UNIT = DOCKER.adapters[-1]
_ADMINS_UNIT = f"/etc/systemd/system/{_UNIT}"
_REMEDY = (
    f"If they are needed, set ExecStart in a drop-in of {_UNIT} that sorts after "
    f"{os.path.basename(CRI_DOCKERD_DROP_IN)}"
)


def find_dropped(staged: str) -> list[dropped.Dropped]:
    """Return the flags that are lost with the command that the staged drop-in replaces."""
    file = ""
    command: tuple[str, ...] = ()
    for path in _unit_files():
        settings = services.read_settings(path)
        if not any(line.startswith("ExecStart=") for line in settings):
            continue
        if os.path.basename(path) > os.path.basename(CRI_DOCKERD_DROP_IN) and command:
            # This drop-in is read later, so it still sets the command.
            return []
        file, command = path, services.parse_exec_start(settings)
    new = parse_flags(services.parse_exec_start(services.read_settings(staged)))
    old = parse_flags(command)
    lost: dict[tuple[str, ...], str] = {
        (flag,): value for flag, value in old.items() if flag not in new
    }
    return dropped.describe(lost, file, _REMEDY)


def _unit_files() -> list[str]:
    """Return the unit file and its drop-ins. A unit file in /etc replaces the packaged one."""
    paths = services.unit_files(_UNIT)
    # A mask is a link to /dev/null, which is not a regular file.
    if os.path.isfile(_ADMINS_UNIT):
        paths = [_ADMINS_UNIT, *(path for path in paths if os.path.basename(path) != _UNIT)]
    return paths


def parse_flags(command: tuple[str, ...]) -> dict[str, str]:
    """Return the flags of a command with their values, empty for a flag without one."""
    flags: dict[str, str] = {}
    name = ""
    for word in shlex.split(" ".join(command[1:])):
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            flags[name] = value
            name = "" if equals else name
        elif name:
            flags[name], name = word, ""
    return flags
