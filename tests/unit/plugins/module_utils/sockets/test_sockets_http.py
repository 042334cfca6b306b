# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request with HTTP ends with its response or with one clear error, whatever a daemon sends."""

from __future__ import annotations

import itertools

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
    with fails("request_failed", path, "GET /x?y=1", "HTTP status 404", detail) as caught:
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
    with fails("output_unreadable", path, "GET /x?y=1", problem):
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
