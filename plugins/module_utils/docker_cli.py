# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command-line client of Docker on the engine of this node."""

from __future__ import annotations

from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_SOCKET
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

#: Socket of the engine of this node.
ENDPOINT = f"unix://{DOCKER_SOCKET}"


def argv(*words: str, host: str = ENDPOINT) -> tuple[str, ...]:
    """Return a command with its host, because DOCKER_HOST or a context can set another machine."""
    return ("docker", "--host", host, *words)


def inspect(
    runner: Runner, kind: str, ids: Iterable[str], *flags: str, host: str = ENDPOINT
) -> str:
    """Inspect several objects with one command. Objects that no longer exist are skipped.

    :param kind: container or image.
    :raises CommandError: if the command fails for another reason.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return ""
    result = runner.run(*argv(kind, "inspect", *flags, *wanted, host=host))
    # docker reports a missing object after the output for all others.
    errors = [line for line in result.err.splitlines() if "no such" not in line.lower()]
    if result.rc != 0 and errors:
        raise result.failure(f"docker {kind} inspect", cause=" ".join(errors))
    return result.out
