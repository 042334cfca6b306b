# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI through crictl."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

# crictl's own default of two seconds is too short for a loaded node.
_TIMEOUT = "10s"


def info(runner: Runner, endpoint: str) -> str | None:
    """Return the JSON text of C(crictl info), or None where the node has no crictl.

    :raises CommandError: the runtime does not answer.
    """
    if runner.which("crictl") is None:
        return None
    return runner.output(
        "crictl", "--runtime-endpoint", endpoint, "--timeout", _TIMEOUT, "info", timeout=30
    )
