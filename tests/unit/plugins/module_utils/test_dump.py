# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TOML parser returns the same as other parsers for the output of TOML encoders."""

from __future__ import annotations

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import dump
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import containerd_file

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
TREES = st.dictionaries(
    TEXT,
    st.recursive(
        SCALARS | st.lists(SCALARS, max_size=3),
        lambda inner: (
            st.dictionaries(TEXT, inner, max_size=3)
            | st.lists(st.dictionaries(TEXT, inner, max_size=2), min_size=1, max_size=2)
        ),
        max_leaves=8,
    ),
    max_size=5,
)


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_output_of_a_real_containerd(transcript, version):
    text = transcript(f"containerd-{version}-config-dump.toml")
    found = dump.parse(text)
    assert found == tomlkit.parse(text).unwrap()
    assert found["plugins"]["io.containerd.gc.v1.scheduler"]["pause_threshold"] == 0.02


@given(TREES)
def test_output_of_an_encoder(tree):
    # The encoder writes no multi-line strings for values that a program sets.
    assert dump.parse(tomlkit.dumps(tree)) == tree


@pytest.mark.parametrize("version", [2, 3])
def test_output_of_the_templates(version):
    entries = [{"registry": "[::1]:5000", "username": 'a"b', "password": "\\c"}]
    text = containerd_file(version, registries=entries, cni_bin_dir="/usr/lib/cni")["content"]
    assert dump.parse(text) == tomlkit.parse(text).unwrap()


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", {}),
        ("# only a comment", {}),
        ("a = 1 # x\r\nb = 'c'\r\n", {"a": 1, "b": "c"}),
        ("a = [\n  'x', # one\n  \"y\",\n]\n", {"a": ["x", "y"]}),
        ("a.'b.c'.\"d\" = {e = [1, 2.5], f = {}}", {"a": {"b.c": {"d": {"e": [1, 2.5], "f": {}}}}}),
        ("[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 2\n", {"a": [{"b": 1}, {"c": {"d": 2}}]}),
        (r'a = "\U0001F600\e\\U0001F600\t"', {"a": "\U0001f600\x1b\\U0001F600\t"}),
        ("a = -1_000\nb = 1e+06", {"a": -1000, "b": 1e6}),
    ],
)
def test_each_value_and_its_notations(text, data):
    assert dump.parse(text) == data


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a =",
        "a = yes",
        "a = 2020-01-01",
        "a = 1\na = 2",
        "a = 1\n[a.b]",
        "[a",
        "a = [1",
        "a = [1 2]",
        "a = {b = 1",
        'a = "',
        r'a = "\x"',
        r'a = "\UFFFFFFFF"',
        "a = '''\nb'''",
        "level=error msg=no",
        "\0",
    ],
)
def test_invalid_toml_is_an_error(text):
    with pytest.raises(ValueError, match=r"^line [12]: .|is not a table$"):
        dump.parse(text)


def test_endless_garbage_is_an_error():
    with pytest.raises(ValueError, match="nested too deeply"):
        dump.parse("a = " + "[" * 100_000)
