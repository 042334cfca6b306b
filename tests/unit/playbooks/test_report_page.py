# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report page in a real browser."""

from __future__ import annotations

import re

import pytest

HOSTILE = "<img src=x onerror=document.title='owned'></script>\u2028\u202e"


def runtime(name, version, **more):
    return {
        "name": name,
        "version": version,
        "cgroup_driver": "systemd",
        "socket_path": f"/run/{name}.sock",
        "enabled": True,
        **more,
    }


def node(name, state="ok", runtimes=(), **more):
    return {
        "name": name,
        "state": state,
        "error": None,
        "runtimes": runtimes,
        "spec_runtime": None,
        "drift": [],
        "units": [],
        "images_missing": [],
        **more,
    }


CONFIG = "/etc/containerd/config.toml"
DRIFT = [
    {"file": CONFIG, "key": "root", "current": None, "desired": "/data"},
    {"file": CONFIG, "key": HOSTILE, "current": True, "desired": [1, HOSTILE]},
    {"file": "/etc/crictl.yaml", "key": None, "current": "(not shown)", "desired": None},
    {
        "kind": "pending",
        "file": None,
        "key": "cgroup_driver",
        "current": "cgroupfs",
        "desired": "systemd",
    },
    {"kind": "overridden", "file": "/etc/x.toml", "key": "root", "current": "/a", "desired": "/b"},
    {
        "kind": "overridden",
        "source": "environment",
        "file": "/etc/x.env (variable NO_PROXY)",
        "key": "environment.NO_PROXY",
        "current": "a",
        "desired": "b",
    },
    {"kind": "unknown", "file": "/etc/d", "key": "debug.level", "current": None, "desired": "info"},
]
UNIT = {
    "name": "docker.service",
    "current": "active, enabled",
    "desired": "inactive, disabled",
    "cause": "disabled in favor of containerd",
}
RESTART = {
    "name": "containerd.service",
    "current": "active, enabled",
    "desired": "active, enabled",
    "cause": f"{CONFIG} is newer than the running process",
}
OLD = runtime("containerd", "1.6.20")
NODES = [
    node("node-10", "ok", [runtime("containerd", "1.10.0")]),
    node("node-2", "ok", [OLD]),
    node("node-1", "drift", [OLD], spec_runtime="containerd", drift=DRIFT, units=[RESTART]),
    node(
        "node-3",
        "drift",
        [runtime("docker", "26.1.5")],
        spec_runtime="containerd",
        units=[UNIT],
        images_missing=["registry.k8s.io/pause:3.10", HOSTILE],
    ),
    node("node-4", "failed", error="containerd is not installed on this node", images_missing=None),
    node("node-5", "unreachable", None, error="ssh: timed out", images_missing=None),
    node(HOSTILE, "unspecified", [runtime("crio", "1.37.0", cgroup_driver=None, enabled=False)]),
]
# The initial order: nodes that need attention are first.
WORST_FIRST = ["node-1", "node-3", "node-4", "node-5", HOSTILE, "node-2", "node-10"]

ROWS = "[...document.querySelectorAll('#nodes > tbody > tr')]"
NAMES = f"{ROWS}.filter((row) => !row.hidden).map((row) => row.cells[0].textContent)"


