# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every raised error has a reason of the documented, closed list."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
import yaml

from ansible_collections.cruntime.node.plugins.module_utils.reasons import REASONS
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result

ROOT = pathlib.Path(__file__).parents[3]
FILES = sorted(
    path
    for directory in ("action", "module_utils", "modules", "plugin_utils")
    for path in (ROOT / "plugins" / directory).rglob("*.py")
)
#: Errors with a reason, and the reason of an error that is raised without naming one.
ERRORS = {
    "CruntimeError": None,
    "CommandError": None,
    "NotRunningError": None,
    "RequestError": None,
    "SpecError": "option_invalid",
    "IncompatibleError": "version_incompatible",
}
#: Methods and functions that return such an error, with the reason they return.
FACTORIES = {"failure": "command_failed", "_refuse": "configuration_refused"}


def raised(path: pathlib.Path) -> dict[str, str | None]:
    """Return the reason and the place of each error that a file creates."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(getattr(node, "func", None), "id", None)
        name = name or getattr(getattr(node, "func", None), "attr", None)
        if name not in {**ERRORS, **FACTORIES} or not isinstance(node, ast.Call):
            continue
        named = [word.value for word in node.keywords if word.arg == "reason"]
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        if not named:
            found[place] = {**ERRORS, **FACTORIES}[name]
        elif isinstance(named[0], ast.Constant):
            found[place] = named[0].value
    return found


@pytest.fixture(scope="module")
def sites():
    return {place: reason for path in FILES for place, reason in raised(path).items()}


def test_each_error_has_a_listed_reason(sites):
    assert len(sites) > 140
    assert {place: reason for place, reason in sites.items() if reason not in REASONS} == {}


def test_each_reason_is_raised_somewhere(sites):
    literal = {*sites.values()}
    for path in FILES:
        literal |= set(re.findall(r'reason, facts = "(\w+)"', path.read_text()))
    assert set(REASONS) - literal == set()


def test_each_reason_is_documented():
    page = (ROOT / "docs" / "reasons.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))
    assert documented == {
        code: re.sub(r"RV\((\w+)\)", r"`\1`", text) for code, text in REASONS.items()
    }


#: cruntime_drift_info is implemented by its action plugin, which returns errors of other modules.
MODULES = sorted(
    path
    for path in (ROOT / "plugins" / "modules").glob("*.py")
    if path.stem != "cruntime_drift_info"
)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_each_module_documents_the_reason(module):
    source = module.read_text()
    assert "fail_json" in source
    returned = yaml.safe_load(re.search(r'RETURN = r"""\n(.*?)"""', source, re.DOTALL)[1])
    assert returned["reason"]["type"] == "str"
    assert returned["reason"]["returned"] == "failure"
    assert returned["reason"]["sample"] in REASONS


def test_a_secret_of_a_failed_command_is_redacted():
    command = ("podman", "build", "--build-arg=NPM_TOKEN=hunter2", "https://me:hunter2@x.test/")
    failed = Result(1, "", "https://me:hunter2@x.test/: denied\n" * 1000, command).failure("podman")
    result = failed.result
    assert "hunter2" not in str({**result, "msg": ""})
    assert len(result["stderr"]) == 4000
    assert result["cmd"][:2] == ["podman", "build"]
