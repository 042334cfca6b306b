# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's client, told which engine is meant."""

from __future__ import annotations

from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

#: Where the node's own engine answers.
ENDPOINT = "unix:///run/docker.sock"


def argv(*words: str, host: str = ENDPOINT) -> tuple[str, ...]:
    """Return a command: the operator's DOCKER_HOST or context may be another machine."""
    return ("docker", "--host", host, *words)


def inspect(runner: Runner, kind: str, ids: Iterable[str], *flags: str) -> str:
    """Ask for all of them at once. What went away meanwhile is left out.

    :param kind: container or image.
    :raises CommandError: something else went wrong.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return ""
    result = runner.run(*argv(kind, "inspect", *flags, *wanted))
    # One that vanished since it was listed is said to be missing, after all the others.
    trouble = [line for line in result.err.splitlines() if "no such" not in line.lower()]
    if result.rc != 0 and trouble:
        raise result.failure(f"docker {kind} inspect", cause=" ".join(trouble))
    return result.out
