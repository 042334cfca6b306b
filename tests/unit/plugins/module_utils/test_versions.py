# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version type of the node code, compared with the semver library."""

from __future__ import annotations

import operator

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
    installed_version,
)

NUMBER = st.integers(min_value=0, max_value=30).map(str)
WORD = st.text("019aAzZ-", min_size=1, max_size=3).filter(lambda text: not text.isdigit())


def dotted(parts):
    return st.lists(parts, min_size=1, max_size=3).map(".".join)


@st.composite
def versions(draw):
    text = ".".join(draw(st.tuples(NUMBER, NUMBER, NUMBER)))
    if draw(st.booleans()):
        text += "-" + draw(dotted(NUMBER | WORD))
    if draw(st.booleans()):
        text += "+" + draw(dotted(WORD))
    return text


@given(versions(), versions())
def test_the_order_matches_the_semver_library(left, right):
    ours = Version(left), Version(right)
    theirs = semver.Version.parse(left), semver.Version.parse(right)
    for compare in (operator.lt, operator.eq, operator.ge):
        assert compare(*ours) == compare(*theirs)


@given(st.text("0123.+-ab v~", max_size=12) | versions())
def test_valid_versions_match_the_semver_library(text):
    assert is_ours(text) == semver.Version.is_valid(text[text.startswith("v") :])


def is_ours(text):
    try:
        Version(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("1.5.4~ds1", "1.5.4"),
        ("v2.1.4", "2.1.4"),
        ("20.10.24+dfsg1", "20.10.24"),
        ("19.03.15", "19.3.15"),
        ("1.2.0-rc.1", "1.2.0-rc.1"),
    ],
)
def test_versions_of_packages_are_parsed(text, same_as):
    assert installed_version(text) == Version(same_as)
    assert hash(installed_version(text)) == hash(Version(same_as))
