# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that end a task."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

#: Length of the end of a command's error output that is returned, in characters.
_STDERR_LIMIT = 4000


class CruntimeError(Exception):
    """Error that ends the task with a message for the user.

    :param message: names the file, unit or option with its value, the problem and the fix. Secrets
        are redacted.
    :param reason: a key of C(reasons.REASONS). Roles and tests match it instead of the message.
    :param facts: further keys of the module's failure result.
    """

    def __init__(self, message: str, *, reason: str, **facts: Any) -> None:
        # Import it only for an error: most runs do not need it.
        from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text

        super().__init__(redact_text(message))
        self.reason = reason
        self.facts = facts

    @property
    def cause(self) -> str:
        """Return the message for an error that names the subject itself."""
        return str(self)

    @property
    def result(self) -> dict[str, Any]:
        """Return the failure result of the module."""
        result = {"msg": str(self), "reason": self.reason, **self.facts}
        if "cmd" in result:
            from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text

            result["cmd"] = redact_text(result["cmd"])
            result["stderr"] = redact_text(result.get("stderr", ""))[-_STDERR_LIMIT:]
        return result


class CommandError(CruntimeError):
    """Error of a tool or daemon on the node that failed, was too slow or was not found."""


class RequestError(CommandError):
    """Error of a request to the socket of a daemon.

    :param code: status code of gRPC or HTTP; None if the daemon sent no readable response.
    :param detail: error message of the daemon, empty if it sent none. Secrets are redacted.
    """

    def __init__(
        self, message: str, *, reason: str, code: int | None = None, detail: str = ""
    ) -> None:
        from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text

        super().__init__(message, reason=reason)
        self.code = code
        self.detail = redact_text(detail)

    @property
    def cause(self) -> str:
        """Return the message of the daemon without the request; the whole message without one."""
        return self.detail or str(self)


class NotRunningError(CruntimeError):
    """Error if no runtime or more than one runtime is running."""


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
            "Run the command on the node to see what it prints",
            reason="output_unreadable",
        ) from error
