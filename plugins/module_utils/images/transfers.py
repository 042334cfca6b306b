# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several images pulled at once; what may pass is tried again."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError

# What a registry or the way to it may recover from. Everything else is as wrong a minute later.
_MAY_PASS = re.compile(
    r"timeout|timed out|deadline exceeded|did not finish|connection refused|connection reset"
    r"|broken pipe|unexpected EOF|: EOF|no such host|server misbehaving|temporary failure"
    r"|no route to host|network is unreachable|too ?many ?requests|\b(?:429|500|502|503|504)\b",
    re.IGNORECASE,
)
_LONGEST_PAUSE = 30


class Failure(NamedTuple):
    """An image that could not be had.

    :param attempts: how often it was tried.
    """

    name: str
    reason: str
    attempts: int


def reason_of(error: CommandError) -> str:
    """Leave out the command: the image is named already."""
    return str(error).partition("' failed: ")[2] or str(error)


def may_pass(reason: str) -> bool:
    """Say whether a failure is worth another attempt."""
    return _MAY_PASS.search(reason) is not None


def pull_all(
    pull: Callable[[str], None],
    names: list[str],
    parallel: int,
    retries: int,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Failure]:
    """Pull all of these, and return those that failed.

    :param pull: pulls one image, in a thread of its own.
    :param parallel: how many at once.
    :param retries: how often one is tried again, with pauses of 1, 2, 4 ... seconds.
    """

    def attempt(name: str) -> Failure | None:
        for number in range(retries + 1):
            try:
                return pull(name)
            except CommandError as error:
                if number == retries or not may_pass(str(error)):
                    return Failure(name, reason_of(error), number + 1)
            sleep(min(2**number, _LONGEST_PAUSE))
        return None

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return [failure for failure in pool.map(attempt, names) if failure]
