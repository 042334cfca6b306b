# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI through crictl."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner

# crictl's own default of two seconds is too short for a loaded node.
_TIMEOUT = "10s"
# What takes as long as its pod, its network or its image does.
_ACTS = ("stop", "stopp", "rm", "rmp", "rmi")


def info(runner: Runner, endpoint: str) -> str | None:
    """Return the JSON text of C(crictl info), or None where the node has no crictl.

    :raises CommandError: the runtime does not answer.
    """
    if runner.which("crictl") is None:
        return None
    return runner.output(
        "crictl", "--runtime-endpoint", endpoint, "--timeout", _TIMEOUT, "info", timeout=30
    )


def run(
    runner: Runner,
    endpoint: str,
    *argv: str,
    timeout: float = 30,
    env: dict[str, str] | None = None,
    merged: bool = False,
) -> Result:
    """Run crictl on a runtime and return its result, whatever its exit status.

    :raises CommandError: the node has no crictl, or it took too long.
    """
    if runner.which("crictl") is None:
        raise CommandError(
            "crictl is not on this node, and nothing else asks a CRI: install it by the package "
            "cri-tools, or by runtime_crictl_archive of the role cruntime.node.runtime",
            reason="tool_not_found",
        )
    # Each endpoint would be read from crictl.yaml, which may be about another runtime.
    endpoints = ("--runtime-endpoint", endpoint, "--image-endpoint", endpoint)
    # Less than the process has, so that crictl still says what took so long.
    deadline = f"{int(max(timeout - 10, timeout / 2, 1))}s" if argv[0] in _ACTS else _TIMEOUT
    return runner.run(
        *("crictl", *endpoints, "--timeout", deadline, *argv),
        timeout=timeout,
        env=env,
        merged=merged,
    )


def documents(text: str) -> list[dict[str, Any]]:
    """Read one document, a list of them (crictl 1.31 and newer), or one after another (older)."""
    found, rest, decoder = [], text.strip(), json.JSONDecoder()
    while rest:
        document, end = decoder.raw_decode(rest)
        found += document if isinstance(document, list) else [document]
        rest = rest[end:].lstrip()
    return found
