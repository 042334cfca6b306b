# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the images, containers and volumes of Docker on the disk. Docker need not run."""

from __future__ import annotations

import json
import os
from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils.checks import hidden_data
from ansible_collections.cruntime.node.plugins.module_utils.containerd_namespaces import (
    read_namespaces,
)
from ansible_collections.cruntime.node.plugins.module_utils.docker_storage import list_directory
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

_SWARM_STATE = "swarm/docker-state.json"


def is_copied(directory: str, new_directory: str, driver: str) -> bool:
    """Return whether a new directory has all containers, images and volumes of the old one."""
    return all(
        set(old) <= set(new)
        for old, new in (
            (list_containers(directory, driver), list_containers(new_directory, driver)),
            (list_images(directory, driver), list_images(new_directory, driver)),
            (list_volumes(directory), list_volumes(new_directory)),
        )
    )


def list_containers(directory: str, driver: str) -> list[str]:
    containers = os.path.join(directory, "containers")
    return [
        name
        for name in list_directory(containers)
        if _driver_of(os.path.join(containers, name)) in ("", driver)
    ]


def list_images(directory: str, driver: str) -> list[str]:
    return list_directory(os.path.join(directory, "image", driver, "imagedb/content/sha256"))


def list_volumes(directory: str) -> list[str]:
    volumes = os.path.join(directory, "volumes")
    return [name for name in list_directory(volumes) if os.path.isdir(os.path.join(volumes, name))]


def count_containerd_images(runner: Runner, root: str, namespace: str) -> int:
    """Return the number of Docker's images in containerd, UNKNOWN if it cannot be determined."""
    ask = ("ctr", "--address", CONTAINERD.socket_path, "--connect-timeout", "2s")
    words = ("--namespace", namespace, "images", "ls", "--quiet")
    try:
        return len(runner.output(*ask, *words, timeout=10).split())
    except CommandError:
        # If no containerd runs, Docker starts one with its own data root.
        roots = (CONTAINERD.data_root, os.path.join(root, "containerd/daemon"))
        return _count_images_on_disk(roots, namespace)


def _count_images_on_disk(roots: Iterable[str], namespace: str) -> int:
    try:
        found = [each for root in roots for each in read_namespaces(root)]
    except (CruntimeError, OSError):
        return hidden_data.UNKNOWN
    return sum(each.images for each in found if each.name == namespace)


def is_in_swarm(directory: str) -> bool:
    """Return whether the node is in a swarm, with the same check as dockerd at its start."""
    try:
        return os.path.getsize(os.path.join(directory, _SWARM_STATE)) > 0
    except (OSError, ValueError):
        return False


def _driver_of(container: str) -> str:
    """Return the driver of a container, empty if it cannot be determined."""
    try:
        config = json.loads(read_regular(os.path.join(container, "config.v2.json")))
        driver = config.get("Driver", "")
    except (OSError, ValueError, AttributeError, CruntimeError):
        return ""
    return driver if isinstance(driver, str) else ""