@pytest.fixture(scope="module")
def url(rendered, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    report = {"generated": "2026-01-02T03:04:05Z", "nodes": NODES}
    path.write_text(rendered(report), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, url):
    browser.show_as(1280, 900)
    browser.open(url)
    yield browser
    loaded = [
        parameters["request"]["url"]
        for method, parameters in browser.events
        if method == "Network.requestWillBeSent"
    ]
    assert loaded == [url]
    assert not [event for event in browser.events if event[0] == "Runtime.exceptionThrown"]
    assert not [event for event in browser.events if event[0] == "Log.entryAdded"]


def choose(page, control, value):
    page.evaluate(
        f"document.getElementById('{control}').value = '{value}';"
        f"document.getElementById('{control}').dispatchEvent(new Event('input', {{bubbles: true}}))"
    )
    return page.evaluate(NAMES)


def heading(column):
    return f"document.querySelectorAll('#nodes > thead th')[{column}]"


def sort_by(page, column):
    page.evaluate(f"{heading(column)}.querySelector('button').click()")
    return page.evaluate(NAMES), page.evaluate(f"{heading(column)}.getAttribute('aria-sort')")


def test_nodes_that_need_attention_are_first(page):
    assert page.evaluate(NAMES) == WORST_FIRST
    summary = page.evaluate("document.getElementById('summary').textContent")
    assert summary == (
        "7 nodes · 2 drift · 1 check failed · 1 unreachable · 1 no spec · 2 matches the spec"
    )
    assert page.evaluate("document.querySelector('time').dateTime") == "2026-01-02T03:04:05Z"


def test_sorting(page):
    by_name = ["node-1", "node-2", "node-3", "node-4", "node-5", "node-10"]
    assert sort_by(page, 0) == ([HOSTILE, *by_name], "ascending")
    assert page.evaluate(f"{heading(1)}.hasAttribute('aria-sort')") is False
    assert sort_by(page, 0) == ([*reversed(by_name), HOSTILE], "descending")
    # Versions are sorted as numbers: 1.6 is before 1.10.
    names, _order = sort_by(page, 2)
    assert names.index("node-2") < names.index("node-10")
    sort_by(page, 5)
    names, order = sort_by(page, 5)
    assert (names[0], order) == ("node-1", "descending")


def test_filtering(page):
    status = "document.getElementById('count').textContent"
    assert page.evaluate(status) == "7 of 7 nodes"
    assert choose(page, "state", "drift") == ["node-1", "node-3"]
    assert page.evaluate(status) == "2 of 7 nodes"
    assert choose(page, "words", "26.1 DOCKER") == ["node-3"]
    assert choose(page, "words", "nowhere") == []
    assert page.evaluate("document.getElementById('nothing').hidden") is False
    choose(page, "words", "")
    choose(page, "state", "")
    assert choose(page, "runtime", "containerd 1.6.20") == ["node-1", "node-2"]
    # A filter stays active after a sort.
    assert sort_by(page, 0)[0] == ["node-1", "node-2"]
    assert choose(page, "runtime", "none") == ["node-4"]


def test_drift_shows_both_values(page):
    cell = f"{ROWS}[0].cells[5]"
    assert page.evaluate(f"{cell}.querySelector('summary').textContent") == "7 differences"
    tables = page.evaluate(
        f"[...{cell}.querySelectorAll('table')].map((table) => [table.caption.textContent,"
        " [...table.tBodies[0].rows].map((row) => [...row.cells].map((c) => c.textContent))])"
    )
    assert tables[0][0] == "/etc/containerd/config.toml"
    assert tables[0][1][0] == ["root", "not set", '"/data"']
    assert tables[0][1][1][:2] == [HOSTILE, "true"]
    assert tables[1:] == [
        ["/etc/crictl.yaml", [["the whole file", "(not shown)", "not set"]]],
        ["running process (restart pending)", [["cgroup_driver", '"cgroupfs"', '"systemd"']]],
        ["/etc/x.toml (overrides the configuration file)", [["root", '"/a"', '"/b"']]],
        [
            "/etc/x.env (variable NO_PROXY) (overrides the environment)",
            [["environment.NO_PROXY", '"a"', '"b"']],
        ],
        [
            "/etc/d (newer than the process, which does not report these keys)",
            [["debug.level", "unknown", '"info"']],
        ],
    ]
    assert "spec: containerd" not in page.evaluate(f"{ROWS}[0].cells[2].textContent")
    assert "spec: containerd" in page.evaluate(f"{ROWS}[1].cells[2].textContent")


def test_missing_images_are_listed(page):
    cells = f"{ROWS}.map((row) => [row.cells[0].textContent, row.cells[7].textContent])"
    found = dict(page.evaluate(cells))
    assert found["node-3"] == f"registry.k8s.io/pause:3.10{HOSTILE}"
    assert (found["node-2"], found["node-4"]) == ("none", "unknown")


def test_a_malicious_name_is_shown_as_text(page):
    assert page.evaluate("document.title") == "Container runtimes of the fleet"
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.scripts.length") == 2


def test_the_chart_shows_the_counts(page):
    labels = "[...document.querySelectorAll('svg text')].map((text) => text.textContent)"
    expected = ["containerd 1.6.20: 2", "containerd 1.10.0: 1", "crio 1.37.0: 1"]
    expected += ["docker 26.1.5: 1", "none: 1", "unknown: 1"]
    assert page.evaluate(labels) == expected
    widths = "[...document.querySelectorAll('rect')].map((bar) => bar.width.baseVal.valueAsString)"
    assert page.evaluate(widths) == ["100%", *["50%"] * 5]
    label = page.evaluate("document.querySelector('svg').getAttribute('aria-label')")
    assert "containerd 1.6.20: 2 nodes" in label


def test_all_functions_work_with_the_keyboard(page):
    page.evaluate("document.getElementById('runtime').focus()")
    page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Node"
    page.press("Enter")
    assert page.evaluate(f"{heading(0)}.getAttribute('aria-sort')") == "ascending"
    # The focus stays on the element, and is visible.
    assert page.evaluate("document.activeElement.textContent") == "Node"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for _time in range(8):
        page.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "7 differences"
    page.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") is True


@pytest.mark.parametrize(("width", "phone"), [(1280, False), (360, True)])
def test_a_screen_reader_finds_names_and_roles(page, width, phone):
    page.show_as(width, 800, phone=phone)
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}
    named = {}
    for found in nodes:
        role = found.get("role", {}).get("value")
        named.setdefault(role, []).append(found.get("name", {}).get("value"))
    assert named["heading"] == [
        "Container runtimes of the fleet", "Nodes by runtime and version", "Nodes",
    ]  # fmt: skip
    columns = ["Node", "State", "Runtime", "Cgroup driver", "Socket", "Drift", "Units"]
    columns.append("Images missing")
    assert named["columnheader"][: len(columns)] == columns
    assert "node-1" in named["rowheader"]
    assert "Nodes" in named["table"]
    assert {"Find"} <= set(named["searchbox"])
    assert {"State", "Runtime"} <= set(named["combobox"])
    assert named["main"]
    assert "status" in named
    # Every control has a name.
    for found in by_id.values():
        if found.get("role", {}).get("value") in ("button", "searchbox", "combobox", "image"):
            assert found["name"]["value"]


