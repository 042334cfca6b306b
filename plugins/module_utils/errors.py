# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on a node, said in one sentence each."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator


class CruntimeError(Exception):
    """Ends the run with a message for the operator.

    :param message: one sentence that names the host's file or unit, the value and the way out.
    :param facts: further keys of the module's failure result.
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class CommandError(CruntimeError):
    """A tool on the node failed, was too slow or is missing."""


class NotRunningError(CruntimeError):
    """No runtime is running that could be asked."""


@contextlib.contextmanager
def parsing(source: str) -> Iterator[None]:
    """Report errors while the output of a tool is parsed; also a decorator of a parser.

    :param source: the command, for the message.
    :raises CruntimeError: if the output is not in the format of this tool.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CruntimeError(
            f"{source}: unreadable output: {type(error).__name__}: {error}. "
            "Run the command on the node to see what it prints"
        ) from error
