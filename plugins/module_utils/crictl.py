# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run crictl."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner

# crictl's own default of two seconds is too short for a loaded node.
_TIMEOUT = "10s"
# Commands that take as long as their pod, network or image needs.
_ACTS = ("stop", "stopp", "rm", "rmp", "rmi")


def run(
    runner: Runner,
    endpoint: str,
    *argv: str,
    timeout: float = 30,
    env: dict[str, str] | None = None,
    merged: bool = False,
) -> Result:
    """Run crictl on a runtime and return its result, with any exit status.

    :raises CommandError: if crictl is not installed, or does not end in time.
    """
    if runner.which("crictl") is None:
        raise CommandError(
            "crictl is not installed on this node: it is required to access images and containers "
            "through the CRI. Install the package cri-tools, or set runtime_crictl_archive for the "
            "role cruntime.node.runtime",
            reason="tool_not_found",
        )
    # Otherwise crictl reads the endpoints from crictl.yaml, which can name another runtime.
    endpoints = ("--runtime-endpoint", endpoint, "--image-endpoint", endpoint)
    # The deadline is shorter than the process timeout, so crictl reports which call timed out.
    deadline = f"{int(max(timeout - 10, timeout / 2, 1))}s" if argv[0] in _ACTS else _TIMEOUT
    return runner.run(
        *("crictl", *endpoints, "--timeout", deadline, *argv),
        timeout=timeout,
        env=env,
        merged=merged,
    )


def documents(text: str) -> list[dict[str, Any]]:
    """Parse one document, a list (crictl 1.31 and newer) or a sequence of documents (older)."""
    found, rest, decoder = [], text.strip(), json.JSONDecoder()
    while rest:
        document, end = decoder.raw_decode(rest)
        found += document if isinstance(document, list) else [document]
        rest = rest[end:].lstrip()
    return found
