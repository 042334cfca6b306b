# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compress and decompress the headers of HTTP/2: HPACK, RFC 7541."""

from __future__ import annotations

import functools
from typing import Iterable, Tuple

#: Name and value.
Header = Tuple[str, str]
#: Maximum size of the headers of one block after decompression, in bytes.
LIMIT = 64 * 1024

# The encoder of the peer uses this size unless it sends another one, because the client does not
# change SETTINGS_HEADER_TABLE_SIZE.
_TABLE_SIZE = 4096
# Part of the size of each header, RFC 7541, section 4.1.
_OVERHEAD = 32
_INTEGER_BITS = 32
# The static table, RFC 7541, appendix A. A space separates a name from its value.
_STATIC: tuple[Header, ...] = tuple(
    (name, value)
    for name, _space, value in (
        line.partition(" ")
        for line in """\
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate""".splitlines()
    )
)
# The length of the Huffman code of each byte and of EOS, as a digit of base 36. The codes are
# canonical, RFC 7541, appendix B: codes of one length are consecutive, in the order of the bytes.
_CODE_LENGTHS = (
    "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad677777777777777777777"
    "77878djde6f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmo"
    "lmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu"
)
_EOS = 256


def encode(headers: Iterable[Header]) -> bytes:
    """Return a block of headers.

    Every decoder accepts the block, because it uses neither a table nor Huffman codes.
    """
    return b"".join(b"\0" + _encode_string(name) + _encode_string(value) for name, value in headers)


def _encode_string(text: str) -> bytes:
    data = text.encode()
    return _encode_integer(len(data)) + data


def _encode_integer(value: int) -> bytes:
    """Return an integer with a prefix of 7 bits, RFC 7541, section 5.1."""
    if value < 127:
        return bytes([value])
    encoded, rest = [127], value - 127
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes([*encoded, rest])


class Decoder:
    """Decoder of all blocks of one connection, because blocks share a dynamic table."""

    def __init__(self) -> None:
        self._table: list[Header] = []
        self._maximum = _TABLE_SIZE

    def decode(self, block: bytes) -> list[Header]:
        """Return the headers of the next block.

        :raises ValueError: if the block is not valid.
        :raises IndexError: if the block is truncated.
        """
        reader = _Reader(block)
        headers: list[Header] = []
        size = 0
        while not reader.at_end:
            header = self._decode_field(reader)
            if header is None:
                continue
            size += _size(header)
            if size > LIMIT:
                raise ValueError(f"headers of more than {LIMIT} bytes")
            headers.append(header)
        return headers

    def _decode_field(self, reader: _Reader) -> Header | None:
        """Return the next header; None after a change of the table's size."""
        first = reader.peek()
        if first & 0x80:
            return self._entry(reader.integer(7))
        if first & 0x40:
            header = self._literal(reader, 6)
            self._table.insert(0, header)
            self._evict()
            return header
        if first & 0x20:
            self._resize(reader.integer(5))
            return None
        return self._literal(reader, 4)

    def _literal(self, reader: _Reader, prefix: int) -> Header:
        index = reader.integer(prefix)
        name = self._entry(index)[0] if index else reader.string()
        return name, reader.string()

    def _entry(self, index: int) -> Header:
        if index == 0:
            raise ValueError("header with the index 0")
        if index <= len(_STATIC):
            return _STATIC[index - 1]
        return self._table[index - len(_STATIC) - 1]

    def _resize(self, maximum: int) -> None:
        if maximum > _TABLE_SIZE:
            raise ValueError(f"dynamic table of {maximum} bytes")
        self._maximum = maximum
        self._evict()

    def _evict(self) -> None:
        size = sum(map(_size, self._table))
        while size > self._maximum:
            size -= _size(self._table.pop())


def _size(header: Header) -> int:
    return len(header[0]) + len(header[1]) + _OVERHEAD


class _Reader:
    """Reader of the primitive types in a block."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._block)

    def peek(self) -> int:
        return self._block[self._position]

    def integer(self, prefix: int) -> int:
        """Return an integer whose prefix has this number of bits."""
        mask = (1 << prefix) - 1
        value = self._byte() & mask
        if value < mask:
            return value
        for shift in range(0, _INTEGER_BITS, 7):
            byte = self._byte()
            value += (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError(f"integer of more than {_INTEGER_BITS} bits")

    def string(self) -> str:
        is_compressed = self.peek() & 0x80
        length = self.integer(7)
        data = self._block[self._position : self._position + length]
        if len(data) < length:
            raise ValueError("truncated string")
        self._position += length
        return (_decompress(data) if is_compressed else data).decode("latin-1")

    def _byte(self) -> int:
        value = self._block[self._position]
        self._position += 1
        return value


@functools.lru_cache(maxsize=None)
def _symbols() -> dict[tuple[int, int], int]:
    """Return the byte of each Huffman code, by the length and the value of the code."""
    found, code, previous = {}, 0, 0
    lengths = [int(digit, 36) for digit in _CODE_LENGTHS]
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - previous
        found[length, code] = symbol
        code, previous = code + 1, length
    return found


def _decompress(data: bytes) -> bytes:
    """Return a string that is compressed with Huffman codes.

    :raises ValueError: if the string contains EOS, or does not end with a beginning of EOS.
    """
    symbols, found = _symbols(), bytearray()
    length, code = 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            length, code = length + 1, code << 1 | byte >> shift & 1
            symbol = symbols.get((length, code))
            if symbol is not None:
                if symbol == _EOS:
                    raise ValueError("EOS in a string")
                found.append(symbol)
                length, code = 0, 0
    if length > 7 or code != (1 << length) - 1:
        raise ValueError("invalid end of a compressed string")
    return bytes(found)
