# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests through an HTTP/2 connection, one after another: RFC 9113."""

from __future__ import annotations

from typing import Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.sockets import hpack
from ansible_collections.cruntime.node.plugins.module_utils.sockets.wire import Wire

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Types of frames.
_DATA, _HEADERS, _PRIORITY, _RST_STREAM, _SETTINGS, _PUSH_PROMISE = range(6)
_PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = range(6, 10)
# Flags of frames.
_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_PADDED = 0x8
_PRIORITY_FIELD = 0x20
# Settings.
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_HEADER_LIST_SIZE = 0x2, 0x4, 0x6
_CANCEL = 0x8

# Both peers accept frames of this size. The client neither sends nor accepts larger frames.
_FRAME_SIZE = 16384
_WINDOW = 65535
_MAX_WINDOW = (1 << 31) - 1


class Frame(NamedTuple):
    """Frame.

    :param kind: type of the frame.
    :param stream: number of its stream, 0 for the connection.
    """

    kind: int
    flags: int
    stream: int
    payload: bytes

    def encoded(self) -> bytes:
        head = (len(self.payload), 3), (self.kind, 1), (self.flags, 1), (self.stream, 4)
        return b"".join(value.to_bytes(size, "big") for value, size in head) + self.payload

    def content(self) -> bytes:
        """Return the payload of DATA or HEADERS without padding and priority.

        :raises ValueError: if the padding is longer than the frame.
        :raises IndexError: if the frame has no length of its padding.
        """
        start, end = 0, len(self.payload)
        if self.flags & _PADDED:
            start, end = 1, end - self.payload[0]
        if self.kind == _HEADERS and self.flags & _PRIORITY_FIELD:
            start += 5
        if end < start:
            raise ValueError("padding longer than its frame")
        return self.payload[start:end]


class Response:
    """Response, which grows with each frame.

    :param stream: number of the stream.
    :param window: number of bytes that the daemon still accepts on the stream.
    """

    def __init__(self, stream: int, window: int) -> None:
        self.stream = stream
        self.window = window
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = bytearray()
        self.ended = False

    def add_headers(self, block: list[hpack.Header]) -> None:
        """Add a block: interim headers, headers or trailers."""
        fields = dict(block)
        if self.headers:
            self.trailers = fields
        elif not fields[":status"].startswith("1"):
            self.headers = fields


