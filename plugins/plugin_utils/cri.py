# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals and values that containerd and CRI-O have in common."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import normalised
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import Refusal, Spec


def find_refusals(spec: Spec) -> Iterator[Refusal]:
    runtime = spec["runtime"]
    if spec["live_restore"] is False:
        yield Refusal(
            "live_restore",
            f"live_restore can't be false with runtime {runtime}: its containers always outlive "
            "a restart",
        )
    if spec["cri_service"]:
        yield Refusal(
            "cri_service", f"cri_service can't be met with runtime {runtime}: it has its own CRI"
        )
    if spec["network_plugin"] not in (None, "cni"):
        yield Refusal(
            "network_plugin",
            f"network_plugin must be cni with runtime {runtime}, not {spec['network_plugin']}",
        )
    logs = spec["container_logs"]
    if logs is not None and logs["max_files"] == 1:
        yield Refusal(
            "container_logs.max_files",
            f"container_logs.max_files must be 2 at least with runtime {runtime}: the kubelet "
            "rotates its logs, and keeps no fewer",
        )


def find_pinned_images(spec: Spec) -> list[str]:
    """Return each image reference once, fully qualified: an image store compares them as text."""
    return list(dict.fromkeys(normalised(image) for image in spec["pinned_images"]))
