# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect to a unix socket, with a deadline and a size limit for each request."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

#: Maximum size of everything that a daemon sends in response to one request, in bytes.
LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Wire:
    """Connection to the unix socket of a daemon, which the first request opens.

    :param path: path of the socket.
    :param limit: maximum number of received bytes for each request.
    """

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._request = "connection"
        self._timeout = self._deadline = 0.0
        self._received = 0
        self._is_connected = False
        self._buffer = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def begin(self, request: str, timeout: float) -> None:
        """Start the deadline and the size limit of a request, and connect if necessary.

        :param request: name of the request, for messages.
        :param timeout: time for the whole request, in seconds.
        :raises RequestError: if no daemon accepts connections on the socket in time.
        """
        self._request = request
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._received = len(self._buffer)
        if not self._is_connected:
            self._connect()

    def _connect(self) -> None:
        try:
            self._socket.settimeout(self._time_left())
            if not wait_until(self._connects, self._time_left(), interval=0.02):
                raise self.late()
        except OSError as error:
            raise self.silent(f"could not connect: {error.strerror or error}") from error

    def _connects(self) -> bool:
        # The kernel refuses to wait for a daemon that accepts no connections.
        with contextlib.suppress(BlockingIOError):
            self._socket.connect(self._path)
            self._is_connected = True
        return self._is_connected

    def send(self, data: bytes) -> bool:
        """Send all of the data; return False if the daemon closed the connection.

        :raises RequestError: if the daemon does not read the data in time.
        """
        self._socket.settimeout(self._time_left())
        try:
            self._socket.sendall(data)
        except socket.timeout:
            raise self.late() from None
        except ConnectionError:
            # The daemon can have responded before it closed the connection. Reading finds out.
            return False
        return True

    def read(self, size: int) -> bytes:
        """Read exactly this number of bytes.

        :raises RequestError: if the daemon does not send them in time, or the size limit is less.
        """
        # Refuse a size that the daemon made up before its data arrives.
        self._check_limit(self._received - len(self._buffer) + size)
        self._time_left()
        while len(self._buffer) < size:
            self._receive()
        return self._take(size)

    def read_pieces(self, size: int) -> Iterator[bytes]:
        """Yield exactly this number of bytes in pieces, as they arrive.

        :raises RequestError: if the daemon does not send them in time, or the size limit is less.
        """
        self._check_limit(self._received - len(self._buffer) + size)
        self._time_left()
        while size:
            if not self._buffer:
                self._receive()
            piece = self._take(min(size, len(self._buffer)))
            size -= len(piece)
            yield piece

    def read_until(self, end: bytes, limit: int) -> bytes:
        """Read to the first occurrence of a delimiter, and return the text before it.

        :param limit: maximum length of the text, in bytes.
        :raises RequestError: if the daemon does not send it in time.
        :raises ValueError: if the text is longer.
        """
        self._time_left()
        found = self._buffer.find(end)
        while found < 0 and len(self._buffer) <= limit:
            searched = max(len(self._buffer) - len(end), 0)
            self._receive()
            found = self._buffer.find(end, searched)
        if not 0 <= found <= limit:
            raise ValueError(f"no end within {limit} bytes")
        return self._take(found + len(end))[:found]

    def read_rest(self) -> Iterator[bytes]:
        """Yield everything until the daemon closes the connection, as it arrives.

        :raises RequestError: if the daemon does not close it in time.
        """
        yield self._take(len(self._buffer))
        while self._fill():
            yield self._take(len(self._buffer))

    def close(self, farewell: bytes = b"") -> None:
        """Close the connection.

        :param farewell: data that is sent if that is possible immediately.
        """
        with contextlib.suppress(OSError), self._socket:
            self._socket.setblocking(False)
            self._socket.send(farewell)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Report errors while a response is parsed.

        :raises RequestError: if the response is not in the expected format.
        """
        try:
            yield
        except (ValueError, LookupError, RecursionError) as error:
            raise self.unreadable(str(error)) from error

    def silent(self, problem: str) -> RequestError:
        """Return the error of a daemon that did not respond."""
        return RequestError(
            f"{self._path}: {self._request}: {problem}. Look for the cause in the journal of the "
            "daemon",
            reason="no_response",
        )

    def late(self) -> RequestError:
        """Return the error of a daemon that did not respond in time."""
        return self.silent(f"no response within {self._timeout:g} seconds")

    def unreadable(self, problem: str) -> RequestError:
        """Return the error of a response in another format."""
        return RequestError(
            f"{self._path}: {self._request}: unreadable response: {problem}",
            reason="output_unreadable",
        )

    def unsent(self, problem: str) -> RequestError:
        """Return the error of a request whose body could not be read."""
        return RequestError(
            f"{self._path}: {self._request}: could not read the data to send: {problem}",
            reason="file_unreadable",
        )

    def refused(self, code: int, label: str, detail: str) -> RequestError:
        """Return the error of a daemon that responded with an error.

        :param label: kind of the code, for the message.
        """
        return RequestError(
            f"{self._path}: {self._request}: the daemon reported {label} {code}: "
            f"{detail or 'no message'}",
            reason="request_failed",
            code=code,
            detail=detail,
        )

    @property
    def remaining(self) -> float:
        """Time to the deadline, in seconds; negative after the deadline."""
        return self._deadline - time.monotonic()

    def _closed(self) -> RequestError:
        return self.silent("the daemon closed the connection before the end of its response")

    def _time_left(self) -> float:
        """Return the time to the deadline, in seconds.

        :raises RequestError: if the deadline has passed.
        """
        left = self.remaining
        if left <= 0:
            raise self.late()
        return left

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise self.unreadable(f"it is longer than {self._limit} bytes")

    def _receive(self) -> None:
        if not self._fill():
            raise self._closed()

    def _fill(self) -> bool:
        """Receive a piece; return whether the connection is still open."""
        try:
            self._socket.settimeout(self._time_left())
            data = self._socket.recv(_CHUNK)
        except socket.timeout:
            raise self.late() from None
        except ConnectionError:
            raise self._closed() from None
        self._buffer += data
        self._received += len(data)
        self._check_limit(self._received)
        return bool(data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
