# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of CRI-O."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import cri
from ansible_collections.cruntime.node.plugins.module_utils.containers.cri import CriContainers
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import NOT_FOUND

_HANDLER = "io.kubernetes.cri-o.RuntimeHandler"


class CrioContainers(CriContainers):
    """Containers of CRI-O, whose list of pods does not have their runtime handlers."""

    def _handlers(
        self, pods: list[dict[str, Any]], known: dict[str, OciRuntime | None]
    ) -> dict[str, str]:
        found = super()._handlers(pods, known)
        if len(set(known.values())) < 2:
            return found
        with self._channel() as channel:
            for pod in pods:
                if pod["state"] == "SANDBOX_READY":
                    try:
                        status = cri.pod_sandbox_status(channel, pod["id"])
                    except RequestError as error:
                        # The pod was removed after it was listed.
                        if error.code != NOT_FOUND:
                            raise
                    else:
                        found[pod["id"]] = parse_handler(status)
        return found


@parsing("PodSandboxStatus")
def parse_handler(status: dict[str, Any]) -> str:
    """Parse the status of a pod sandbox with its details."""
    annotations = json.loads(status["info"]["info"])["runtimeSpec"]["annotations"]
    return str(annotations.get(_HANDLER, ""))
