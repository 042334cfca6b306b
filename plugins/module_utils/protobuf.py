# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode and decode messages of protobuf, which tables of fields describe; pure.

Only the types that the APIs of the runtimes use are supported. Source:
U(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple, Union

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MASK = (1 << 64) - 1
_SIGN = 1 << 63

#: A scalar type (C(str), C(bool) or C(int)), the names of an enumeration from 0 on, or a message.
Kind = Union[type, Tuple[str, ...], "Message"]


class Field(NamedTuple):
    """Field of a message.

    :param kind: type of its values.
    :param is_repeated: whether the field is a list. Lists of numbers are not supported.
    """

    name: str
    kind: Kind
    is_repeated: bool = False

    @property
    def is_map(self) -> bool:
        return self.kind is ENTRY

    @property
    def default(self) -> Any:
        """Value of the field if it is not set. A message that is not set is None."""
        if self.is_map:
            return {}
        if self.is_repeated:
            return []
        if isinstance(self.kind, tuple):
            return self.kind[0]
        return None if isinstance(self.kind, dict) else self.kind()

    @property
    def wire_type(self) -> int:
        is_number = self.kind in (int, bool) or isinstance(self.kind, tuple)
        return _VARINT if is_number else _LENGTH_DELIMITED


#: Fields of a message, by their numbers.
Message = Dict[int, Field]

#: Entry of a map, whose keys and values are strings.
ENTRY: Message = {1: Field("key", str), 2: Field("value", str)}


def decode(message: Message, data: bytes) -> dict[str, Any]:
    """Return the values of all fields of a message, by their names.

    Fields that the message does not declare, and fields of other types, are ignored.

    :raises ValueError: if the data is not a message.
    """
    values = {field.name: field.default for field in message.values()}
    position = 0
    while position < len(data):
        key, position = _decode_varint(data, position)
        wire_type = key & 7
        value, position = _decode_value(data, position, wire_type)
        field = message.get(key >> 3)
        if field and field.wire_type == wire_type:
            _add(values, field, _convert(field.kind, value))
    return values


def _decode_value(data: bytes, position: int, wire_type: int) -> tuple[Any, int]:
    """Return the next value, and the position after it."""
    if wire_type == _VARINT:
        return _decode_varint(data, position)
    if wire_type == _LENGTH_DELIMITED:
        size, position = _decode_varint(data, position)
    elif wire_type in (_FIXED32, _FIXED64):
        size = 4 if wire_type == _FIXED32 else 8
    else:
        raise ValueError(f"protobuf: unknown wire type {wire_type}")
    end = position + size
    if end > len(data):
        raise ValueError(f"protobuf: truncated value of {size} bytes")
    return data[position:end], end


def _decode_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & _MASK, position + index + 1
    raise ValueError("protobuf: truncated number")


def _convert(kind: Kind, value: Any) -> Any:
    if isinstance(kind, dict):
        return decode(kind, value)
    if isinstance(kind, tuple):
        # A newer daemon can have more names.
        return kind[value] if value < len(kind) else str(value)
    if kind is str:
        return value.decode("utf-8", errors="replace")
    if kind is bool:
        return value != 0
    return value - (1 << 64) if value & _SIGN else value


def _add(values: dict[str, Any], field: Field, value: Any) -> None:
    if field.is_map:
        values[field.name][value["key"]] = value["value"]
    elif field.is_repeated:
        values[field.name].append(value)
    else:
        values[field.name] = value


def encode(message: Message, values: dict[str, Any]) -> bytes:
    """Return a message with these values. Fields without a value are not set.

    :param values: values by the names of their fields.
    """
    encoded = bytearray()
    for number, field in message.items():
        for value in _occurrences(field, values.get(field.name, field.default)):
            encoded += _encode_varint(number << 3 | field.wire_type) + _encode_value(field, value)
    return bytes(encoded)


def _occurrences(field: Field, value: Any) -> list[Any]:
    """Return the values of a field in the order of their encoding."""
    if field.is_map:
        return [{"key": key, "value": text} for key, text in value.items()]
    if field.is_repeated:
        return list(value)
    return [] if value == field.default else [value]


def _encode_value(field: Field, value: Any) -> bytes:
    kind = field.kind
    if isinstance(kind, tuple):
        return _encode_varint(kind.index(value))
    if field.wire_type == _VARINT:
        return _encode_varint(int(value) & _MASK)
    data = encode(kind, value) if isinstance(kind, dict) else value.encode()
    return _encode_varint(len(data)) + data


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
