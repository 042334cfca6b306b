# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page contains the output of nodes as data, and never as markup."""

from __future__ import annotations

import html.parser
import json
import pathlib

import jinja2
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = st.sampled_from(
    ["</script>", "<!--", "<script>", "]]>", "\u2028", "\u2029", "{{ 1 }}", "{% raw %}", "'", "\\"]
)
TEXT = st.lists(HOSTILE | st.text(max_size=4), max_size=4).map("".join)


class Reader(html.parser.HTMLParser):
    """Parser that extracts the report from a page, and counts its tags."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.report, self._inside = [], "", False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = ("id", "report") in attrs

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.report += data


EMPTY = {"generated": "2026-01-01T00:00:00Z", "nodes": []}


@given(name=TEXT, key=TEXT, value=TEXT)
def test_the_page_contains_the_whole_report(rendered, name, key, value):
    node = {"name": name, "drift": [{"key": key, "current": value, key: value}]}
    report = {**EMPTY, "nodes": [node]}
    page = rendered(report)
    read = Reader(page)
    assert json.loads(read.report) == report
    assert read.tags == Reader(rendered(EMPTY)).tags
    # Fail on any text that a browser could take for markup, even if Python's parser does not.
    assert not set("<>&\u2028\u2029") & set(read.report)


def test_the_page_loads_no_external_resource(rendered):
    page = rendered(EMPTY)
    assert "default-src 'none'" in page
    for word in ("src=", "href=", "@import", "url(", "fetch(", "innerHTML", "eval("):
        assert word not in page


def test_the_summary_has_the_nodes_of_each_state_and_each_kind():
    template = pathlib.Path(__file__).parents[3] / "playbooks/templates/summary.j2"
    nodes = [
        {"name": "a", "state": "drift", "drift": [{"kind": "pending"}, {"kind": "unknown"}]},
        {"name": "b", "state": "drift", "drift": [{"kind": "unknown"}]},
        {"name": "c", "state": "ok", "drift": []},
    ]
    # The lookup of Ansible trims blocks too.
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(template.read_text()).render(
        cruntime_report={"nodes": nodes}, cruntime_report_dir="/r"
    )
    assert text.splitlines() == [
        "matches the spec: c",
        "drift: a, b",
        "keys of the kind pending: a",
        "keys of the kind unknown: a, b",
        "Report: /r/report.html",
    ]
