# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fact about a runtime is defined in one place."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.filter import runtime_identity
from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.containers import selection
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES

ROOT = pathlib.Path(__file__).parents[3]
IDENTITIES = ROOT / "plugins" / "module_utils" / "known_runtimes.py"
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")
CODE = sorted(path for path in (ROOT / "plugins").rglob("*.py") if path != IDENTITIES)
#: Names of binaries and runtimes are also commands, so only these facts identify a second place.
FACTS = {
    fact
    for each in RUNTIMES.values()
    for fact in (*each.units, *each.adapters, each.config_path, each.socket_path, each.data_root)
}


def constants(path):
    """Return the strings of a file, without docstrings and documentation."""
    tree = ast.parse(path.read_text())
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DOCUMENTATION)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts
    ]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_fact_is_repeated(path):
    assert [text for text in constants(path) if text in FACTS] == []


def documented_choices(text):
    (documentation,) = re.findall(r'DOCUMENTATION = r"""\n(.*?)"""', text, re.DOTALL)
    option = (yaml.safe_load(documentation).get("options") or {}).get("runtime")
    return list(option["choices"]) if option else None


def test_choices_are_the_runtimes():
    specs = (options.ENABLE, selection.OPTIONS, request.OPTIONS)
    assert [list(spec["runtime"]["choices"]) for spec in specs] == [list(RUNTIMES)] * 3
    pages = [*(ROOT / "plugins").glob("modules/*.py"), ROOT / "plugins/doc_fragments/selection.py"]
    found = [documented_choices(path.read_text()) for path in pages]
    assert [choices for choices in found if choices] == [list(RUNTIMES)] * 4


def test_the_filter_returns_the_identity():
    identity = runtime_identity.FilterModule().filters()["runtime_identity"]
    documented = yaml.safe_load(runtime_identity.RETURN)["_value"]
    assert identity("crio") == documented["sample"]
    assert set(identity("docker")) == set(documented["contains"])
    assert identity("docker")["units"] == ["docker.socket", "docker.service"]
    with pytest.raises(AnsibleFilterError, match="rkt"):
        identity("rkt")
