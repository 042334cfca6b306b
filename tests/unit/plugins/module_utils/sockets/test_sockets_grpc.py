# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call ends with its message or with one clear error, whatever a daemon sends."""

from __future__ import annotations

import contextlib
import itertools
import queue
import socket
import threading

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel
from ansible_collections.cruntime.node.plugins.module_utils.sockets.hpack import Decoder
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

METHOD = "/test.Service/Method"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = range(6)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FIELD = 0x1, 0x1, 0x4, 0x8, 0x20
INITIAL_WINDOW_SIZE = 0x4
LIMIT = 256 * 1024
#: Enough for a thread to respond, on a busy machine too.
LONG = 60
#: For daemons that never respond.
SHORT = 0.3


def frame(kind, payload=b"", flags=0, stream=1):
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def literal(name, value):
    """Return a header without compression. Both strings are shorter than 127 bytes."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def message(body, flag=0, size=None):
    return bytes([flag]) + (len(body) if size is None else size).to_bytes(4, "big") + body


#: The index 8 is ":status 200".
STATUS = b"\x88" + literal(b"content-type", b"application/grpc")
HEAD = frame(HEADERS, STATUS, END_HEADERS)
SUCCESS = literal(b"grpc-status", b"0")
TRAILERS = frame(HEADERS, SUCCESS, END_HEADERS | END_STREAM)
ANSWER = HEAD + frame(DATA, message(b"answer")) + TRAILERS


class Peer:
    """The daemon's end of a connection."""

    def __init__(self, connection):
        self.connection = connection
        self._file = connection.makefile("rb")

    def send(self, *frames):
        self.connection.sendall(b"".join(frames))

    def read_frame(self):
        """Return the kind, the flags, the stream and the payload of the next frame."""
        head = self._file.read(9)
        if len(head) < 9:
            raise ConnectionResetError
        size = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:], "big"), self._file.read(size)

    def read_until(self, kind, flags=0):
        """Return the payload of the next frame of a kind with these flags."""
        while True:
            found = self.read_frame()
            if found[0] == kind and found[1] & flags == flags:
                return found[3]

    def accept(self):
        """Read a whole request, and return its headers."""
        self.start()
        headers = dict(Decoder().decode(self.read_until(HEADERS)))
        self.read_until(DATA, END_STREAM)
        return headers

    def start(self):
        assert self._file.read(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        assert self.read_frame()[:2] == (SETTINGS, 0)
        self.send(frame(SETTINGS, stream=0))


def responding(*frames):
    """Return a handler that reads the request, sends these frames, and waits for the client."""

    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        peer.send(*frames)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass

    return handle


def call(path, body=b"", timeout=LONG, limit=LIMIT):
    with Channel(path, timeout, limit) as channel:
        return channel.call(METHOD, bytes, body)


def test_a_request_has_the_headers_of_grpc(serve):
    seen = {}

    def handle(connection):
        peer = Peer(connection)
        seen.update(peer.accept())
        peer.send(ANSWER)

    assert call(serve(handle), timeout=12.5) == b"answer"
    assert seen == {
        ":method": "POST",
        ":scheme": "http",
        ":path": METHOD,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "12500m",
    }


PADDED_STATUS = bytes([3]) + bytes(4) + b"\x10" + STATUS + bytes(3)
#: Responses with the same meaning.
VARIANTS = {
    "pieces of one byte": HEAD
    + b"".join(frame(DATA, bytes([byte])) for byte in message(b"answer"))
    + TRAILERS,
    "empty DATA": HEAD + frame(DATA) + frame(DATA, message(b"answer")) + TRAILERS,
    "padding": frame(HEADERS, PADDED_STATUS, END_HEADERS | PADDED | PRIORITY_FIELD)
    + frame(DATA, bytes([5]) + message(b"answer") + bytes(5), PADDED)
    + TRAILERS,
    "CONTINUATION": frame(HEADERS, STATUS[:5])
    + frame(CONTINUATION, STATUS[5:9])
    + frame(CONTINUATION, STATUS[9:], END_HEADERS)
    + frame(DATA, message(b"answer"))
    + frame(HEADERS, SUCCESS[:1], END_STREAM)
    + frame(CONTINUATION, SUCCESS[1:], END_HEADERS),
    "other frames": frame(PRIORITY, bytes(5))
    + frame(WINDOW_UPDATE, b"\0\0\0\x01", stream=0)
    + frame(WINDOW_UPDATE, b"\0\0\0\x01")
    + HEAD
    + frame(0xFA, b"unknown")
    + frame(RST_STREAM, bytes(4), stream=7)
    + frame(PING, b"12345678", ACK, stream=0)
    + frame(SETTINGS, b"", ACK, stream=0)
    + frame(DATA, message(b"answer"))
    + TRAILERS,
    "interim headers": frame(HEADERS, literal(b":status", b"103"), END_HEADERS) + ANSWER,
    "a change of the table's size": frame(HEADERS, b"\x20\x3f\xe1\x1f" + STATUS, END_HEADERS)
    + frame(DATA, message(b"answer"))
    + TRAILERS,
    "a graceful GOAWAY": HEAD
    + frame(GOAWAY, b"\0\0\0\x01" + bytes(4), stream=0)
    + ANSWER[len(HEAD) :],
}


@pytest.mark.parametrize("frames", VARIANTS.values(), ids=VARIANTS)
def test_variants_of_a_response_have_the_same_message(serve, frames):
    assert call(serve(responding(frames))) == b"answer"


def test_settings_and_pings_are_acknowledged(serve):
    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        peer.send(frame(PING, b"12345678", stream=0))
        assert peer.read_until(PING, ACK) == b"12345678"
        peer.send(frame(SETTINGS, b"\0\x05\0\0\x40\0", stream=0))
        assert peer.read_until(SETTINGS, ACK) == b""
        peer.send(ANSWER)

    assert call(serve(handle)) == b"answer"


def test_a_response_that_is_larger_than_the_windows_arrives(serve):
    body = bytes(range(256)) * 800

    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        peer.send(HEAD)
        windows, rest = {0: 65535, 1: 65535}, message(body)
        while rest:
            size = min(10000, *windows.values())
            piece, rest = rest[:size], rest[size:]
            if piece:
                peer.send(frame(DATA, piece))
                windows = {stream: window - size for stream, window in windows.items()}
            else:
                kind, _flags, stream, payload = peer.read_frame()
                if kind == WINDOW_UPDATE:
                    windows[stream] += int.from_bytes(payload, "big")
        peer.send(TRAILERS)

    assert call(serve(handle)) == body


def test_a_request_that_is_larger_than_the_windows_waits_for_updates(serve):
    body = bytes(range(256)) * 1000
    settings = INITIAL_WINDOW_SIZE.to_bytes(2, "big")

    def read(peer, window):
        """Read DATA of exactly a window."""
        data = b""
        while len(data) < window:
            kind, _flags, _stream, payload = peer.read_frame()
            assert kind in (DATA, SETTINGS)
            data += payload
        assert len(data) == window
        return data

    def handle(connection):
        peer = Peer(connection)
        peer.start()
        peer.read_until(HEADERS)
        received = read(peer, 65535)
        # The window of the stream is 35 bytes less than nothing, until it is 65 bytes.
        peer.send(frame(WINDOW_UPDATE, (1 << 20).to_bytes(4, "big"), stream=0))
        peer.send(frame(SETTINGS, settings + (65500).to_bytes(4, "big"), stream=0))
        peer.send(frame(WINDOW_UPDATE, (100).to_bytes(4, "big")))
        received += read(peer, 65)
        peer.send(frame(WINDOW_UPDATE, (1 << 20).to_bytes(4, "big")))
        received += read(peer, len(message(body)) - len(received))
        assert received == message(body)
        peer.send(ANSWER)

    assert call(serve(handle), body) == b"answer"


def test_a_response_before_the_end_of_the_request_ends_the_call(serve):
    refusal = literal(b"grpc-status", b"8") + literal(b"grpc-message", b"too large")

    def handle(connection):
        peer = Peer(connection)
        peer.start()
        peer.read_until(HEADERS)
        peer.send(frame(HEADERS, STATUS + refusal, END_HEADERS | END_STREAM))
        while connection.recv(65536):
            pass

    with fails("request_failed", "too large") as caught:
        call(serve(handle), bytes(100_000))
    assert caught.value.code == 8


def test_an_error_without_a_body_has_the_message_of_the_daemon(serve):
    error = literal(b"grpc-status", b"5") + literal(
        b"grpc-message", b"no %22b%C3%A9d%22: 100%25 %zz"
    )
    path = serve(responding(frame(HEADERS, STATUS + error, END_HEADERS | END_STREAM)))
    with fails("request_failed", path, METHOD, "gRPC status 5", 'no "béd": 100% %zz') as caught:
        call(path)
    assert (caught.value.code, caught.value.detail) == (5, 'no "béd": 100% %zz')


def test_an_error_after_a_message_is_an_error(serve):
    error = literal(b"grpc-status", b"13")
    path = serve(
        responding(
            HEAD,
            frame(DATA, message(b"answer")),
            frame(HEADERS, error, END_HEADERS | END_STREAM),
        )
    )
    with fails("request_failed", "gRPC status 13", "no message"):
        call(path)


def test_the_deadline_of_the_daemon_is_the_deadline_of_the_call(serve):
    error = literal(b"grpc-status", b"4")
    path = serve(responding(frame(HEADERS, STATUS + error, END_HEADERS | END_STREAM)))
    with fails("no_response", f"no response within {LONG} seconds"):
        call(path)


@pytest.mark.parametrize(
    ("timeout", "reason", "fact"),
    [
        (LONG, "request_failed", "gRPC status 4: r.test: deadline"),
        # The daemon notices the deadline of the call first.
        (0.9, "no_response", "no response within 0.9 seconds"),
    ],
)
def test_another_deadline_of_the_daemon_is_reported(serve, timeout, reason, fact):
    error = literal(b"grpc-status", b"4") + literal(b"grpc-message", b"r.test: deadline")
    path = serve(responding(frame(HEADERS, STATUS + error, END_HEADERS | END_STREAM)))
    with fails(reason, fact):
        call(path, timeout=timeout)


def test_a_status_of_http_is_reported(serve):
    path = serve(responding(frame(HEADERS, literal(b":status", b"503"), END_HEADERS | END_STREAM)))
    with fails("request_failed", "HTTP status 503") as caught:
        call(path)
    assert caught.value.code == 503


def test_calls_share_a_connection_and_its_table_of_headers(serve):
    # The dynamic table gets content-type with the first response: the index 62 refers to it.
    indexed = b"\x40" + literal(b"content-type", b"application/grpc")[1:]

    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        peer.send(frame(HEADERS, b"\x88" + indexed, END_HEADERS))
        peer.send(frame(DATA, message(b"first")), TRAILERS)
        peer.read_until(DATA, END_STREAM)
        peer.send(frame(RST_STREAM, bytes(4)), frame(HEADERS, b"\x88\xbe", END_HEADERS, 3))
        peer.send(frame(DATA, message(b"second"), stream=3))
        peer.send(frame(HEADERS, SUCCESS, END_HEADERS | END_STREAM, 3))

    with Channel(serve(handle), LONG) as channel:
        assert channel.call(METHOD, bytes) == b"first"
        assert channel.call(METHOD, bytes) == b"second"


@pytest.mark.parametrize(
    "frames",
    [
        HEAD + frame(GOAWAY, b"\0\0\0\x01" + bytes(4), stream=0) + ANSWER[len(HEAD) :],
        frame(HEADERS, STATUS + literal(b"grpc-status", b"5"), END_HEADERS | END_STREAM),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=["ending", "error", "garbage"],
)
def test_a_connection_that_cannot_be_used_again_is_replaced(serve, frames):
    with Channel(serve(responding(frames), responding(ANSWER)), LONG) as channel:
        with contextlib.suppress(Exception):
            channel.call(METHOD, bytes)
        assert channel.call(METHOD, bytes) == b"answer"


#: Frames that no daemon sends, and a part of the error.
INVALID = {
    "HTTP/1.1": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "frame of 4740180 bytes"),
    "a frame that is too large": (HEAD + frame(DATA, bytes(16385)), "frame of 16385 bytes"),
    "a length that is too long": (
        HEAD + frame(DATA, message(b"answer", size=1 << 31)) + TRAILERS,
        "6 bytes for a message of 2147483648 bytes",
    ),
    "a length that is too short": (
        HEAD + frame(DATA, message(b"answer", size=5)) + TRAILERS,
        "6 bytes for a message of 5 bytes",
    ),
    "two messages": (
        HEAD + frame(DATA, message(b"answer") + message(b"answer")) + TRAILERS,
        "17 bytes for a message of 6 bytes",
    ),
    "no message": (HEAD + TRAILERS, "no uncompressed message"),
    "half a prefix": (HEAD + frame(DATA, b"\0\0") + TRAILERS, "no uncompressed message"),
    "a compressed message": (
        HEAD + frame(DATA, message(b"answer", flag=1)) + TRAILERS,
        "no uncompressed message",
    ),
    "no status of gRPC": (
        HEAD + frame(DATA, message(b"answer"), END_STREAM),
        "no grpc-status",
    ),
    "a status that is not a number": (
        frame(HEADERS, STATUS + literal(b"grpc-status", b"bad"), END_HEADERS | END_STREAM),
        "'bad'",
    ),
    "no status of HTTP": (TRAILERS, ":status"),
    "another stream": (HEAD + frame(DATA, b"", stream=3), "frame of the stream 3"),
    "headers of another stream": (frame(HEADERS, STATUS, END_HEADERS, 2), "frame of the stream 2"),
    "PUSH_PROMISE": (frame(PUSH_PROMISE, bytes(4)), "unexpected frame of type 5"),
    "CONTINUATION alone": (frame(CONTINUATION, STATUS), "unexpected frame of type 9"),
    "interrupted headers": (
        frame(HEADERS, STATUS[:5]) + frame(PING, bytes(8), stream=0),
        "headers without their continuation",
    ),
    "CONTINUATION of another stream": (
        frame(HEADERS, STATUS[:5]) + frame(CONTINUATION, STATUS[5:], END_HEADERS, 3),
        "headers without their continuation",
    ),
    "CONTINUATION without an end": (
        frame(HEADERS) + frame(CONTINUATION, bytes(16384)) * 5,
        "headers of more than 65536 bytes",
    ),
    "truncated settings": (frame(SETTINGS, bytes(5), stream=0), "truncated settings"),
    "a truncated GOAWAY": (frame(GOAWAY, bytes(7), stream=0), "field of 3 bytes"),
    "a truncated window": (frame(WINDOW_UPDATE, bytes(3)), "field of 3 bytes"),
    "a truncated code": (frame(RST_STREAM, b""), "field of 0 bytes"),
    "padding without a length": (HEAD + frame(DATA, b"", PADDED), "index out of range"),
    "padding that is too long": (HEAD + frame(DATA, b"\x09abc", PADDED), "longer than its frame"),
    "an unknown index": (frame(HEADERS, b"\xff\x00", END_HEADERS), "index out of range"),
    "flood of PING": (frame(PING, bytes(8), ACK, stream=0) * 20000, f"longer than {LIMIT} bytes"),
    "flood of DATA": (
        HEAD + frame(DATA, bytes(16384)) * (LIMIT // 16384 + 1),
        f"longer than {LIMIT} bytes",
    ),
    "flood of headers": (
        frame(HEADERS, literal(b":status", b"103"), END_HEADERS) * 20000,
        f"longer than {LIMIT} bytes",
    ),
}


@pytest.mark.parametrize(("frames", "problem"), INVALID.values(), ids=INVALID)
def test_an_invalid_response_is_unreadable(serve, frames, problem):
    path = serve(responding(frames))
    with fails("output_unreadable", path, METHOD, problem):
        call(path)


#: Frames after which the daemon sends nothing more, and a part of the error.
CANCELED = {
    "RST_STREAM": (HEAD + frame(RST_STREAM, b"\0\0\0\x07"), "HTTP/2 error code 7"),
    "GOAWAY": (
        frame(GOAWAY, b"\0\0\0\x01" + b"\0\0\0\x0b" + b"too_many_pings", stream=0),
        "HTTP/2 error code 11: too_many_pings",
    ),
    "GOAWAY before the request": (
        frame(GOAWAY, bytes(8), stream=0),
        "the daemon ended the connection: HTTP/2 error code 0",
    ),
}


@pytest.mark.parametrize(("frames", "problem"), CANCELED.values(), ids=CANCELED)
def test_a_canceled_request_is_not_answered(serve, frames, problem):
    with fails("no_response", problem):
        call(serve(responding(frames)))


@pytest.mark.parametrize("size", [0, 4, 9, len(HEAD), len(HEAD) + 12, len(ANSWER) - 1])
def test_a_connection_that_closes_early_is_not_an_answer(serve, size):
    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        peer.send(ANSWER[:size])

    with fails("no_response", "the daemon closed the connection before the end of its response"):
        call(serve(handle))


def test_a_daemon_that_closes_immediately_is_not_an_answer(serve):
    with fails("no_response", "connection"):
        call(serve(lambda connection: None), bytes(10_000_000))


#: Beginnings of a response.
BEGINNINGS = {
    "nothing": b"",
    "half a frame": HEAD[:5],
    "headers": HEAD,
    "half a message": HEAD + frame(DATA, message(b"an", size=6)),
}


@pytest.mark.parametrize("frames", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_silent_daemon_gets_a_cancellation(serve, frames):
    canceled = queue.Queue()

    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        peer.send(frames)
        canceled.put(peer.read_until(RST_STREAM))

    path = serve(handle)
    with fails("no_response", path, METHOD, f"no response within {SHORT} seconds"):
        call(path, timeout=SHORT)
    assert canceled.get(timeout=LONG) == b"\0\0\0\x08"


def test_frames_do_not_extend_the_deadline(serve):
    def handle(connection):
        peer = Peer(connection)
        peer.accept()
        for number in itertools.count():
            peer.send(frame(PING, number.to_bytes(8, "big"), stream=0))
            peer.read_until(PING, ACK)

    # The limit is never reached.
    with fails("no_response", f"no response within {SHORT} seconds"):
        call(serve(handle), timeout=SHORT, limit=1 << 40)


def test_pings_without_end_of_a_daemon_that_does_not_read_end_the_call(serve):
    pings = frame(PING, bytes(8), stream=0) * 20000
    with fails("no_response", f"no response within {SHORT} seconds"):
        call(serve(responding(pings)), timeout=SHORT, limit=1 << 40)


def test_a_daemon_that_does_not_read_is_too_slow(serve):
    def handle(connection):
        peer = Peer(connection)
        peer.start()
        maximum = ((1 << 31) - 1).to_bytes(4, "big")
        window = INITIAL_WINDOW_SIZE.to_bytes(2, "big") + maximum
        peer.send(frame(SETTINGS, window, stream=0))
        peer.send(frame(WINDOW_UPDATE, ((1 << 31) - 65536).to_bytes(4, "big"), stream=0))
        ended.wait(LONG)

    ended = threading.Event()
    try:
        with fails("no_response", f"no response within {SHORT} seconds"):
            # More than the buffers of the socket, but little enough to be sent in time.
            call(serve(handle), bytes(5_000_000), timeout=SHORT)
    finally:
        ended.set()


def test_a_socket_without_a_daemon_is_reported(socket_path):
    with fails("no_response", socket_path, "could not connect: No such file or directory"):
        call(socket_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(socket_path)
    with fails("no_response", socket_path, "could not connect: Connection refused"):
        call(socket_path)
    with fails("no_response", "could not connect: AF_UNIX path too long"):
        call("/" + "x" * 200)


def test_a_daemon_that_accepts_no_connections_is_too_slow(socket_path):
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(socket_path)
        listener.listen(0)
        for _round in range(2):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(socket_path)
        with fails("no_response", f"no response within {SHORT} seconds"):
            call(socket_path, timeout=SHORT)
