# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve unix sockets with threads that send exact bytes, as no daemon would."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import tempfile
import threading

import pytest

#: Time after which a test fails instead of waiting forever, in seconds.
PATIENCE = 60


@contextlib.contextmanager
def temporary_path():
    """Yield a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory() as directory:
        yield str(pathlib.Path(directory) / "socket")


@pytest.fixture
def socket_path():
    with temporary_path() as path:
        yield path


class Server:
    """Server whose connections are each handled by the next of the given functions."""

    def __init__(self, path, handlers):
        self.path = path
        self._failures = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._listener.settimeout(PATIENCE)
        self._thread = threading.Thread(target=self._serve, args=(handlers,), daemon=True)
        self._thread.start()

    def _serve(self, handlers):
        for handle in handlers:
            try:
                connection, _address = self._listener.accept()
                connection.settimeout(PATIENCE)
                # The client can close the connection before a flood ends.
                with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    handle(connection)
            except Exception as error:
                self._failures.append(error)

    def end(self):
        self._thread.join(PATIENCE)
        self._listener.close()
        if self._failures:
            raise self._failures[0]
        assert not self._thread.is_alive()


@pytest.fixture
def serving():
    """Return a context that serves connections with handlers, and returns the socket's path.

    The test fails if a handler fails, or if a connection is not opened.
    """

    @contextlib.contextmanager
    def serve(*handlers):
        with temporary_path() as path:
            server = Server(path, handlers)
            try:
                yield path
            finally:
                server.end()

    return serve


@pytest.fixture
def serve(serving):
    """Return a function that serves connections until the test ends, see C(serving)."""
    with contextlib.ExitStack() as stack:
        yield lambda *handlers: stack.enter_context(serving(*handlers))
