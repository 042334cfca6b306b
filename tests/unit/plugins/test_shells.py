# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No code of the collection starts a shell."""

from __future__ import annotations

import ast
import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]
PLAYED = sorted((*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")))
SHELLS = {"ansible.builtin.shell", "ansible.builtin.raw", "shell", "raw"}
CALLS = {"system", "popen", "getoutput", "getstatusoutput"}


def find_tasks(value):
    """Yield the dictionaries in the content of a file."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from find_tasks(inner)


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_is_run_by_a_shell(path):
    assert [task for task in find_tasks(yaml.safe_load(path.read_text())) if SHELLS & {*task}] == []


def test_no_text_of_a_module_is_run_by_a_shell():
    paths = [*ROOT.glob("plugins/**/*.py")]
    assert len(paths) > 100
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = {word.arg: word.value for word in node.keywords}
                assert not {"shell", "use_unsafe_shell"} & {*named}, (path, node.lineno)
                assert getattr(node.func, "attr", "") not in CALLS, (path, node.lineno)
