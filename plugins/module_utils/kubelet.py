# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements of a kubelet version. Pure functions for the controller and the node."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.versions import Version


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


def older(version: str, than: str) -> bool:
    return Version(version) < Version(than)
