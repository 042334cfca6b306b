# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decoder of headers reads what the library hpack encodes."""

from __future__ import annotations

import hpack as library
import pytest
from hpack import huffman_constants
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.sockets import hpack

#: Text with characters of all lengths of Huffman codes, of one byte each.
CHARACTERS = st.characters(min_codepoint=0, max_codepoint=255)
NAMES = st.sampled_from([":path", "server", "x-a", "x-b"]) | st.text(CHARACTERS, min_size=1)
HEADERS = st.lists(st.tuples(NAMES, st.text(CHARACTERS, max_size=60)), max_size=12)


def as_bytes(headers):
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


@given(
    blocks=st.lists(st.tuples(HEADERS, st.booleans(), st.none() | st.integers(0, 4096)), max_size=8)
)
def test_blocks_of_a_connection_are_decoded(blocks):
    encoder, decoder = library.Encoder(), hpack.Decoder()
    for headers, huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        block = encoder.encode(as_bytes(headers), huffman=huffman)
        assert decoder.decode(block) == headers


@given(headers=HEADERS)
def test_headers_that_must_not_be_indexed_are_decoded(headers):
    sensitive = [library.NeverIndexedHeaderTuple(*header) for header in as_bytes(headers)]
    assert hpack.Decoder().decode(library.Encoder().encode(sensitive)) == headers


@given(headers=HEADERS)
def test_encoded_headers_are_decoded_by_the_library(headers):
    text = [(name, value) for name, value in headers if name.isascii() and value.isascii()]
    decoded = library.Decoder().decode(hpack.encode(text), raw=True)
    assert [tuple(header) for header in decoded] == as_bytes(text)


def test_the_huffman_codes_are_those_of_the_library():
    codes = zip(huffman_constants.REQUEST_CODES_LENGTH, huffman_constants.REQUEST_CODES)
    assert {code: symbol for symbol, code in enumerate(codes)} == hpack._symbols()


@pytest.mark.parametrize("symbol", range(256))
def test_each_byte_has_a_code(symbol):
    value = bytes([symbol]) * 3
    block = library.Encoder().encode([(b"x", value)], huffman=True)
    assert hpack.Decoder().decode(block) == [("x", value.decode("latin-1"))]
