# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks read the facts about runtimes with a filter, and do not repeat them."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES

ROOT = pathlib.Path(__file__).parents[3]
FILES = sorted((*ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("playbooks/*.yml")))
FACTS = {
    fact
    for each in RUNTIMES.values()
    for fact in (*each.units, *each.adapters, each.config_path, each.socket_path, each.data_root)
}
PACKAGES = [path for path in sorted(ROOT.glob("roles/runtime/vars/*.yml")) if path.stem != "main"]


def leaves(tree):
    """Return all strings of a file, with the keys of its dictionaries."""
    if isinstance(tree, dict):
        tree = [*tree, *tree.values()]
    if isinstance(tree, list):
        return [text for inner in tree for text in leaves(inner)]
    return [str(tree)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_fact_is_repeated(path):
    # Descriptions and messages can name a unit.
    words = [
        word
        for text in leaves(yaml.safe_load(path.read_text()))
        for word in re.split(r"[\s'\",\[\]]+", text)
    ]
    assert words
    assert FACTS.intersection(words) == set()


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
def test_each_runtime_has_packages(path):
    tables = yaml.safe_load(path.read_text())
    assert [list(table) for table in tables.values()] == [list(RUNTIMES)] * 2
