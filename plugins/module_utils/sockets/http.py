# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests with HTTP/1.1 through a unix socket: RFC 9112.

C(http.client) is not used, because its import takes longer than a request.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Callable, Iterator, Mapping, NamedTuple, TypeVar

from ansible_collections.cruntime.node.plugins.module_utils.sockets.wire import LIMIT, Wire

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.runner import Stream

_T = TypeVar("_T")
# Maximum size of the headers, and of a line between chunks, in bytes.
_HEAD_LIMIT = 64 * 1024
# Size of the pieces in which a body is sent and received, in bytes.
_PIECE = 64 * 1024
_UNLIMITED = 1 << 62
_END = b"\r\n"


class Request(NamedTuple):
    """Request.

    :param target: path and query of the resource.
    :param body: bytes, or a stream that is sent in chunks; None for no body.
    """

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes | Stream | None = None

    @property
    def label(self) -> str:
        """Return the name of the request for messages. A query can be very long."""
        return f"{self.method} {self.target.partition('?')[0]}"


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
    """Send a GET request and return the decoded response, see C(send)."""
    return send(path, Request("GET", target), timeout, decode, limit)


def send(
    path: str,
    request: Request,
    timeout: float,
    decode: Callable[[Response], _T],
    limit: int = LIMIT,
) -> _T:
    """Send a request and return the decoded response.

    :param path: path of the unix socket.
    :param timeout: time for the request and the response, in seconds.
    :param decode: function that decodes the response. It can raise ValueError.
    :param limit: maximum size of everything that the daemon sends, in bytes.
    :raises RequestError: if the daemon does not respond in time, if it responds with an error, or
        if the response is unreadable. The C(code) of an error that the daemon reports is a status
        code of HTTP.
    """
    with _exchange(path, request, timeout, limit) as (status, headers, pieces):
        return decode(Response(status, headers, b"".join(pieces)))


@contextlib.contextmanager
def stream(path: str, request: Request, timeout: float) -> Iterator[Iterator[bytes]]:
    """Send a request and yield the pieces of the body while they arrive, of any total size.

    A ValueError while they are read is the error of an unreadable response.

    :param path: path of the unix socket.
    :param timeout: time until the end of the response, in seconds.
    :raises RequestError: see C(send).
    """
    with _exchange(path, request, timeout, _UNLIMITED) as (_status, _headers, pieces):
        yield pieces


@contextlib.contextmanager
def _exchange(
    path: str, request: Request, timeout: float, limit: int
) -> Iterator[tuple[int, dict[str, str], Iterator[bytes]]]:
    """Send a request and yield the head of the response and the pieces of its body."""
    wire = Wire(path, limit)
    try:
        wire.begin(request.label, timeout)
        _send(wire, request)
        with wire.reading():
            status, headers = _read_head(wire)
            # Responses before the final one have no body.
            while 100 <= status < 200:
                status, headers = _read_head(wire)
            pieces = _read_body(wire, status, headers)
            if not 200 <= status < 300:
                body = b"".join(_bounded(pieces, min(limit, LIMIT)))
                detail = Response(status, headers, body).error_message()
                raise wire.refused(status, "HTTP status", detail)
            yield status, headers, pieces
    finally:
        wire.close()


def _send(wire: Wire, request: Request) -> None:
    headers = {"Host": "localhost", "Connection": "close", **request.headers}
    body = request.body
    if isinstance(body, bytes):
        headers["Content-Length"] = str(len(body))
    elif body is not None:
        headers["Transfer-Encoding"] = "chunked"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    is_open = wire.send(f"{request.method} {request.target} HTTP/1.1\r\n{lines}\r\n".encode())
    if isinstance(body, bytes):
        wire.send(body)
    elif body is not None:
        _send_chunks(wire, body, is_open)


def _send_chunks(wire: Wire, body: Stream, is_open: bool) -> None:
    data = b"-"
    # A daemon that needs no more of the body closes the connection.
    while data and is_open:
        try:
            data = body.read(_PIECE)
        except OSError as error:
            raise wire.unsent(str(error.strerror or error)) from error
        # A chunk without data is the last one.
        is_open = wire.send(b"%x\r\n%s\r\n" % (len(data), data))


def _read_head(wire: Wire) -> tuple[int, dict[str, str]]:
    head = wire.read_until(_END * 2, _HEAD_LIMIT).decode("latin-1")
    first, *lines = head.split("\r\n")
    match = re.match(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)", first)
    if match is None:
        raise ValueError(f"no status: {first[:100]!r}")
    fields = (line.partition(":") for line in lines)
    return int(match[1]), {name.lower(): value.strip() for name, _colon, value in fields}


def _read_body(wire: Wire, status: int, headers: dict[str, str]) -> Iterator[bytes]:
    if status in (204, 304):
        return iter(())
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(wire)
    if "content-length" in headers:
        return wire.read_pieces(_size(headers["content-length"], 10))
    return wire.read_rest()


def _read_chunks(wire: Wire) -> Iterator[bytes]:
    while True:
        # Extensions come after the size.
        line = wire.read_until(_END, _HEAD_LIMIT).decode("latin-1")
        size = _size(line.partition(";")[0].strip(), 16)
        if size == 0:
            break
        yield from wire.read_pieces(size)
        if wire.read(len(_END)) != _END:
            raise ValueError("chunk longer than its size")
    # Trailers end with an empty line.
    while wire.read_until(_END, _HEAD_LIMIT):
        pass


def _bounded(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Yield pieces of at most this total size.

    :raises ValueError: if there are more.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise ValueError(f"it is longer than {limit} bytes")
        yield piece


def _size(text: str, base: int) -> int:
    """Return a size, which has only digits.

    :raises ValueError: if the text is not a size.
    """
    if not re.fullmatch("[0-9a-fA-F]{1,16}", text):
        raise ValueError(f"invalid size: {text[:100]!r}")
    return int(text, base)
