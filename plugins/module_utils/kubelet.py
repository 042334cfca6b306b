# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements of a kubelet version. Pure functions for the controller and the node."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.versions import Version

#: The first version with a limit for parallel pulls of images.
PULLS_LIMITED_SINCE = "1.27.0"
_GC_FIELDS = {
    "high_percent": "imageGCHighThresholdPercent",
    "low_percent": "imageGCLowThresholdPercent",
}


def has_dockershim(kubernetes: str) -> bool:
    """Return whether this kubelet has the dockershim, and therefore needs C(container-runtime)."""
    return older(kubernetes, "1.24.0-alpha.0")


def needs_adapter(spec: dict[str, Any]) -> bool:
    """Return whether cri-dockerd must run: set in the spec, or needed by its kubelet."""
    wanted: bool | None = spec.get("cri_service")
    kubernetes: str | None = spec.get("kubernetes_version")
    if wanted is not None:
        return wanted
    return bool(kubernetes and not has_dockershim(kubernetes))


def find_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of KubeletConfiguration that options of a spec set."""
    fields: dict[str, Any] = {}
    logs = options.get("container_logs")
    # Docker rotates its logs itself, and cri-dockerd cannot reopen them for the kubelet.
    if logs and options["runtime"] != "docker":
        # The units k, m and g are powers of 1024, as in Docker.
        size = logs["max_size"].upper()
        fields["containerLogMaxSize"] = size if size.isdigit() else f"{size}i"
        if logs.get("max_files"):
            fields["containerLogMaxFiles"] = logs["max_files"]
    kubernetes = options.get("kubernetes_version")
    parallel = (options.get("image_pulls") or {}).get("parallel")
    if parallel:
        fields["serializeImagePulls"] = parallel == 1
        if not (kubernetes and older(kubernetes, PULLS_LIMITED_SINCE)):
            fields["maxParallelImagePulls"] = parallel
    for key, field in _GC_FIELDS.items():
        value = (options.get("image_gc") or {}).get(key)
        if value is not None:
            fields[field] = value
    return fields


def find_cgroup(slice_name: str, unit: str) -> str:
    """Return the cgroup of a unit in a slice of systemd, such as /system.slice/crio.service."""
    name = slice_name[: -len(".slice")]
    # A slice a-b.slice is in a.slice, and -.slice is the root.
    words = [word for word in name.split("-") if word]
    parents = [f"{'-'.join(words[:number])}.slice" for number in range(1, len(words) + 1)]
    return "/" + "/".join([*parents, unit])


def older(version: str, than: str) -> bool:
    return Version(version) < Version(than)
