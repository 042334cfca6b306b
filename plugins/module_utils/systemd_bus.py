# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the properties of units from systemd, over D-Bus: org.freedesktop.systemd1(5)."""

from __future__ import annotations

import os
import re
from typing import AbstractSet, Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.sockets.dbus import Bus

# systemd answers root on its own socket, which needs no bus daemon, as it answers systemctl.
_OWN_SOCKET = "/run/systemd/private"
_BUS_SOCKET = "/run/dbus/system_bus_socket"
_NAME = "org.freedesktop.systemd1"
# Time for systemd to respond, in seconds. A large node reloads its units in several seconds.
_TIMEOUT = 60


def read_properties(names: Iterable[str], wanted: AbstractSet[str]) -> dict[str, dict[str, Any]]:
    """Return properties of units by the name of the unit, also of units that do not exist.

    :raises RequestError: if systemd does not respond.
    """
    names = list(names)
    paths = [f"/org/freedesktop/systemd1/unit/{_escape(name)}" for name in names]
    is_root = os.geteuid() == 0
    with Bus(_OWN_SOCKET if is_root else _BUS_SOCKET, _NAME, is_root, _TIMEOUT) as bus:
        return dict(zip(names, bus.get_all(paths, wanted)))


def _escape(name: str) -> str:
    """Escape the name of a unit for an object path, as sd_bus_path_encode(3)."""
    return re.sub(
        "^[0-9]|[^A-Za-z0-9]", lambda match: f"_{ord(match[0]):02x}", name, flags=re.ASCII
    )
