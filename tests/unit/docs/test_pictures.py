# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures and transcripts in the documentation are those that `make pictures` made."""

from __future__ import annotations

import collections
import re
import xml.etree.ElementTree as ET

import pictures
import pytest

SVG = "{http://www.w3.org/2000/svg}"
DRAWING = ET.parse(pictures.PICTURES / "architecture.svg")


@pytest.mark.parametrize("name", pictures.PAGES)
def test_page_shows_the_transcript(name):
    text = (pictures.PICTURES / name).read_text()
    assert f"{pictures.marker(name)}{text}```\n" in pictures.PAGES[name].read_text()


def drawn(kind):
    """Return the titles of the nodes or edges of the drawing."""
    groups = DRAWING.iter(f"{SVG}g")
    return [each.findtext(f"{SVG}title") for each in groups if each.get("class") == kind]


def test_drawing_has_the_imports_of_the_code():
    found = collections.defaultdict(set)
    for arrow in drawn("edge"):
        group, _arrow, target = arrow.partition("->")
        found[group].add(target)
    assert found == {group: targets for group, targets in pictures.arrows().items() if targets}


def test_drawing_has_the_groups_of_all_modules():
    assert sorted(drawn("node")) == sorted(pictures.GROUPS)
    assert {pictures.group_of(module) for module in pictures.modules()} == set(pictures.GROUPS)
    shown = set(re.findall(r"\w+", " ".join(DRAWING.getroot().itertext())))
    for path in (path for group in pictures.GROUPS for path in pictures.paths_of(group)):
        assert (pictures.PLUGINS / path).exists() or (pictures.PLUGINS / f"{path}.py").exists()
        assert path.rpartition("/")[2] in shown


def test_imports_that_follow_from_others_are_not_drawn():
    arrows = pictures.arrows()
    assert "Queries of each runtime" in arrows["Images"]
    # Images imports the tools, and so do the queries that it imports.
    assert "Tools" not in arrows["Images"]
