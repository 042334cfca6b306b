# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containerd and CRI-O have in common: a kubelet drives them."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import normalised
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError


def check(spec: dict[str, Any]) -> None:
    runtime = spec["runtime"]
    if spec["live_restore"] is False:
        raise SpecError(
            f"live_restore can't be false with runtime {runtime}: its containers always outlive "
            "a restart"
        )
    if spec["cri_service"]:
        raise SpecError(f"cri_service can't be met with runtime {runtime}: it has its own CRI")
    if spec["network_plugin"] not in (None, "cni"):
        raise SpecError(
            f"network_plugin must be cni with runtime {runtime}, not {spec['network_plugin']}"
        )
    logs = spec["container_logs"]
    if logs is not None and logs["max_files"] == 1:
        raise SpecError(
            f"container_logs.max_files must be 2 at least with runtime {runtime}: the kubelet "
            "rotates its logs, and keeps no fewer"
        )


def pinned_images(spec: dict[str, Any]) -> list[str]:
    """Name each image in full, once: an image store compares names as they are."""
    return list(dict.fromkeys(normalised(image) for image in spec["pinned_images"]))
