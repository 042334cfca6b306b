# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Common refusals and values of containerd and CRI-O."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import normalize
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import Refusal, Spec


def find_refusals(spec: Spec) -> Iterator[Refusal]:
    runtime = spec["runtime"]
    if spec["live_restore"] is False:
        yield Refusal(
            "live_restore",
            f"live_restore=false is not supported with runtime {runtime}: containers always keep "
            "running during a restart",
        )
    if spec["cri_service"]:
        yield Refusal(
            "cri_service",
            f"cri_service is not supported with runtime {runtime}: it has a built-in CRI",
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
            f"container_logs.max_files must be at least 2 with runtime {runtime}, because the "
            "kubelet rotates the logs",
        )


def find_pinned_images(spec: Spec) -> list[str]:
    """Return each fully qualified reference once, because image stores compare strings."""
    return list(dict.fromkeys(normalize(image) for image in spec["pinned_images"]))
