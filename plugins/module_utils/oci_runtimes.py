# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI runtimes of a spec, including the OCI runtime for GPUs. Pure functions."""

from __future__ import annotations

from typing import Any

#: Shim of runc and of all OCI runtimes with the same command line.
RUNC_SHIM = "io.containerd.runc.v2"
# Path in the packages of NVIDIA.
_NVIDIA: dict[str, Any] = {
    "name": "nvidia",
    "path": "/usr/bin/nvidia-container-runtime",
    "shim": None,
    "base_spec": {},
}


def named(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the OCI runtimes of the option oci_runtimes, and the OCI runtime for GPUs."""
    given: list[dict[str, Any]] = spec["oci_runtimes"]
    if spec["gpus"] != "nvidia" or any(each["name"] == "nvidia" for each in given):
        return given
    return [*given, _NVIDIA]


def default(spec: dict[str, Any]) -> str | None:
    """Return the name of the default OCI runtime, None for the default of the runtime."""
    return spec["oci_runtime"] or ("nvidia" if spec["gpus"] == "nvidia" else None)
