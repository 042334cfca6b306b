# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read properties over D-Bus: D-Bus Specification 0.43, sections Message Protocol and Auth."""

from __future__ import annotations

import os
import struct
from typing import AbstractSet, Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.sockets.wire import Wire

# Message types and header fields of the specification.
_METHOD_CALL, _ERROR = 1, 3
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = (
    1, 2, 3, 4, 5, 6, 8,
)  # fmt: skip
# Fixed part of a header: byte order, type, flags, version, length of the body, serial, and length
# of the header fields.
_HEAD = 16
# Format of each type with a fixed size. Each is aligned to its size.
_FIXED = {
    "y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d",
    "h": "I",
}  # fmt: skip
_ALIGNMENT = {"s": 4, "o": 4, "a": 4, "g": 1, "v": 1, "(": 8, "{": 8}
_CLOSING = {"(": ")", "{": "}"}
# Maximum length of the answer to the authentication, in bytes.
_AUTH_LIMIT = 1024


class Bus:
    """Connection to a daemon, by a bus or without one.

    :param socket_path: path of the socket.
    :param service: name of the daemon on a bus.
    :param is_direct: whether it is the socket of the daemon, not of a bus.
    :param timeout: time for each request, in seconds.
    """

    def __init__(self, socket_path: str, service: str, is_direct: bool, timeout: float) -> None:
        self._wire = Wire(socket_path)
        self._service = service
        self._is_direct = is_direct
        self._timeout = timeout
        self._serial = 0

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._wire.close()

    def get_all(self, paths: list[str], wanted: AbstractSet[str]) -> list[dict[str, Any]]:
        """Return the properties of objects with these names, of all interfaces.

        :raises RequestError: if the daemon does not respond in time, or with something else.
        """
        self._wire.begin("GetAll", self._timeout)
        if not self._serial:
            self._authenticate()
        serials = []
        calls = b""
        for path in paths:
            calls += self._call(
                self._service, path, "org.freedesktop.DBus.Properties", "GetAll", ""
            )
            serials.append(self._serial)
        self._wire.send(calls)
        found = self._receive(set(serials))
        with self._wire.reading():
            return [found[serial].read_dictionary(wanted) for serial in serials]

    def _authenticate(self) -> None:
        user = str(os.geteuid()).encode().hex()
        # systemd does not process a message that arrives together with BEGIN.
        self._wire.send(f"\0AUTH EXTERNAL {user}\r\nBEGIN\r\n".encode())
        with self._wire.reading():
            answer = self._wire.read_until(b"\r\n", _AUTH_LIMIT)
            if not answer.startswith(b"OK "):
                raise ValueError(f"the daemon did not accept the user: {answer.decode()}")
        if not self._is_direct:
            bus = "org.freedesktop.DBus"
            self._wire.send(self._call(bus, "/org/freedesktop/DBus", bus, "Hello"))
            self._receive({self._serial})

    def _call(self, service: str, path: str, interface: str, member: str, *words: str) -> bytes:
        self._serial += 1
        return _pack_call(self._serial, service, path, interface, member, *words)

    def _receive(self, serials: set[int]) -> dict[int, Reader]:
        """Receive the responses to calls, by the serials of the calls."""
        found: dict[int, Reader] = {}
        while len(found) < len(serials):
            with self._wire.reading():
                kind, fields, reader = self._read_message()
                serial = fields.get(_REPLY_SERIAL)
                # Signals, which systemd sends to all connections, have none.
                if serial in serials:
                    if kind == _ERROR:
                        raise ValueError(f"{fields[_ERROR_NAME]}: {reader.read('s')}")
                    found[serial] = reader
        return found

    def _read_message(self) -> tuple[int, dict[int, Any], Reader]:
        head = self._wire.read(_HEAD)
        order = {b"l": "<", b"B": ">"}.get(head[:1])
        if order is None:
            raise ValueError(f"unknown byte order {head[0]}")
        body_size, _serial, fields_size = struct.unpack(f"{order}III", head[4:])
        fields = head + self._wire.read(_align(fields_size, 8))
        reader = Reader(fields[: _HEAD + fields_size], order, start=_HEAD - 4)
        return (
            head[1],
            dict(reader.read("a(yv)")),
            Reader(self._wire.read(body_size), order),
        )


