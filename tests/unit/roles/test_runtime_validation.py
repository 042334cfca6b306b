# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role runtime rejects packages, repositories and downloads before it changes anything."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.tests.unit.roles import playing

# One play for all cases, because each start of Ansible takes long.
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        distribution: Debian
        os_family: Debian
        pkg_mgr: apt
        service_mgr: systemd
        cacheable: true
    - ansible.builtin.include_tasks: case.yml
      loop: "{{ cases }}"
      loop_control:
        loop_var: case
"""
CASE = """
- block:
    - ansible.builtin.include_role:
        name: cruntime.node.runtime
        tasks_from: validate
      vars:
        runtime_spec: {runtime: docker}
        runtime_packages: "{{ case.packages | default(['docker-ce']) }}"
        runtime_extra_packages: "{{ case.extra | default([]) }}"
        runtime_version: "{{ case.version | default('') }}"
        runtime_package_dir: "{{ case.directory | default('') }}"
        runtime_repositories: "{{ case.repositories | default([]) }}"
        runtime_crictl_archive: "{{ case.crictl | default('') }}"
        runtime_crictl_checksum: "{{ case.checksum | default('') }}"
        runtime_kernel_modules: "{{ case.modules | default([]) }}"
        runtime_sysctls: "{{ case.sysctls | default({}) }}"
    - ansible.builtin.debug:
        msg: "CASE {{ case.id }} passed"
  rescue:
    - ansible.builtin.debug:
        msg: "CASE {{ case.id }} {{ ansible_failed_result.msg }}"
"""
NAMED = "Must be NAME or NAME=VERSION without blanks"
VERSION = "Must be a version without blanks"
NAMES = "The names become names of files and must differ"
TEXT = "text in place of a list or dictionary"
DIRECTORY_ONLY = "cannot be used with runtime_repositories, runtime_version or versions of packages"


CHECKSUM = "URL requires a checksum"
CRICTL = "https://packages.example.com/crictl.tar.gz"


def repositories(*names, **more):
    return [{"name": name, "url": "file:/srv", **more} for name in names]


CASES = [
    ({"extra": ["containerd.io=1.7.24*", "runc", "libc6:amd64=2.41-12+deb13u1"]}, "passed"),
    ({"packages": ["docker-ce=5:28.0.4-1~debian.13~trixie"], "extra": ["a+b_c=3:1^2~3"]}, "passed"),
    ({"extra": ["=1"]}, NAMED),
    ({"extra": ["runc="]}, NAMED),
    ({"extra": ["runc =1"]}, NAMED),
    ({"extra": ["runc= 1"]}, NAMED),
    ({"extra": ["runc=1=2"]}, NAMED),
    ({"extra": ["runc=1\n"]}, NAMED),
    ({"extra": [""]}, NAMED),
    ({"packages": ["--purge"]}, NAMED),
    ({"packages": ["docker-ce", "runc/sid"]}, NAMED),
    ({"packages": ["docker-ce=1"], "extra": ["docker-ce=2"]}, "must not have two versions"),
    ({"packages": ["docker-ce=1"], "extra": ["docker-ce=1", "docker-ce"]}, "passed"),
    ({"packages": "docker-ce"}, f"runtime_packages: {TEXT}"),
    ({"modules": "overlay,br_netfilter"}, f"runtime_kernel_modules: {TEXT}"),
    ({"sysctls": "net.ipv4.ip_forward=1"}, f"runtime_sysctls: {TEXT}"),
    ({"version": "1.7.*"}, "passed"),
    ({"version": 28}, "passed"),
    ({"version": "1.7 2"}, VERSION),
    ({"version": "=1.7"}, VERSION),
    ({"directory": "/srv"}, "passed"),
    ({"directory": "/srv", "version": "1"}, DIRECTORY_ONLY),
    ({"directory": "/srv", "extra": ["runc=1"]}, DIRECTORY_ONLY),
    ({"directory": "/srv", "repositories": repositories("a")}, DIRECTORY_ONLY),
    ({"repositories": repositories("docker", "cri-o_1.34")}, "passed"),
    ({"repositories": repositories("a", key="https://r.test/key")}, CHECKSUM),
    ({"repositories": repositories("a", key="http://r.test/key", key_checksum="x")}, "passed"),
    ({"repositories": repositories("a", key="file:///srv/key")}, "passed"),
    ({"repositories": repositories("a", key="/srv/key")}, "passed"),
    ({"repositories": repositories("a/b")}, NAMES),
    ({"repositories": repositories("..")}, NAMES),
    ({"repositories": repositories(".hidden")}, NAMES),
    ({"repositories": repositories("a b")}, NAMES),
    ({"repositories": repositories("")}, NAMES),
    ({"repositories": repositories("a+b")}, NAMES),
    ({"repositories": repositories("a\n")}, NAMES),
    ({"repositories": repositories("a", "b", "a")}, NAMES),
    ({"crictl": CRICTL}, CHECKSUM),
    ({"crictl": CRICTL, "checksum": "sha256:00"}, "passed"),
    ({"crictl": "/srv/crictl.tar.gz"}, "passed"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return the result of the role for each case, by the number of the case."""
    directory = tmp_path_factory.mktemp("validation")
    (directory / "case.yml").write_text(CASE)
    cases = [{**case, "id": number} for number, (case, _answer) in enumerate(CASES)]
    status, message = playing.play(directory, PLAY, {"cases": cases})
    assert status == 0, message
    lines = [line.partition("CASE ")[2] for line in message.splitlines() if '"msg": "CASE' in line]
    return dict(line.split(" ", 1) for line in lines)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: str(CASES[number][0]))
def test_validation(answers, number):
    assert CASES[number][1] in answers[str(number)]


def test_a_version_that_yaml_reads_as_a_number(tmp_path):
    # Before ansible-core 2.19, a variable of a template becomes text, so this is a case of its own.
    play = PLAY.partition("    - ansible.builtin.include_tasks")[0] + (
        "    - ansible.builtin.include_role: {name: cruntime.node.runtime, tasks_from: validate}\n"
    )
    variables = {"runtime_spec": {"runtime": "docker"}, "runtime_version": 1.10}
    status, output = playing.play(tmp_path, play, variables)
    assert status != 0
    assert "runtime_version: 1.1: not text: YAML reads the value as a number" in output
