# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links in Markdown files lead to files and headings of the checkout."""

from __future__ import annotations

import pathlib
import re
import subprocess
import urllib.parse

import pytest
from markdown_it import MarkdownIt

ROOT = pathlib.Path(__file__).resolve().parents[3]
BLOB = "https://github.com/cruntime/cruntime.node/blob/main/"
# Pages of the site that the session docs adds.
GENERATED = ("collections/", "contributing.md", "readme.md")
FILES = subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).splitlines()


def slug(heading):
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def parse(text):
    """Return the links of a page, and the anchors of its headings."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    links, anchors = [], set()
    for before, token in zip([None, *tokens], tokens):
        if token.type != "inline":
            continue
        for child in token.children:
            target = child.attrs.get("href") or child.attrs.get("src")
            links += [target] if target else []
        if before.type == "heading_open":
            parts = (child.content for child in token.children if child.content)
            anchors.add(slug("".join(parts)))
    return links, anchors


def find_broken(path):
    """Return the links of a Markdown file that lead to no file or to no heading."""
    broken = []
    for link in parse(path.read_text())[0]:
        is_ours = link.startswith(BLOB)
        parts = urllib.parse.urlsplit(link.removeprefix(BLOB))
        if parts.scheme or parts.path.startswith(GENERATED):
            continue
        directory = ROOT if is_ours else path.parent
        target = (directory / parts.path).resolve() if parts.path else path
        found = target.exists()
        if found and parts.fragment and target.suffix == ".md":
            found = parts.fragment in parse(target.read_text())[1]
        if not found:
            broken.append(link)
    return broken


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.md").write_text("# One `two`: 3\n[a](b.md#x) [b](#one-two-3) [c](c.md)\n")
    (tmp_path / "b.md").write_text("# Y\n| a |\n|---|\n| ![a](d.png) [b](a.md#one-two-3) |\n")
    assert find_broken(tmp_path / "a.md") == ["b.md#x", "c.md"]
    assert find_broken(tmp_path / "b.md") == ["d.png"]


@pytest.mark.parametrize("name", FILES)
def test_links_of_markdown_files_lead_somewhere(name):
    assert find_broken(ROOT / name) == []


@pytest.mark.parametrize("name", FILES)
def test_external_links_are_valid_urls(name):
    links = [link for link in parse((ROOT / name).read_text())[0] if ":" in link]
    valid = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[\w./%~@+-]*)?(#[\w./-]*)?")
    assert [link for link in links if not valid.fullmatch(link)] == []
