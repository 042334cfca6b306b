# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of CRI-O."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import crictl
from ansible_collections.cruntime.node.plugins.module_utils.containers.cri import CriContainers
from ansible_collections.cruntime.node.plugins.module_utils.errors import parsing
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime

_HANDLER = "io.kubernetes.cri-o.RuntimeHandler"


class CrioContainers(CriContainers):
    """Containers of CRI-O, whose list of pods does not have their runtime handlers."""

    def _handlers(
        self, pods: list[dict[str, Any]], known: dict[str, OciRuntime | None]
    ) -> dict[str, str]:
        ready = [pod["id"] for pod in pods if pod["state"] == "SANDBOX_READY"]
        listed = super()._handlers(pods, known)
        if not ready or len(set(known.values())) < 2:
            return listed
        return {**listed, **parse_handlers(self._output("inspectp", "--output", "json", *ready))}


@parsing("crictl inspectp")
def parse_handlers(inspected: str) -> dict[str, str]:
    """Parse C(crictl inspectp)."""
    return {
        each["status"]["id"]: each["info"]["runtimeSpec"]["annotations"].get(_HANDLER, "")
        for each in crictl.documents(inspected)
    }
