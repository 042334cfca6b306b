# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call unary methods of gRPC on a unix socket.

Source: U(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

from typing import Callable, TypeVar

from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.sockets.hpack import Header
from ansible_collections.cruntime.node.plugins.module_utils.sockets.http2 import (
    Connection,
    Response,
)
from ansible_collections.cruntime.node.plugins.module_utils.sockets.wire import LIMIT, Wire

_T = TypeVar("_T")
#: Status codes of gRPC.
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
UNIMPLEMENTED = 12
UNAVAILABLE = 14

# Maximum value of the header grpc-timeout, which has 8 digits.
_MAX_MILLISECONDS = 99_999_999
# A compression flag and a length.
_PREFIX = 5
# A daemon can report the deadline of the call this long before the client notices it, in seconds.
_EARLIEST = 1


class Channel:
    """Channel to a daemon. Its calls share one connection, which the first call opens.

    :param path: path of the unix socket.
    :param timeout: time for each call, in seconds.
    :param limit: maximum size of everything that the daemon sends for a call, in bytes.
    :param metadata: headers of each call, with names in lower case.
    """

    def __init__(
        self,
        path: str,
        timeout: float,
        limit: int = LIMIT,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self._path = path
        self._timeout = timeout
        self._limit = limit
        self._metadata = list((metadata or {}).items())
        self._connection: Connection | None = None

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def call(self, method: str, decode: Callable[[bytes], _T], message: bytes = b"") -> _T:
        """Call a method and return its response.

        :param method: path of the method: C(/package.Service/Method).
        :param decode: function that decodes the message of the response. It can raise ValueError.
        :param message: message of the request, encoded with protobuf.
        :raises RequestError: if the daemon does not respond in time, if it responds with an error,
            or if the response is unreadable. The C(code) of an error that the daemon reports is a
            status code of gRPC.
        """
        connection = self._open()
        wire = connection.wire
        try:
            wire.begin(method, self._timeout)
            with wire.reading():
                headers = _headers(method, self._timeout) + self._metadata
                response = connection.request(headers, _frame(message))
                _check_status(wire, response)
                return decode(_unframe(bytes(response.body)))
        except RequestError:
            self._close()
            raise

    def _open(self) -> Connection:
        if self._connection is None or self._connection.is_ending:
            self._close()
            self._connection = Connection(Wire(self._path, self._limit))
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _headers(method: str, timeout: float) -> list[Header]:
    milliseconds = min(max(int(timeout * 1000), 1), _MAX_MILLISECONDS)
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", f"{milliseconds}m"),
    ]


def _check_status(wire: Wire, response: Response) -> None:
    """Check that the daemon reports success.

    :raises RequestError: if it reports an error.
    :raises ValueError: if the response has no valid status.
    """
    # A response without a message has its trailers in its headers.
    fields = {**response.headers, **response.trailers}
    status = fields.get("grpc-status")
    if status is None:
        if fields[":status"] != "200":
            raise wire.refused(int(fields[":status"]), "HTTP status", "")
        raise ValueError("no grpc-status")
    code = int(status)
    detail = _percent_decode(fields.get("grpc-message", ""))
    # If there is time left, the daemon reports another deadline, for example of a registry.
    if code == DEADLINE_EXCEEDED and (not detail or wire.remaining < _EARLIEST):
        raise wire.late()
    if code:
        raise wire.refused(code, "gRPC status", detail)


def _percent_decode(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text, errors="replace")


def _frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def _unframe(body: bytes) -> bytes:
    """Return the only message of a body.

    :raises ValueError: if the body is not exactly one message, or the message is compressed.
    """
    if len(body) < _PREFIX or body[0] != 0:
        raise ValueError("no uncompressed message")
    size = int.from_bytes(body[1:_PREFIX], "big")
    if len(body) != _PREFIX + size:
        raise ValueError(f"{len(body) - _PREFIX} bytes for a message of {size} bytes")
    return body[_PREFIX:]
