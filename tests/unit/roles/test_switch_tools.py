# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role switch makes of what a node's tools say; stand-ins say it here."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

PLAYBOOK = pathlib.Path(sys.executable).with_name("ansible-playbook")
TASKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cruntime.node.switch
        tasks_from: "{{ file }}"
    - ansible.builtin.debug:
        msg: "{{ _switch_row | default({}) | to_json }}"
"""


@pytest.fixture
def play(tmp_path):
    """A function that runs a file of the role's tasks, with tools: their scripts by their names."""
    (tmp_path / "play.yml").write_text(TASKS)
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()

    def run(file, tools, **variables):
        for name, script in tools.items():
            (bin_dir / name).write_text(f"#!/bin/sh\n{script}\n")
            (bin_dir / name).chmod(0o755)
        given = json.dumps({"file": file, **variables})
        done = subprocess.run(
            [PLAYBOOK, "play.yml", "--extra-vars", given],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
                "ANSIBLE_HOME": str(tmp_path / "ansible"),
                "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            },
            check=False,
            capture_output=True,
            text=True,
        )
        tasks = json.loads(done.stdout)["plays"][0]["tasks"]
        return done.returncode, tasks[-1]["hosts"]["localhost"]["msg"]

    return run


# As journalctl writes them, of systemd 252 and 257.
WENT = """__CURSOR=s=1;i=1
__REALTIME_TIMESTAMP=1795648000000000
__MONOTONIC_TIMESTAMP=5000000
_BOOT_ID=e5f8b0cf5a0a4d0c8b0a1f0c2d3e4f50
UNIT=docker.service
"""
CAME = """__CURSOR=s=1;i=2
__REALTIME_TIMESTAMP=1795648001250000
__MONOTONIC_TIMESTAMP=6250000
__SEQNUM=2
_BOOT_ID=e5f8b0cf5a0a4d0c8b0a1f0c2d3e4f50
UNIT=containerd.service
"""


@pytest.mark.parametrize(
    ("status", "journal", "seconds"),
    [
        (0, [WENT, CAME], 1.25),
        (0, [CAME, WENT.replace("=5", "=7")], 0.0),
        (0, ["-- No entries --\n"], "-"),
        (0, [WENT], "-"),
        (0, [WENT, CAME.replace("6250000", "soon")], "-"),
        (1, [WENT, CAME], "-"),
        (127, [], "-"),
    ],
)
def test_a_measurement_fails_nothing(play, tmp_path, status, journal, seconds):
    (tmp_path / "journal").write_text("\n".join(journal))
    code, words = play(
        "measure",
        {"journalctl": f"cat {tmp_path}/journal; exit {status}"},
        switch_spec={"runtime": "containerd"},
        _switch_old={"runtime": "docker"},
        _switch_info={"runtimes": {"docker": {"active": True}}},
        _switch_enabled={
            "version": "2.0",
            "units": [{"name": "docker.service", "after": {"active": False}}],
        },
        _switch_row_start={"before": "docker 1", "after": "-"},
    )
    assert code == 0, words
    row = {"before": "docker 1", "after": "containerd 2.0", "seconds": seconds}
    assert json.loads(words) == row
