# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the setting with which the CRI of containerd pulls images without the image verifiers.

Only the transfer service of containerd runs verifiers. From 2.1 on, the CRI uses it, except if one
of these keys has a value that the transfer service does not support. It says so only in its log.
Source: CheckLocalImagePullConfigs in internal/cri/config/config.go of containerd 2.4.2.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import Leaves
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Path,
    normalize,
)

#: First version whose CRI can pull with the transfer service.
SINCE = (2, 1)
#: Directory of the verifiers, except if a drop-in names another one.
DIRECTORY = "/opt/containerd/image-verifier/bin"

_DIRECTORY_KEY = normalize(("plugins", "io.containerd.image-verifier.v1.bindir", "bin_dir"))
_IMAGES = ("plugins", "io.containerd.cri.v1.images")
# By key: the value with which the CRI uses the transfer service, and what to do instead.
_VALUES: dict[str, tuple[Any, str]] = {
    "use_local_image_pull": (False, "Remove this key"),
    "disable_snapshot_annotations": (True, "Remove this key"),
    "discard_unpacked_layers": (False, "Remove this key"),
    "image_pull_with_sync_fs": (False, "Remove this key"),
    "max_concurrent_downloads": (
        3,
        'Set this key of plugins."io.containerd.transfer.v1.local" in its place',
    ),
}
_TABLES = {
    "configs": "Give the credentials to the kubelet or the task that pulls, and not to registries",
    "mirrors": "Move them to registries",
    "auths": "Give the credentials to the kubelet or the task that pulls",
}


def list_verifiers(filed: Leaves) -> tuple[str, list[str]]:
    """Return the directory of the verifiers, and their names.

    :param filed: the configuration with which containerd would start.
    """
    directory = str(filed.get(_DIRECTORY_KEY) or DIRECTORY)
    try:
        return directory, sorted(os.listdir(directory))
    except OSError:
        return directory, []


def find_local_pull(filed: Leaves) -> tuple[Path, str] | None:
    """Return the key because of which the CRI pulls without the verifiers, and what to do instead.

    :param filed: the configuration with which containerd 2.1 or newer would start.
    """
    for key, (value, advice) in _VALUES.items():
        if filed.get(normalize((*_IMAGES, key)), value) != value:
            return (*_IMAGES, key), advice
    for table, advice in _TABLES.items():
        parent = normalize((*_IMAGES, "registry", table))
        if any(path[: len(parent)] == parent and len(path) > len(parent) for path in filed):
            return (*_IMAGES, "registry", table), advice
    return None