class Reader:
    """Values of a message.

    :param order: byte order, as in the module struct.
    :param start: position of the first value.
    """

    def __init__(self, data: bytes, order: str, start: int = 0) -> None:
        self._data = data
        self._order = order
        self._position = start

    def read_dictionary(self, wanted: AbstractSet[str]) -> dict[str, Any]:
        """Return a dictionary of variants, with these keys only.

        :raises ValueError: if the data is not in this format.
        """
        found = {}
        end = self._begin_array(8)
        while self._position < end:
            self._skip_to(8)
            key = self.read("s")
            signature = self._read_signature()
            if key in wanted:
                found[key] = self.read(signature)
            else:
                self._skip(signature)
        return found

    def read(self, signature: str) -> Any:
        """Return the next value, which has one complete type."""
        kind = signature[0]
        if kind in _FIXED:
            value = self._read_fixed(_FIXED[kind])
            return bool(value) if kind == "b" else value
        self._skip_to(_ALIGNMENT[kind])
        if kind in "sog":
            text = self._take(self._read_fixed("B" if kind == "g" else "I")).decode()
            self._take(1)
            return text
        if kind == "v":
            return self.read(self._read_signature())
        if kind == "a":
            return self._read_array(signature[1:])
        return tuple(self.read(each) for each in _split(signature[1:-1]))

    def _read_signature(self) -> str:
        """Return the type of the value of a variant."""
        signature: str = self.read("g")
        if _find_end(signature) != len(signature):
            raise ValueError(f"{signature!r} is not one complete type")
        return signature

    def _skip(self, signature: str) -> None:
        """Skip a value. That of an array is faster than to read it."""
        if signature[0] == "a":
            self._position = self._begin_array(_align_type(signature[1]))
        else:
            self.read(signature)

    def _read_array(self, element: str) -> list[Any]:
        end = self._begin_array(_align_type(element[0]))
        values = []
        while self._position < end:
            values.append(self.read(element))
        return values

    def _begin_array(self, alignment: int) -> int:
        """Go to the first element of an array; return the position of the end of the array."""
        size: int = self._read_fixed("I")
        # The padding before the first element is not part of the size.
        self._skip_to(alignment)
        return self._position + size

    def _read_fixed(self, form: str) -> Any:
        size = struct.calcsize(form)
        self._skip_to(size)
        return struct.unpack(self._order + form, self._take(size))[0]

    def _skip_to(self, alignment: int) -> None:
        self._position = _align(self._position, alignment)

    def _take(self, size: int) -> bytes:
        piece = self._data[self._position : self._position + size]
        if len(piece) < size:
            raise ValueError("the message ends within a value")
        self._position += size
        return piece


def _align_type(kind: str) -> int:
    return _ALIGNMENT.get(kind) or struct.calcsize(_FIXED[kind])


def _split(signature: str) -> list[str]:
    """Split a signature into its complete types."""
    types = []
    while signature:
        size = _find_end(signature)
        types.append(signature[:size])
        signature = signature[size:]
    return types


def _find_end(signature: str) -> int:
    """Return the length of the first complete type of a signature."""
    if signature[:1] == "a":
        return 1 + _find_end(signature[1:])
    closing = _CLOSING.get(signature[:1])
    if closing is None:
        if signature[:1] not in {*_FIXED, *_ALIGNMENT}:
            raise ValueError(f"unknown type {signature[:1]!r}")
        return 1
    size = 1
    while signature[size : size + 1] != closing:
        size += _find_end(signature[size:])
    return size + 1


def _pack_call(
    serial: int, service: str, path: str, interface: str, member: str, *arguments: str
) -> bytes:
    """Return the message of a method call, whose arguments are strings."""
    body = _strings(arguments)
    fields = [
        (_PATH, "o", path),
        (_INTERFACE, "s", interface),
        (_MEMBER, "s", member),
        (_DESTINATION, "s", service),
    ]
    packed = b""
    for code, kind, value in fields:
        packed += _pad(packed, 8) + bytes([code, 1, ord(kind), 0]) + _strings([value])
    if arguments:
        signature = b"s" * len(arguments)
        packed += _pad(packed, 8) + bytes([_SIGNATURE, 1, ord("g"), 0, len(signature)])
        packed += signature + b"\0"
    head = struct.pack("<4BIII", ord("l"), _METHOD_CALL, 0, 1, len(body), serial, len(packed))
    return head + packed + _pad(packed, 8) + body


def _strings(values: Iterable[str]) -> bytes:
    packed = b""
    for value in values:
        data = value.encode()
        packed += _pad(packed, 4) + struct.pack("<I", len(data)) + data + b"\0"
    return packed


def _pad(data: bytes, alignment: int) -> bytes:
    return bytes(_align(len(data), alignment) - len(data))


def _align(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
