# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of protobuf are encoded as its documentation describes, and decoded again."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.protobuf import (
    ENTRY,
    Field,
    decode,
    encode,
)

INNER = {1: Field("a", int), 16: Field("names", str, is_repeated=True)}
MESSAGE = {
    1: Field("a", int),
    2: Field("b", str),
    3: Field("c", INNER),
    4: Field("d", INNER, is_repeated=True),
    5: Field("e", bool),
    6: Field("f", ("ZERO", "ONE", "TWO")),
    7: Field("g", ENTRY),
    2000: Field("h", str, is_repeated=True),
}
DEFAULTS = {"a": 0, "b": "", "c": None, "d": [], "e": False, "f": "ZERO", "g": {}, "h": []}
#: Encoded values, the first ones from the documentation of protobuf.
EXAMPLES = [
    ("089601", {"a": 150}),
    ("120774657374696e67", {"b": "testing"}),
    ("1a03089601", {"c": {"a": 150, "names": []}}),
    ("1a00", {"c": {"a": 0, "names": []}}),
    ("08feffffffffffffffff01", {"a": -2}),
    ("2801", {"e": True}),
    ("3002", {"f": "TWO"}),
    ("3a060a016b120176", {"g": {"k": "v"}}),
    ("3a020a003a001a00", {"g": {"": ""}, "c": {"a": 0, "names": []}}),
    ("827d0178827d0179", {"h": ["x", "y"]}),
    ("2200220482010178", {"d": [{"a": 0, "names": []}, {"a": 0, "names": ["x"]}]}),
]


@pytest.mark.parametrize(("data", "values"), EXAMPLES)
def test_encoded_messages_are_decoded(data, values):
    assert decode(MESSAGE, bytes.fromhex(data)) == {**DEFAULTS, **values}


@pytest.mark.parametrize(("data", "values"), EXAMPLES[:7])
def test_messages_are_encoded(data, values):
    assert encode(MESSAGE, values) == bytes.fromhex(data)
    assert encode(MESSAGE, {**DEFAULTS, **values}) == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("data", "values"),
    [
        # Unknown fields: a number, 8 bytes, a string, 4 bytes, and the number of a map's entry.
        ("5001" + "590102030405060708" + "5a0178" + "5d01020304" + "089601", {"a": 150}),
        # Fields of other types than declared.
        ("0a0178" + "1001" + "1801" + "089601", {"a": 150}),
        # The last value counts, and a newer daemon can have more names.
        ("08010802", {"a": 2}),
        ("3007", {"f": "7"}),
        ("1201ff", {"b": "\ufffd"}),
        ("", {}),
    ],
)
def test_values_that_are_not_declared_do_not_matter(data, values):
    assert decode(MESSAGE, bytes.fromhex(data)) == {**DEFAULTS, **values}


@pytest.mark.parametrize(
    "data", ["08", "0880", "08" + "ff" * 11, "12", "1203ab", "12ffffffff0f", "0b", "5901", "1a0112"]
)
def test_a_truncated_message_is_an_error(data):
    with pytest.raises(ValueError, match="protobuf"):
        decode(MESSAGE, bytes.fromhex(data))


NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
INNERS = st.fixed_dictionaries({"a": NUMBERS, "names": st.lists(st.text(), max_size=3)})
VALUES = st.fixed_dictionaries(
    {
        "a": NUMBERS,
        "b": st.text(),
        "c": st.none() | INNERS,
        "d": st.lists(INNERS, max_size=3),
        "e": st.booleans(),
        "f": st.sampled_from(["ZERO", "ONE", "TWO"]),
        "g": st.dictionaries(st.text(), st.text(), max_size=3),
        "h": st.lists(st.text(), max_size=3),
    }
)


@given(VALUES)
def test_values_survive_a_round_trip(values):
    assert decode(MESSAGE, encode(MESSAGE, values)) == values


@given(st.binary())
def test_any_bytes_are_a_message_or_an_error(data):
    with contextlib.suppress(ValueError):
        assert decode(MESSAGE, data).keys() == DEFAULTS.keys()
