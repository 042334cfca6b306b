# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built site: its pages, its links and its search. The session docs builds the site first."""

from __future__ import annotations

import html.parser
import json
import pathlib
import re
import urllib.parse

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = ROOT / ".cache" / "site"
#: A search that must find the page.
SEARCHES = {
    "provision": "runtime_extra_packages",
    "switching": "cruntime_batch",
    "air-gap": "runtime_package_dir",
    "gpu": "nvidia-ctk",
    "registries": "override_path",
    "troubleshooting": "ContainerCreating",
    "security": "ansible-vault",
    "report": "report_dir",
    "collections/cruntime_enable_module": "cgroup_driver",
    "collections/cruntime_image_module": "preload",
    "collections/runtime_role": "runtime_crictl_archive",
    "collections/switch_role": "switch_drain_flags",
}


class Page(html.parser.HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.add(value)


def find_broken(site):
    """Return each link that leads to no file or to no anchor, with the page that has it."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            name = urllib.parse.unquote(parts.path)
            target = (path.parent / name).resolve() if name else path
            fragment = urllib.parse.unquote(parts.fragment)
            if not target.is_file() or (
                fragment and target in pages and fragment not in pages[target].anchors
            ):
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    return sorted(broken)


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#x"></a><a href="#y"></a><p id="y"></p>')
    (tmp_path / "b.html").write_text('<a href="a.html#y"></a><a href="c.html"></a><img src="d">')
    assert find_broken(tmp_path) == ["a.html: b.html#x", "b.html: c.html", "b.html: d"]


def test_every_link_leads_to_a_file_and_an_anchor():
    assert len(list(SITE.rglob("*.html"))) > 20
    assert find_broken(SITE) == []


def test_every_external_link_is_a_valid_url():
    links = {link for path in SITE.rglob("*.html") for link in Page(path).links}
    external = {link for link in links if re.match("[a-z]+:|//", link, re.IGNORECASE)}
    assert len(external) > 10
    host = r"[a-z0-9-]+(\.[a-z0-9-]+)+"
    valid = re.compile(rf"https://{host}(:\d+)?(/[\w!$&'()*+,;=:@%./~-]*)?(\?\S*)?(#\S*)?")
    assert [link for link in sorted(external) if not valid.fullmatch(link)] == []


def reference_pages():
    """Return the pages of all modules, filters, tests and roles."""
    kinds = (("plugins/modules", "module"), ("plugins/filter", "filter"), ("plugins/test", "test"))
    plugins = [
        f"{path.stem}_{kind}" for place, kind in kinds for path in (ROOT / place).glob("*.py")
    ]
    roles = [f"{path.parents[1].name}_role" for path in ROOT.glob("roles/*/meta/main.yml")]
    return sorted([*plugins, *roles])


@pytest.mark.parametrize("name", reference_pages())
def test_reference_has_a_page(name):
    page = (SITE / "collections" / f"{name}.html").read_text()
    assert ("Entry point" if name.endswith("_role") else "Synopsis") in page


def test_role_pages_have_every_variable():
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        options = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
        page = (SITE / "collections" / f"{path.parents[1].name}_role.html").read_text()
        assert [name for name in options if name not in page] == []


def test_index_links_to_every_page():
    links = Page(SITE / "index.html").links
    pages = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} - {"index.html"}
    assert pages <= links


@pytest.mark.parametrize("page", SEARCHES)
def test_search_index_has_the_word_of_the_page(page):
    text = (SITE / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    number = index["docnames"].index(page)
    # The index has the stem of a word.
    found = [
        ids if isinstance(ids, list) else [ids]
        for terms in (index["terms"], index["titleterms"])
        for term, ids in terms.items()
        if SEARCHES[page].lower().startswith(term)
    ]
    assert any(number in ids for ids in found)


@pytest.mark.parametrize("page", SEARCHES)
def test_search_finds_the_page(browser, page):
    assert "rtd-search-form" in (SITE / f"{page}.html").read_text()
    browser.open(f"{(SITE / 'search.html').as_uri()}?q={urllib.parse.quote(SEARCHES[page])}")
    links = "[...document.querySelectorAll('#search-results li a')].map((a) => a.href)"
    for _try in range(100):
        # The page shows one result after the other.
        browser.evaluate("new Promise((done) => setTimeout(done, 50))")
        found = browser.evaluate(links)
        if any(f"/{page}.html" in link for link in found):
            return
    pytest.fail(f"found only {found}")
