# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch playbook refuses a run with a part of the fleet, before it reaches a node."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

PLAYBOOK = pathlib.Path(sys.executable).with_name("ansible-playbook")
# Nothing listens on this port: a task that runs on a node fails.
UNREACHABLE = {"ansible_host": "127.0.0.1", "ansible_port": 1}
HOSTS = {"one": UNREACHABLE, "two": UNREACHABLE, "three": UNREACHABLE}


@pytest.fixture
def switch(tmp_path):
    """Return a function that runs the playbook on unreachable hosts and returns its output."""

    def run(*flags, **variables):
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": HOSTS}}))
        variables["switch_spec"] = {"runtime": "containerd"}
        done = subprocess.run(
            [
                *(PLAYBOOK, "--inventory", inventory, "cruntime.node.switch"),
                *("--extra-vars", json.dumps(variables), *flags),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
                "ANSIBLE_HOME": str(tmp_path / "ansible"),
            },
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0, done.stdout
        return " ".join((done.stdout + done.stderr).split())

    return run


@pytest.mark.parametrize(
    ("flags", "expected", "seen"),
    [
        ((), 4, 3),
        ((), "4", 3),
        (("--limit", "one,two"), 3, 2),
        ((), "all", 3),
    ],
)
def test_a_part_of_the_fleet_is_refused(switch, flags, expected, seen):
    output = switch(*flags, cruntime_expected_hosts=expected)
    assert f"cruntime_expected_hosts: {expected} nodes expected, but this run has {seen}" in output
    assert "TASK [Check the node]" not in output
    assert "unreachable=1" not in output


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        ((), {}),
        ((), {"cruntime_expected_hosts": 3}),
        ((), {"cruntime_expected_hosts": "2"}),
        (("--limit", "one"), {"cruntime_expected_hosts": 1}),
    ],
)
def test_the_whole_fleet_is_accepted(switch, flags, variables):
    output = switch(*flags, **variables)
    assert "nodes expected" not in output
    assert "TASK [Check the node]" in output
    assert "unreachable=1" in output