CONTRAST = """
(() => {
  const channel = (value) => (value /= 255) <= 0.04045
    ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const color = getComputedStyle(node).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? behind(node.parentElement) : color;
  };
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !parent.checkVisibility()) continue;
    const style = getComputedStyle(parent);
    const colors = [style.fill && parent.closest("svg") ? style.fill : style.color, behind(parent)];
    const [dark, bright] = colors.map(light).sort((a, b) => a - b);
    found.push((bright + 0.05) / (dark + 0.05));
  }
  return found;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(page, scheme):
    page.show_as(1280, 900, scheme)
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 50
    # Contrast that WCAG requires at level AA.
    assert min(ratios) >= 4.5
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall("[0-9]+", background))) < 384) == (scheme == "dark")


@pytest.mark.parametrize("width", [320, 768, 1260, 1280])
def test_nothing_is_wider_than_the_screen(page, width):
    page.show_as(width, 800, phone=width < 1000)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # A filtered row stays hidden if rows are shown as cards.
    choose(page, "state", "unreachable")
    heights = page.evaluate(f"{ROWS}.map((row) => row.offsetHeight)")
    assert sum(height > 0 for height in heights) == 1
    small = "[...document.querySelectorAll('button')].map((b) => b.offsetHeight)"
    # The target is large enough for a finger.
    assert min(page.evaluate(small)) >= 24
