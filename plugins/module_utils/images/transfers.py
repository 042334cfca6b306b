# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull or push several images at once, and retry after temporary failures."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CruntimeError,
    RequestError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import trim_docker_io
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import (
    DEADLINE_EXCEEDED,
    UNAVAILABLE,
)

# Failures that can be temporary. A retry does not help after any other failure.
_RETRYABLE = re.compile(
    r"timeout|timed out|deadline exceeded|connection refused|connection reset"
    r"|broken pipe|unexpected EOF|: EOF|no such host|server misbehaving|temporary failure"
    r"|no route to host|network is unreachable|too ?many ?requests"
    r"|internal server error|bad gateway|service unavailable|StatusCode: (?:429|5\d\d)\b",
    re.IGNORECASE,
)
# Failure of a registry that states in its response when it accepts requests again.
_BUSY = re.compile(r"too ?many ?requests|\b429\b", re.IGNORECASE)
# Reasons and codes of errors that are always temporary.
_LATE = ("command_timeout", "no_response")
_TEMPORARY = (DEADLINE_EXCEEDED, UNAVAILABLE)
_URL = re.compile(r"https?://[^\s\"]+")
_LONGEST_PAUSE = 30


class Failure(NamedTuple):
    """Image that could not be pulled or pushed.

    :param attempts: number of attempts.
    """

    name: str
    cause: str
    attempts: int


def cause_of(error: CruntimeError) -> str:
    """Return the message of an error without the command or the request."""
    if isinstance(error, RequestError):
        return error.cause
    return str(error).partition("' failed: ")[2] or str(error)


def is_retryable(error: CruntimeError, name: str = "") -> bool:
    """Return whether a failure can be temporary.

    :param name: name of the image, which is ignored in the message.
    """
    if error.reason in _LATE:
        return True
    if isinstance(error, RequestError) and error.code in _TEMPORARY:
        return True
    cause = cause_of(error)
    for word in filter(None, (name, trim_docker_io(name))):
        cause = cause.replace(word, "")
    return _RETRYABLE.search(_URL.sub("", cause)) is not None


def await_registry(name: str, credentials: Credentials | None) -> None:
    """Wait as long as the registry of an image asks for, at most one minute."""
    # Import it only here: the imports of TLS and HTTP are slow, and most tasks do not need them.
    from ansible_collections.cruntime.node.plugins.module_utils.images import registry

    # The client sends its requests again at the time that the registry states.
    registry.read_digest(name, credentials)


def transfer_all(
    transfer: Callable[[str], None],
    names: list[str],
    *,
    parallel: int,
    retries: int,
    await_registry: Callable[[str], object],
    sleep: Callable[[float], None] = time.sleep,
) -> list[Failure]:
    """Pull or push images, and return the failures.

    :param transfer: function that transfers one image, called in a separate thread.
    :param parallel: number of images that are transferred at once.
    :param retries: number of retries of each image, with pauses of 1, 2, 4 ... seconds.
    :param await_registry: function that waits as long as the registry of an image asks for, which
        runtimes do not report.
    """

    def attempt(name: str) -> Failure | None:
        for number in range(retries + 1):
            try:
                transfer(name)
                return None
            except CruntimeError as error:
                if number == retries or not is_retryable(error, name):
                    return Failure(name, cause_of(error), number + 1)
                if _BUSY.search(cause_of(error)):
                    await_registry(name)
            sleep(min(2**number, _LONGEST_PAUSE))
        return None

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        return [failure for failure in pool.map(attempt, names) if failure]


def raise_failures(failures: list[Failure], problem: str) -> None:
    """Raise an error that names each image that failed, with its cause.

    :param problem: what failed, after the number of failures.
    :raises CruntimeError: if there are failures.
    """
    if failures:
        causes = "; ".join(f"{failure.name}: {failure.cause}" for failure in failures)
        raise CruntimeError(
            f"{len(failures)} {problem}: {causes}",
            reason="transfer_failed",
            failures=[failure._asdict() for failure in failures],
        )
