# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI runtimes of a spec: those that it names, and the one that its GPUs need. Pure."""

from __future__ import annotations

from typing import Any

#: The shim that drives runc, and what has its command line.
RUNC_SHIM = "io.containerd.runc.v2"
# Where NVIDIA's packages put it.
_NVIDIA = {"name": "nvidia", "path": "/usr/bin/nvidia-container-runtime", "shim": None}


def named(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every OCI runtime beside the runtime's own, as the option oci_runtimes has them."""
    given: list[dict[str, Any]] = spec["oci_runtimes"]
    if spec["gpus"] != "nvidia" or any(each["name"] == "nvidia" for each in given):
        return given
    return [*given, _NVIDIA]


def default(spec: dict[str, Any]) -> str | None:
    """Return the name of the one for containers that ask for no other, None for the runtime's."""
    return spec["oci_runtime"] or ("nvidia" if spec["gpus"] == "nvidia" else None)
