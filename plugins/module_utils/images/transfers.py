# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several images pulled or pushed at once; what may pass is tried again."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import trim_docker_io

# What a registry or the way to it may recover from. Everything else is as wrong a minute later.
_MAY_PASS = re.compile(
    r"timeout|timed out|deadline exceeded|did not finish|connection refused|connection reset"
    r"|broken pipe|unexpected EOF|: EOF|no such host|server misbehaving|temporary failure"
    r"|no route to host|network is unreachable|too ?many ?requests"
    r"|internal server error|bad gateway|service unavailable",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s\"]+")
_LONGEST_PAUSE = 30


class Failure(NamedTuple):
    """An image that could not be transferred.

    :param attempts: how often it was tried.
    """

    name: str
    cause: str
    attempts: int


def cause_of(error: CruntimeError) -> str:
    """Leave out the command: the image is named already."""
    return str(error).partition("' failed: ")[2] or str(error)


def may_pass(cause: str, name: str = "") -> bool:
    """Say whether a failure is worth another attempt.

    :param name: the image's, which may be made of any words.
    """
    for word in filter(None, (name, trim_docker_io(name))):
        cause = cause.replace(word, "")
    return _MAY_PASS.search(_URL.sub("", cause)) is not None


def transfer_all(
    transfer: Callable[[str], None],
    names: list[str],
    parallel: int,
    retries: int,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Failure]:
    """Pull or push all of these, and return those that failed.

    :param transfer: transfers one image, in a thread of its own.
    :param parallel: how many at once.
    :param retries: how often one is tried again, with pauses of 1, 2, 4 ... seconds.
    """

    def attempt(name: str) -> Failure | None:
        for number in range(retries + 1):
            try:
                transfer(name)
                return None
            except CruntimeError as error:
                cause = cause_of(error)
                if number == retries or not may_pass(cause, name):
                    return Failure(name, cause, number + 1)
            sleep(min(2**number, _LONGEST_PAUSE))
        return None

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return [failure for failure in pool.map(attempt, names) if failure]
