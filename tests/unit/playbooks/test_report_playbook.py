# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report playbook, on hosts without a node. Data from hosts must do no harm."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

PLAYBOOK = pathlib.Path(sys.executable).with_name("ansible-playbook")
BANNER = """{{ lookup("ansible.builtin.pipe", "touch %s") }} </script> http://me:hunter2@proxy"""


@pytest.fixture
def report(tmp_path):
    """Return a function that runs the playbook in a directory and returns its output and rows."""

    def run(hosts, *flags):
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        done = subprocess.run(
            [PLAYBOOK, "--inventory", inventory, "cruntime.node.report", *flags],
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
        assert done.returncode == 0, done.stdout + done.stderr
        assert "[DEPRECATION WARNING]" not in done.stderr, done.stderr
        directory = tmp_path / "cruntime-report"
        return done.stdout, json.loads((directory / "report.json").read_text())["nodes"]

    return run


def test_text_from_a_node_is_never_templated(tmp_path, report):
    pwned = tmp_path / "pwned"
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{BANNER % pwned}\nEND\nexit 255\n")
    ssh.chmod(0o755)
    hosts = {
        "hostile": {
            "ansible_connection": "ssh",
            "ansible_ssh_executable": str(ssh),
            "runtime_spec": {"runtime": "containerd"},
        }
    }
    output, (row,) = report(hosts, "--check", "--diff")
    assert not pwned.exists()
    assert (row["name"], row["state"]) == ("hostile", "unreachable")
    assert "{{ lookup(" in row["error"]
    page = (tmp_path / "cruntime-report" / "report.html").read_text()
    assert "hunter2" not in "".join((output, json.dumps(row), page))
    assert "changed=1" not in output


def test_an_invalid_spec_is_a_row_of_the_report(tmp_path, report):
    # A file that is not an interpreter represents any failure of a node.
    local = {"ansible_connection": "local", "ansible_python_interpreter": "/dev/null"}
    hosts = {
        "no-dict": {**local, "runtime_spec": "containerd"},
        "no-python": {**local, "runtime_spec": {"runtime": "containerd"}},
    }
    for host in hosts.values():
        host["ansible_become"] = False
    output, rows = report(hosts)
    assert '"check failed: no-dict, no-python"' in output
    assert f'"Report: {tmp_path}/cruntime-report/report.html"' in output
    assert [(row["name"], row["state"]) for row in rows] == [
        ("no-dict", "failed"),
        ("no-python", "failed"),
    ]
    assert "spec" in rows[0]["error"]
    assert rows[1]["error"]
