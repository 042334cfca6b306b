# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first mistakes with roles and playbooks end in one sentence with the fix."""

from __future__ import annotations

import os

import pytest

from ansible_collections.cruntime.node.tests.unit.roles import playing

IMPORT = "- import_playbook: cruntime.node.{}\n"
ROLE = "- hosts: all\n  gather_facts: false\n  roles: [cruntime.node.{}]\n"
NOT_SET = "runtime_spec: not set: the role applies this spec to the node. Set it in the inventory"
TAGS = "--tags images: no task selected: the playbook has no such tag. Remove --tags"
INVENTORY = ("--inventory=localhost,", "--connection=local")
CONTAINERD = {"runtime": "containerd"}
MISTAKES = {
    "no spec": (IMPORT, "provision", {}, NOT_SET),
    "no spec of a role": (ROLE, "runtime", {}, NOT_SET),
    "no spec of the switch": (IMPORT, "switch", {}, "switch_spec: not set: the role switches"),
    "no runtime": (ROLE, "runtime", {"runtime_spec": {}}, "runtime_spec.runtime: not set: unknown"),
    "unknown runtime": (
        *(IMPORT, "provision", {"runtime_spec": {"runtime": "cri-o"}}),
        'runtime_spec.runtime: \\"cri-o\\": unknown runtime. Set it to containerd, crio or docker',
    ),
    "misspelt spec": (
        *(IMPORT, "provision", {"runtime_sepc": CONTAINERD}),
        "runtime_sepc: unknown variable: the name is close to runtime_spec. Rename it",
    ),
    "misspelt spec of a role": (
        *(ROLE, "runtime", {"runtime_sepc": CONTAINERD}),
        "runtime_sepc: unknown variable: the name is close to runtime_spec. Rename it",
    ),
    "misspelt flags": (
        *(IMPORT, "switch", {"switch_spec": CONTAINERD, "switch_drian_flags": []}),
        "switch_drian_flags: unknown variable: the name is close to switch_drain_flags. Rename it",
    ),
    "missing task file": (
        *(IMPORT, "switch", {"switch_spec": CONTAINERD, "switch_uncordon_tasks": "/none.yml"}),
        "switch_drain_tasks and switch_uncordon_tasks: /none.yml: file not found on the controller",
    ),
    "misspelt pattern": (
        *(IMPORT, "report", {"cruntime_host": "workers"}),
        "cruntime_host: unknown variable: the name is close to cruntime_hosts. Rename it",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_variables(tmp_path, name):
    text, playbook, variables, sentence = MISTAKES[name]
    status, output = playing.play(tmp_path, text.format(playbook), variables, *INVENTORY)
    assert status != 0
    assert f'"msg": "{sentence}' in output
    # The result is a line, not a page: it does not have the documentation of all variables.
    assert "argument_spec_data" not in output


@pytest.mark.parametrize("playbook", ["provision", "switch", "report"])
def test_tags_that_select_nothing(tmp_path, playbook):
    text, spec = IMPORT.format(playbook), {"runtime_spec": CONTAINERD}
    status, output = playing.play(tmp_path, text, spec, *INVENTORY, "--tags=images")
    assert status != 0
    assert f'"msg": "{TAGS}' in output


def test_tags_of_the_import_select_the_playbook(tmp_path):
    text = IMPORT.format("provision") + "  tags: [images]\n"
    status, output = playing.play(tmp_path, text, {}, *INVENTORY, "--tags=images")
    assert status != 0
    assert NOT_SET in output


def test_a_missing_library_is_reported_once(tmp_path, monkeypatch):
    library = tmp_path / "blocked" / "tomlkit.py"
    library.parent.mkdir()
    library.write_text("raise ImportError('blocked')\n")
    paths = os.pathsep.join([str(library.parent), os.environ["PYTHONPATH"]])
    monkeypatch.setenv("PYTHONPATH", paths)
    text = "- hosts: all\n  gather_facts: false\n  tasks: [cruntime.node.cruntime_enable: {{}}]\n"
    spec = "{runtime: containerd, extra_config: {debug: {level: info}}}"
    status, output = playing.play(tmp_path, text.replace("{{}}", spec), {}, *INVENTORY)
    assert status != 0
    assert '"msg": "tomlkit: Python library not found on the controller: ' in output
    assert '-m pip install tomlkit", "problems"' in output
