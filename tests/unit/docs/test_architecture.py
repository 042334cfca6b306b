# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The architecture page lists all files of the code, and the code follows the rules of the page."""

from __future__ import annotations

import pathlib
import re

import pytest
from pictures import import_graph, imports_of

ROOT = pathlib.Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
UTILS = ROOT / "plugins" / "module_utils"
RUNTIMES = ("containerd", "crio", "docker")


def listed(heading):
    """Return the files and directories in the table below a heading."""
    table = PAGE.partition(f"### {heading}")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return sorted(name for row in rows for name in re.findall(r"`(.*?)`", row))


@pytest.mark.parametrize(
    ("heading", "directory"),
    [
        ("Controller: `plugins/plugin_utils/`", "plugin_utils"),
        ("Node: `plugins/module_utils/`", "module_utils"),
    ],
)
def test_the_page_lists_each_file_once(heading, directory):
    entries = (ROOT / "plugins" / directory).iterdir()
    names = [f"{each.name}/" if each.is_dir() else each.name for each in entries]
    found = [name for name in names if name not in ("__init__.py", "__pycache__/")]
    assert listed(heading) == sorted(found)


def test_the_page_names_only_files_that_exist():
    tops = "plugins|templates|modules|module_utils|plugin_utils"
    named = set(re.findall(rf"`((?:{tops})/[\w./-]+)`", PAGE))
    named = {name for name in named if "NAME" not in name}
    assert len(named) > 10
    places = (ROOT, ROOT / "plugins")
    assert [name for name in sorted(named) if not any((p / name).exists() for p in places)] == []


@pytest.mark.parametrize("package", ["runtimes", "checks", "images"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_no_runtime_imports_another(package, name):
    others = {f"module_utils/{package}/{other}" for other in RUNTIMES if other != name}
    found = {module.rpartition("/")[0] for module in imports_of(UTILS / package / f"{name}.py")}
    assert found & others == set()


@pytest.mark.parametrize("name", ["inspection", "converge", "plan", "transaction", "removal"])
def test_the_code_that_orders_the_steps_names_no_runtime(name):
    path = UTILS / f"{name}.py"
    names = {word.rpartition("/")[2].lower() for word in imports_of(path)}
    assert names.isdisjoint(RUNTIMES)


def test_imports_have_no_cycle():
    graph = import_graph()
    while graph:
        free = {module for module, names in graph.items() if not names - {module}}
        assert free, sorted(graph)
        graph = {module: names - free for module, names in graph.items() if module not in free}
