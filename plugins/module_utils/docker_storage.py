# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the image store that Docker chooses when it starts: its own one, or the one of containerd.

The settings choose it, and the data that earlier versions left. Docker need not run.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.daemon_json import Table
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER

#: Fact of a node: Docker keeps its images in containerd.
STORE_FACT = "containerd_store"
#: Key of C(features) in daemon.json.
FEATURE = "containerd-snapshotter"
#: Storage drivers of Docker itself, unlike the snapshotters of containerd.
GRAPH_DRIVERS = frozenset(
    ("aufs", "btrfs", "devicemapper", "fuse-overlayfs", "overlay", "overlay2", "vfs", "zfs")
)
# Name of the directory of a user namespace within the data root.
_REMAPPED = re.compile(r"\d+\.\d+")


class Settings(NamedTuple):
    """Settings that choose a store.

    :param driver: the storage driver, empty if Docker chooses it.
    :param in_containerd: whether the images are in containerd, None if Docker decides it.
    :param user: value of C(userns-remap), empty if containers have no user namespace.
    :param namespace: Docker's namespace in containerd.
    """

    root: str
    driver: str
    in_containerd: bool | None
    user: str
    namespace: str


def read_settings(config: Table, command: Sequence[str]) -> Settings:
    """Read the settings from a daemon.json and the command line of the daemon.

    dockerd does not start if a setting is in both places.
    """

    def read(key: str, *flags: str) -> str:
        return str(config.get(key) or command_line.find_flag(command, key, *flags) or "")

    features = config.get("features")
    feature = features.get(FEATURE) if isinstance(features, dict) else None
    return Settings(
        # Docker before 23 also accepts the name graph.
        resolve(read("data-root", "g") or read("graph") or DOCKER.data_root),
        read("storage-driver", "s"),
        feature if isinstance(feature, bool) else None,
        read("userns-remap"),
        read("containerd-namespace") or "moby",
    )


def reports_containerd(info: dict[str, Any]) -> bool:
    """Return whether a running Docker has its images in containerd, from C(GET /info)."""
    return ["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or [])


def is_in_containerd(settings: Settings, major: int, prior: Sequence[str]) -> bool:
    """Return whether Docker would keep its images in containerd.

    :param major: the major version with which Docker starts next.
    :param prior: the result of C(list_prior_drivers).
    """
    if settings.in_containerd is not None and major >= 23:
        return settings.in_containerd
    if major < 29 or settings.user:
        return False
    return settings.driver not in GRAPH_DRIVERS if settings.driver else not prior


def resolve(path: str) -> str:
    """Return a path without symbolic links. An invalid path is returned unchanged."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


def split_root(path: str) -> tuple[str, bool]:
    """Return the data root, and whether the path is the directory of a user namespace in it."""
    root, name = os.path.split(path)
    return (root, True) if _REMAPPED.fullmatch(name) else (path, False)


def find_directory(root: str, is_remapped: bool) -> str:
    """Return the directory of the data: the data root, or a user namespace's directory in it."""
    names = list_directory(root) if is_remapped else []
    remapped = next(filter(_REMAPPED.fullmatch, names), "")
    return os.path.join(root, remapped) if remapped else root


def list_prior_drivers(directory: str) -> list[str]:
    """Return the drivers of which Docker finds data. Docker does not look for data of vfs."""
    return [
        driver
        for driver in sorted(GRAPH_DRIVERS - {"vfs"})
        if list_directory(os.path.join(directory, driver))
    ]


def list_directory(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []
