# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workflows run the sessions of nox, and checkers and supported versions are as declared."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOX = pathlib.Path(sys.executable).with_name("nox")
SILENCER = re.compile(
    r"# *(noqa|pragma:|pylint: *disable|shellcheck +disable|type: *ignore|yamllint +disable)"
)


@pytest.fixture(scope="module")
def sessions():
    listed = subprocess.check_output([NOX, "--list", "--json"], cwd=ROOT, text=True)
    return {session["session"] for session in yaml.safe_load(listed)}


@pytest.fixture(scope="module")
def jobs():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    return workflow["jobs"]


def test_the_workflow_has_every_version_of_the_matrix(sessions, jobs):
    run = {
        *(
            f"sanity-{each['core']}"
            for each in jobs["sanity"]["strategy"]["matrix"]["include"]
        ),
        *(
            f"unit_core({each['core']}-py{each['python']})"
            for each in jobs["unit"]["strategy"]["matrix"]["include"]
        ),
        *(f"unit_node({python})" for python in jobs["node"]["strategy"]["matrix"]["python"]),
    }
    assert run == {name for name in sessions if "(" in name or "sanity" in name}


def test_the_oldest_core_is_that_of_the_metadata(sessions):
    wanted = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    cores = [re.search(r"(\d+)\.(\d+)", name) for name in sessions if "unit_core" in name]
    oldest = min((int(core[1]), int(core[2])) for core in cores)
    assert wanted == f">={oldest[0]}.{oldest[1]}.0"


def test_no_checker_is_disabled():
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    assert [name for name in tracked if name.startswith("tests/sanity/ignore")] == []
    silenced = [
        f"{name}: {line}"
        for name in tracked
        if name.endswith((".py", ".sh", ".yml", ".j2")) or "." not in pathlib.Path(name).name
        for line in (ROOT / name).read_text().splitlines()
        if SILENCER.search(line)
    ]
    assert silenced == []
