# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role switch parses the output of a node's tools. Stand-ins replace the tools."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.tests.unit.roles import playing

TASKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cruntime.node.switch
        tasks_from: "{{ file }}"
"""


@pytest.fixture
def play(tmp_path):
    """Return a function that runs a task file, with scripts in place of the node's tools.

    The function returns the exit status and the output of Ansible.
    """
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()

    def run(file, tools, **variables):
        for name, script in tools.items():
            (bin_dir / name).write_text(f"#!/bin/sh\n{script}\n")
            (bin_dir / name).chmod(0o755)
        given = {"file": file, **variables}
        status, output = playing.play(tmp_path, TASKS, given, tools=bin_dir)
        return status, " ".join(output.split())

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
    status, output = play("old_packages", tools, switch_spec=spec, switch_old_packages=old)
    assert (status != 0) is bool(refused), output
    if refused:
        assert f"{refused} must not be removed, because {runtime} needs this package" in output
        assert "Remove the package from the list" in output
