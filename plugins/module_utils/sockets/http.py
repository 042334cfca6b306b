# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a request with HTTP/1.1 through a unix socket: RFC 9112.

C(http.client) is not used, because its import takes longer than a request.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Callable, NamedTuple, TypeVar

from ansible_collections.cruntime.node.plugins.module_utils.sockets.wire import LIMIT, Wire

_T = TypeVar("_T")
# Maximum size of the headers, and of a line between chunks, in bytes.
_HEAD_LIMIT = 64 * 1024
_END = b"\r\n"


class Response(NamedTuple):
    """Response.

    :param headers: values by their names in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def document(self, kind: type[_T]) -> _T:
        """Return a JSON document.

        :param kind: type of the document, dict or list.
        :raises ValueError: if the body is not a document of this type.
        """
        document = json.loads(self.body)
        if not isinstance(document, kind):
            raise ValueError(f"{type(document).__name__} instead of {kind.__name__}")
        return document

    def error_message(self) -> str:
        """Return the message of an error: plain text, or C(message) of a JSON object."""
        with contextlib.suppress(ValueError, LookupError, RecursionError):
            return str(self.document(dict)["message"]).strip()
        return self.text().strip()


def get(
    path: str, target: str, timeout: float, decode: Callable[[Response], _T], limit: int = LIMIT
) -> _T:
    """Send a GET request and return the decoded response.

    :param path: path of the unix socket.
    :param target: path and query of the resource.
    :param timeout: time for the request and the response, in seconds.
    :param decode: function that decodes the response. It can raise ValueError.
    :param limit: maximum size of everything that the daemon sends, in bytes.
    :raises RequestError: if the daemon does not respond in time, if it responds with an error, or
        if the response is unreadable. The C(code) of an error that the daemon reports is a status
        code of HTTP.
    """
    wire = Wire(path, limit)
    try:
        wire.begin(f"GET {target}", timeout)
        wire.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        with wire.reading():
            response = _read_response(wire)
            if response.status != 200:
                raise wire.refused(response.status, "HTTP status", response.error_message())
            return decode(response)
    finally:
        wire.close()


def _read_response(wire: Wire) -> Response:
    status, headers = _read_head(wire)
    # Responses before the final one have no body.
    while 100 <= status < 200:
        status, headers = _read_head(wire)
    return Response(status, headers, _read_body(wire, status, headers))


def _read_head(wire: Wire) -> tuple[int, dict[str, str]]:
    head = wire.read_until(_END * 2, _HEAD_LIMIT).decode("latin-1")
    first, *lines = head.split("\r\n")
    match = re.match(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)", first)
    if match is None:
        raise ValueError(f"no status: {first[:100]!r}")
    fields = (line.partition(":") for line in lines)
    return int(match[1]), {name.lower(): value.strip() for name, _colon, value in fields}


def _read_body(wire: Wire, status: int, headers: dict[str, str]) -> bytes:
    if status in (204, 304):
        return b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(wire)
    if "content-length" in headers:
        return wire.read(_size(headers["content-length"], 10))
    return wire.read_rest()


def _read_chunks(wire: Wire) -> bytes:
    body = bytearray()
    while True:
        # Extensions come after the size.
        line = wire.read_until(_END, _HEAD_LIMIT).decode("latin-1")
        size = _size(line.partition(";")[0].strip(), 16)
        if size == 0:
            break
        body += wire.read(size)
        if wire.read(len(_END)) != _END:
            raise ValueError("chunk longer than its size")
    # Trailers end with an empty line.
    while wire.read_until(_END, _HEAD_LIMIT):
        pass
    return bytes(body)


def _size(text: str, base: int) -> int:
    """Return a size, which has only digits.

    :raises ValueError: if the text is not a size.
    """
    if not re.fullmatch("[0-9a-fA-F]{1,16}", text):
        raise ValueError(f"invalid size: {text[:100]!r}")
    return int(text, base)
