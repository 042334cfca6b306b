# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request with HTTP ends with its response or with one clear error, whatever a daemon sends."""

from __future__ import annotations

import io
import itertools
import select

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.sockets import http
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 256 * 1024
#: Enough for a thread to respond, on a busy machine too.
LONG = 60
#: For daemons that never respond.
SHORT = 0.3


def read_head(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(65536)
    return head


def responding(*pieces):
    """Return a handler that reads the request, sends these pieces, and closes the connection."""

    def handle(connection):
        read_head(connection)
        for piece in pieces:
            connection.sendall(piece)

    return handle


def waiting(*pieces):
    """Return a handler that keeps the connection open after it sent the pieces."""

    def handle(connection):
        responding(*pieces)(connection)
        while connection.recv(65536):
            pass

    return handle


def get(path, timeout=LONG, limit=LIMIT):
    return http.get(path, "/x?y=1", timeout, lambda response: response, limit)


def test_a_request_has_a_host_and_closes_its_connection(serve):
    heads = []

    def handle(connection):
        heads.append(read_head(connection))
        connection.sendall(OK + b"content-length: 2\r\nX-Twice:  a:b \r\n\r\nok")

    response = get(serve(handle))
    assert response == (200, {"content-length": "2", "x-twice": "a:b"}, b"ok")
    assert heads == [b"GET /x?y=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]


#: Responses with the same body.
VARIANTS = {
    "chunks": CHUNKED + b"3\r\nans\r\n3\r\nwer\r\n0\r\n\r\n",
    "extensions": CHUNKED + b'6;name="a;b"\r\nanswer\r\n0;last\r\n\r\n',
    "trailers": CHUNKED + b"006 \r\nanswer\r\n0\r\nDigest: x\r\nOther: y\r\n\r\n",
    "no reason": b"HTTP/1.0 200\r\nContent-Length: 6\r\n\r\nanswer",
    "interim responses": b"HTTP/1.1 100 Continue\r\n\r\n"
    + b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + OK
    + b"Content-Length: 6\r\n\r\nanswer",
    "both lengths": OK
    + b"Content-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("response", VARIANTS.values(), ids=VARIANTS)
def test_variants_of_a_response_have_the_same_body(serve, response):
    assert get(serve(waiting(response))).body == b"answer"


def test_the_end_of_the_connection_can_be_the_end_of_the_body(serve):
    assert get(serve(responding(OK + b"\r\nans", b"wer"))).body == b"answer"


def test_a_response_without_a_body_is_an_error(serve):
    with fails("request_failed", "HTTP status 304: no message") as caught:
        get(serve(waiting(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")))
    assert caught.value.code == 304


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
)
def test_chunks_of_any_size_arrive_in_pieces_of_any_size(serving, chunks, cuts):
    data = CHUNKED
    data += b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    ends = [*sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in zip([0, *ends], ends)]
    with serving(waiting(*pieces)) as path:
        assert get(path).body == b"".join(chunks)


#: Bodies of errors, and the message in each.
ERRORS = {
    "JSON": (b'{"message": "no such image: \xc3\xa9\\n"}\n', "no such image: é"),
    "text": (b"page not found\n", "page not found"),
    "another document": (b"[1]", "[1]"),
    "another key": (b'{"error": "x"}', '{"error": "x"}'),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize(("body", "detail"), ERRORS.values(), ids=ERRORS)
def test_an_error_has_the_message_of_the_daemon(serve, body, detail):
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body)
    path = serve(responding(head + body))
    with fails("request_failed", path, "GET /x", "HTTP status 404", detail) as caught:
        get(path)
    assert (caught.value.code, caught.value.detail) == (404, detail)


#: Responses that no daemon sends, and a part of the error.
INVALID = {
    "another protocol": (b"\0\0\x12\x04\0\0\0\0\0" + b"\r\n\r\n", "no status"),
    "no number": (b"HTTP/1.1 OK\r\n\r\n", "no status: 'HTTP/1.1 OK'"),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", "no status"),
    "a length that is not a number": (OK + b"Content-Length: ten\r\n\r\n", "invalid size: 'ten'"),
    "a length in hexadecimal": (OK + b"Content-Length: a\r\n\r\n", "'a'"),
    "a negative length": (OK + b"Content-Length: -1\r\n\r\n", "invalid size: '-1'"),
    "a length that is too large": (
        OK + b"Content-Length: 99999999999\r\n\r\n",
        f"longer than {LIMIT} bytes",
    ),
    "a size that is not a number": (CHUNKED + b"0x6\r\nanswer\r\n", "invalid size: '0x6'"),
    "no size": (CHUNKED + b"\r\nanswer\r\n", "invalid size: ''"),
    "a size of too many digits": (CHUNKED + b"0" * 17 + b"\r\n", "invalid size"),
    "a size that is too large": (CHUNKED + b"fffffffff\r\n", f"longer than {LIMIT} bytes"),
    "a size that is too small": (CHUNKED + b"5\r\nanswer\r\n", "chunk longer than its size"),
    "flood of headers": (OK + b"X: y\r\n" * 20000, "no end within 65536 bytes"),
    "flood of one line": (b"x" * 100_000, "no end within 65536 bytes"),
    "flood of a size": (CHUNKED + b"6;" + b"x" * 100_000, "no end within 65536 bytes"),
    "flood of chunks": (
        CHUNKED + b"1\r\nx\r\n" * (LIMIT // 6 + 1),
        f"longer than {LIMIT} bytes",
    ),
    "flood of trailers": (
        CHUNKED + b"0\r\n" + b"X: y\r\n" * (LIMIT // 6 + 1),
        f"longer than {LIMIT} bytes",
    ),
    "flood of interim responses": (
        b"HTTP/1.1 100 Continue\r\n\r\n" * (LIMIT // 25 + 1),
        f"longer than {LIMIT} bytes",
    ),
    "flood without a length": (OK + b"\r\n" + bytes(LIMIT), f"longer than {LIMIT} bytes"),
}


@pytest.mark.parametrize(("response", "problem"), INVALID.values(), ids=INVALID)
def test_an_invalid_response_is_unreadable(serve, response, problem):
    path = serve(waiting(response))
    with fails("output_unreadable", path, "GET /x", problem):
        get(path)


TRUNCATED = {
    "nothing": b"",
    "half a status": OK[:9],
    "half a head": OK,
    "half a body": OK + b"Content-Length: 6\r\n\r\nans",
    "half a chunk": CHUNKED + b"6\r\nans",
    "no last chunk": CHUNKED + b"6\r\nanswer\r\n",
    "no end of trailers": CHUNKED + b"6\r\nanswer\r\n0\r\n",
}


@pytest.mark.parametrize("response", TRUNCATED.values(), ids=TRUNCATED)
def test_a_connection_that_closes_early_is_not_a_response(serve, response):
    with fails("no_response", "the daemon closed the connection before the end of its response"):
        get(serve(responding(response)))


@pytest.mark.parametrize("response", [*TRUNCATED.values(), OK + b"\r\nans"])
def test_a_daemon_that_stops_is_too_slow(serve, response):
    path = serve(waiting(response))
    with fails("no_response", path, f"no response within {SHORT} seconds"):
        get(path, timeout=SHORT)


def test_pieces_do_not_extend_the_deadline(serve):
    def handle(connection):
        read_head(connection)
        connection.sendall(CHUNKED)
        for _round in itertools.count():
            connection.sendall(b"1\r\nx\r\n")

    # The limit is never reached.
    with fails("no_response", f"no response within {SHORT} seconds"):
        get(serve(handle), timeout=SHORT, limit=1 << 40)


@pytest.mark.parametrize("body", [b"", b"text", b"[1]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_the_expected_document_is_unreadable(serve, body):
    path = serve(responding(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    with fails("output_unreadable", path, "GET /x"):
        http.get(path, "/x", LONG, lambda response: response.document(dict))


def read_chunks(connection):
    """Return the head and the body of a request that is sent in chunks."""
    data = b""
    while not data.endswith(b"\r\n0\r\n\r\n"):
        data += connection.recv(65536)
    head, _end, rest = data.partition(b"\r\n\r\n")
    body = b""
    while rest != b"0\r\n\r\n":
        size, _end, rest = rest.partition(b"\r\n")
        number = int(size, 16)
        body += rest[:number]
        assert rest[number : number + 2] == b"\r\n"
        rest = rest[number + 2 :]
    return head, body


def send(path, request, timeout=LONG, limit=LIMIT):
    return http.send(path, request, timeout, lambda response: response, limit)


def test_a_request_has_a_method_headers_and_a_body(serve):
    heads = []

    def handle(connection):
        head = b""
        while not head.endswith(b"{}"):
            head += connection.recv(65536)
        heads.append(head)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    request = http.Request("POST", "/x", {"Content-Type": "application/json"}, b"{}")
    assert send(serve(handle), request).status == 201
    assert heads == [
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    ]


def test_a_response_without_content_is_a_success(serve):
    path = serve(waiting(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert send(path, http.Request("DELETE", "/x")) == (204, {}, b"")


@pytest.mark.parametrize("size", [0, 1, 65536, 300_001])
def test_a_stream_is_sent_in_chunks(serve, size):
    received = []

    def handle(connection):
        received.append(read_chunks(connection))
        connection.sendall(OK + b"Content-Length: 2\r\n\r\nok")

    body = bytes(index % 251 for index in range(size))
    response = send(serve(handle), http.Request("POST", "/load", {}, io.BytesIO(body)))
    assert response.body == b"ok"
    ((head, content),) = received
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert content == body


class Endless:
    """Stream without an end."""

    def read(self, size=-1):
        return bytes(size)


def test_an_error_before_the_end_of_the_body_is_reported(serve):
    def handle(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nnope")

    with fails("request_failed", "HTTP status 400: nope"):
        send(serve(handle), http.Request("POST", "/x", {}, Endless()))


def test_a_daemon_that_does_not_read_the_body_is_too_slow(serve):
    with fails("no_response", f"no response within {SHORT} seconds"):
        send(serve(waiting_without_reading), http.Request("POST", "/x", {}, Endless()), SHORT)


def waiting_without_reading(connection):
    """Read nothing until the client gives up, which closes the connection."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll(LONG * 1000)


def test_a_body_that_cannot_be_read_is_an_error(serve):
    class Broken:
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    path = serve(lambda connection: connection.recv(65536))
    with fails("file_unreadable", path, "POST /x", "Input/output error"):
        send(path, http.Request("POST", "/x", {}, Broken()))


def opened(path):
    return http.stream(path, http.Request("GET", "/x"), LONG)


@pytest.mark.parametrize("size", [0, 5, LIMIT * 40])
@pytest.mark.parametrize("kind", ["length", "chunks", "end"])
def test_a_stream_can_be_longer_than_the_limit_and_is_not_kept(serve, size, kind):
    heads = {
        "length": OK + b"Content-Length: %d\r\n\r\n" % size,
        "chunks": CHUNKED + b"%x\r\n" % size,
        "end": OK + b"\r\n",
    }
    end = b"\r\n0\r\n\r\n" if kind == "chunks" and size else b"\r\n" * (kind == "chunks")
    path = serve(responding(heads[kind], bytes(size), end))
    with opened(path) as pieces:
        lengths = [len(piece) for piece in pieces]
    assert sum(lengths) == size
    assert max(lengths, default=0) <= 128 * 1024


def test_the_error_of_a_stream_is_limited(serve, monkeypatch):
    monkeypatch.setattr(http, "LIMIT", LIMIT)
    path = serve(responding(b"HTTP/1.1 500 Error\r\n\r\n", bytes(LIMIT + 1)))
    problem = f"longer than {LIMIT} bytes"
    with fails("output_unreadable", problem), opened(path):
        pass


def test_a_stream_that_ends_early_is_not_a_response(serve):
    path = serve(responding(OK + b"Content-Length: 6\r\n\r\nans"))
    with fails("no_response", "the daemon closed the connection"), opened(path) as pieces:
        list(pieces)


def test_a_stream_with_an_unexpected_content_is_unreadable(serve):
    path = serve(responding(OK + b"Content-Length: 3\r\n\r\nans"))
    with fails("output_unreadable", path, "GET /x", "no number"), opened(path) as pieces:
        raise ValueError(f"no number: {list(pieces)}")