class Connection:
    """HTTP/2 connection with one stream at a time.

    :param wire: connection to the socket, which is opened with the first request.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._decoder = hpack.Decoder()
        self._window = self._initial_window = _WINDOW
        self._current = Response(-1, 0)
        #: Whether the daemon accepts no further request.
        self.is_ending = False
        self._handlers = {
            _DATA: self._on_data,
            _HEADERS: self._on_headers,
            _RST_STREAM: self._on_reset,
            _SETTINGS: self._on_settings,
            _PUSH_PROMISE: self._on_unexpected,
            _PING: self._on_ping,
            _GOAWAY: self._on_goaway,
            _WINDOW_UPDATE: self._on_window_update,
            _CONTINUATION: self._on_unexpected,
        }

    def request(self, headers: Iterable[hpack.Header], body: bytes) -> Response:
        """Send a request and return its response.

        :raises RequestError: if the daemon does not respond in time.
        :raises ValueError: if the response violates the protocol.
        :raises LookupError: if a part of a frame is missing.
        """
        if self._current.stream < 0:
            self.wire.send(_PREFACE + _settings().encoded())
        self._current = Response(self._current.stream + 2, self._initial_window)
        self._send(_HEADERS, _END_HEADERS, hpack.encode(headers))
        self._send_body(body)
        while not self._current.ended:
            self._receive()
        return self._current

    def close(self) -> None:
        """Cancel the request if it has not ended, and close the connection."""
        cancel = Frame(_RST_STREAM, 0, max(self._current.stream, 1), _four(_CANCEL))
        self.wire.close(b"" if self._current.ended else cancel.encoded())

    def _send(self, kind: int, flags: int, payload: bytes) -> None:
        self.wire.send(Frame(kind, flags, self._current.stream, payload).encoded())

    def _send_body(self, body: bytes) -> None:
        """Send the body, in pieces that fit into the windows of the daemon."""
        rest = memoryview(body)
        # A daemon can respond before it has read the request.
        while not self._current.ended:
            size = min(len(rest), _FRAME_SIZE, self._window, self._current.window)
            if size <= 0 and rest:
                self._receive()
                continue
            piece, rest = rest[:size], rest[size:]
            self._window -= size
            self._current.window -= size
            self._send(_DATA, 0 if rest else _END_STREAM, bytes(piece))
            if not rest:
                return

    def _receive(self) -> None:
        """Receive a frame. A type that the client does not know has no effect."""
        frame = self._read_frame()
        handler = self._handlers.get(frame.kind)
        if handler:
            handler(frame)

    def _read_frame(self) -> Frame:
        head = self.wire.read(9)
        size = int.from_bytes(head[:3], "big")
        if size > _FRAME_SIZE:
            raise ValueError(f"frame of {size} bytes")
        stream = int.from_bytes(head[5:], "big") & _MAX_WINDOW
        return Frame(head[3], head[4], stream, self.wire.read(size))

    def _on_data(self, frame: Frame) -> None:
        self._check_stream(frame)
        self._current.body += frame.content()
        self._current.ended = bool(frame.flags & _END_STREAM)
        if frame.payload:
            self._replenish(len(frame.payload))

    def _replenish(self, size: int) -> None:
        """Allow the daemon to send as many bytes as it has sent."""
        streams = (0,) if self._current.ended else (0, self._current.stream)
        frames = (Frame(_WINDOW_UPDATE, 0, stream, _four(size)) for stream in streams)
        self.wire.send(b"".join(frame.encoded() for frame in frames))

    def _on_headers(self, frame: Frame) -> None:
        self._check_stream(frame)
        block, flags = frame.content(), frame.flags
        while not flags & _END_HEADERS:
            part = self._read_frame()
            if (part.kind, part.stream) != (_CONTINUATION, frame.stream):
                raise ValueError("headers without their continuation")
            block, flags = block + part.payload, part.flags
            if len(block) > hpack.LIMIT:
                raise ValueError(f"headers of more than {hpack.LIMIT} bytes")
        self._current.add_headers(self._decoder.decode(block))
        self._current.ended = bool(frame.flags & _END_STREAM)

    def _on_reset(self, frame: Frame) -> None:
        code = _integer(frame.payload, 4)
        if frame.stream == self._current.stream:
            raise self.wire.silent(f"the daemon canceled the request: HTTP/2 error code {code}")

    def _on_settings(self, frame: Frame) -> None:
        if frame.flags & _ACK:
            return
        if len(frame.payload) % 6:
            raise ValueError("truncated settings")
        for start in range(0, len(frame.payload), 6):
            key = int.from_bytes(frame.payload[start : start + 2], "big")
            value = int.from_bytes(frame.payload[start + 2 : start + 6], "big")
            # Requests need no other setting: they use no table of headers, and only small frames.
            if key == _INITIAL_WINDOW_SIZE:
                self._current.window += value - self._initial_window
                self._initial_window = value
        self.wire.send(Frame(_SETTINGS, _ACK, 0, b"").encoded())

    def _on_ping(self, frame: Frame) -> None:
        if not frame.flags & _ACK:
            self.wire.send(Frame(_PING, _ACK, 0, frame.payload).encoded())

    def _on_goaway(self, frame: Frame) -> None:
        last, code = _integer(frame.payload[:4], 4), _integer(frame.payload[4:8], 4)
        self.is_ending = True
        if code or last < self._current.stream:
            detail = frame.payload[8:].decode("utf-8", errors="replace")
            problem = f"the daemon ended the connection: HTTP/2 error code {code}"
            raise self.wire.silent(f"{problem}: {detail}" if detail else problem)

    def _on_window_update(self, frame: Frame) -> None:
        increment = _integer(frame.payload, 4)
        if frame.stream == 0:
            self._window += increment
        elif frame.stream == self._current.stream:
            self._current.window += increment

    def _on_unexpected(self, frame: Frame) -> None:
        raise ValueError(f"unexpected frame of type {frame.kind}")

    def _check_stream(self, frame: Frame) -> None:
        if frame.stream != self._current.stream:
            raise ValueError(f"frame of the stream {frame.stream}")


def _settings() -> Frame:
    settings = ((_ENABLE_PUSH, 0), (_MAX_HEADER_LIST_SIZE, hpack.LIMIT))
    payload = b"".join(key.to_bytes(2, "big") + _four(value) for key, value in settings)
    return Frame(_SETTINGS, 0, 0, payload)


def _four(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _integer(data: bytes, size: int) -> int:
    """Return the integer in a field of this size.

    :raises ValueError: if the field has another size.
    """
    if len(data) != size:
        raise ValueError(f"field of {len(data)} bytes")
    return int.from_bytes(data, "big") & _MAX_WINDOW
