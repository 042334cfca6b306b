# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role switch parses the output of a node's tools. Stand-ins replace the tools."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.tests.unit.roles import playing

TASKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cruntime.node.switch
        tasks_from: "{{ file }}"
    - ansible.builtin.copy:
        content: "{{ _switch_row | default({}) | to_json }}"
        dest: "{{ row }}"
        mode: "0644"
"""


@pytest.fixture
def play(tmp_path):
    """Return a function that runs a task file, with scripts in place of the node's tools.

    The function returns the exit status, the row for the table, and the output of Ansible.
    """
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()

    def run(file, tools, **variables):
        for name, script in tools.items():
            (bin_dir / name).write_text(f"#!/bin/sh\n{script}\n")
            (bin_dir / name).chmod(0o755)
        row = tmp_path / "row.json"
        given = {"file": file, "row": str(row), **variables}
        status, output = playing.play(tmp_path, TASKS, given, tools=bin_dir)
        output = " ".join(output.split())
        return status, json.loads(row.read_text()) if row.exists() else None, output

    return run


READLINK = "printf '%s\\n' /usr/bin/containerd /usr/bin/containerd; exit 1"
DPKG = 'shift; for path; do echo "${path##*/}: $path"; done'
DPKG_OF_TWO = 'echo "base:amd64, ${2##*/}:amd64: $2"'
# On the other family, or for a file that belongs to no package.
NO_DPKG = 'echo "dpkg-query: no path found matching pattern $2" >&2; exit 1'
RPM = 'printf "%s\\n" containerd.io'
NO_RPM = 'echo "file $5 is not owned by any package"; exit 1'


@pytest.mark.parametrize(
    ("runtime", "old", "dpkg", "rpm", "refused"),
    [
        ("containerd", ["docker.io", "containerd"], DPKG, NO_RPM, "containerd"),
        ("containerd", ["docker.io", "containerd"], DPKG_OF_TWO, NO_RPM, "containerd"),
        ("containerd", ["docker.io", "containerd=1.7"], DPKG, NO_RPM, "containerd"),
        ("containerd", ["docker-ce", "containerd.io"], NO_DPKG, RPM, "containerd.io"),
        # Docker requires this package.
        ("docker", ["containerd"], DPKG, NO_RPM, "containerd"),
        ("containerd", ["docker.io"], DPKG, NO_RPM, None),
        ("containerd", ["docker-ce"], NO_DPKG, RPM, None),
        ("containerd", ["docker.io", "containerd"], NO_DPKG, NO_RPM, None),
    ],
)
def test_a_package_of_the_new_runtime_is_rejected(play, *, runtime, old, dpkg, rpm, refused):
    tools = {"readlink": READLINK, "dpkg-query": dpkg, "rpm": rpm}
    spec = {"runtime": runtime}
    status, _row, output = play("old_packages", tools, switch_spec=spec, switch_old_packages=old)
    assert (status != 0) is bool(refused), output
    if refused:
        assert f"switch_old_packages has {refused}, which {runtime} needs: " in output
        assert "Leave out what the node shall run" in output


# Output of journalctl in systemd 252 and 257.
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
def test_a_failed_measurement_is_no_failure(play, tmp_path, status, journal, seconds):
    (tmp_path / "journal").write_text("\n".join(journal))
    code, row, output = play(
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
    assert code == 0, output
    assert (row["before"], row["after"]) == ("docker 1", "containerd 2.0")
    # Before ansible-core 2.19, the value is a string.
    assert str(row["seconds"]) == str(seconds)
