# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of headers have the values of RFC 7541, and no block breaks the decoder."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.sockets import hpack

#: Examples of RFC 7541, appendix C: the blocks of one connection, each with its headers.
REQUESTS = [
    {":method": "GET", ":scheme": "http", ":path": "/", ":authority": "www.example.com"},
    {
        ":method": "GET",
        ":scheme": "http",
        ":path": "/",
        ":authority": "www.example.com",
        "cache-control": "no-cache",
    },
    {
        ":method": "GET",
        ":scheme": "https",
        ":path": "/index.html",
        ":authority": "www.example.com",
        "custom-key": "custom-value",
    },
]
EXAMPLES = {
    "C.3, without Huffman codes": [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    "C.4, with Huffman codes": [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
}


@pytest.mark.parametrize("blocks", EXAMPLES.values(), ids=EXAMPLES)
def test_blocks_of_a_connection_share_a_table(blocks):
    decoder = hpack.Decoder()
    assert [dict(decoder.decode(bytes.fromhex(block))) for block in blocks] == REQUESTS


@pytest.mark.parametrize(
    ("block", "header"),
    [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", ("custom-key", "custom-header")),
        ("040c2f73616d706c652f70617468", (":path", "/sample/path")),
        ("100870617373776f726406736563726574", ("password", "secret")),
        ("82", (":method", "GET")),
    ],
)
def test_headers_of_each_kind_are_decoded(block, header):
    assert hpack.Decoder().decode(bytes.fromhex(block)) == [header]


def test_entries_leave_a_table_that_is_full():
    decoder = hpack.Decoder()
    # The table has 100 bytes: two entries of 34 bytes fit.
    decoder.decode(b"\x3f\x45" + b"".join(b"\x40\x01" + name + b"\x01x" for name in (b"a", b"b")))
    assert decoder.decode(b"\xbe\xbf") == [("b", "x"), ("a", "x")]
    decoder.decode(b"\x40\x01c\x01x")
    assert decoder.decode(b"\xbe\xbf") == [("c", "x"), ("b", "x")]
    with pytest.raises(IndexError):
        decoder.decode(b"\xc0")
    # An entry that is larger than the table empties it.
    assert decoder.decode(b"\x40\x01d\x45" + b"x" * 69) == [("d", "x" * 69)]
    with pytest.raises(IndexError):
        decoder.decode(b"\xbe")


def test_a_smaller_table_keeps_the_newest_entries():
    decoder = hpack.Decoder()
    decoder.decode(b"\x40\x01a\x01x\x40\x01b\x01x")
    decoder.decode(b"\x3f\x0f")
    assert decoder.decode(b"\xbe") == [("b", "x")]
    with pytest.raises(IndexError):
        decoder.decode(b"\xbf")
    decoder.decode(b"\x20\x3f\xe1\x1f")
    with pytest.raises(IndexError):
        decoder.decode(b"\xbe")


@pytest.mark.parametrize(
    "block",
    [
        "80",
        "3fe21f",
        "ffffffffffffff01",
        "7f",
        "40",
        "4003616263",
        "40036162",
        "000161",
        # The padding has 8 bits, a bit that is not set, or is EOS itself.
        "000161821fff",
        "0001618118",
        "00016184ffffffff",
    ],
)
def test_an_invalid_block_is_an_error(block):
    with pytest.raises((ValueError, IndexError)):
        hpack.Decoder().decode(bytes.fromhex(block))


def test_references_do_not_make_headers_larger_than_the_limit():
    # Each byte refers to a header of 4,000 bytes.
    decoder = hpack.Decoder()
    decoder.decode(b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000)
    assert len(decoder.decode(b"\xbe" * 16)) == 16
    with pytest.raises(ValueError, match="headers of more than 65536 bytes"):
        decoder.decode(b"\xbe" * 17)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_headers_or_an_error(blocks):
    decoder = hpack.Decoder()
    for block in blocks:
        with contextlib.suppress(ValueError, IndexError):
            decoder.decode(block)


@given(
    st.lists(st.tuples(st.text("az-:", min_size=1), st.text("ab/% ", max_size=20000)), max_size=3)
)
def test_encoded_headers_are_decoded(headers):
    assert hpack.Decoder().decode(hpack.encode(headers)) == headers
