# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a no-op run sends to a node."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
PREFIX = "ansible_collections.cruntime.node."
#: Only a run that changes a node needs these files.
ACTING = ("checks", "converge", "removal", "stored_data", "swap", "takeover", "transaction")


def imported_by(path):
    """Yield the files of the collection that a file imports anywhere, as Ansible finds them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            package = ROOT.joinpath(*node.module[len(PREFIX) :].split("."))
            for name in ("", *(alias.name for alias in node.names)):
                found = package / f"{name}.py" if name else package.with_suffix(".py")
                if found.exists():
                    yield found


def closure(path):
    found, todo = set(), [path]
    while todo:
        for each in imported_by(todo.pop()):
            if each not in found:
                found.add(each)
                todo.append(each)
    return found


def test_a_no_op_run_sends_no_code_that_changes_a_node():
    utils = ROOT / "plugins" / "module_utils"
    small, role, large = (
        {str(path.relative_to(utils)) for path in closure(ROOT / "plugins" / "modules" / name)}
        for name in ("cruntime_enable_info.py", "cruntime_provision.py", "cruntime_enable.py")
    )
    assert small - {"compared.py"} < large
    assert small < role
    for sent in (small, role):
        names = {path.partition("/")[0].removesuffix(".py") for path in sent}
        assert names.isdisjoint(ACTING)
    assert "transaction.py" in large


@pytest.mark.parametrize("module", ["cruntime_enable_info", "cruntime_provision"])
def test_a_no_op_run_compiles_no_code_for_running_containers_and_images(module):
    code = (
        f"import sys, ansible_collections.cruntime.node.plugins.modules.{module}\n"
        "print(*(name.rpartition('.')[2] for name in sys.modules if 'cruntime.node' in name))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "inspection" in loaded
    acting = {"running_containers", "daemons", "needless", "grpc", "http2", "images"}
    assert set(loaded).isdisjoint(acting)
