"""A node with two running runtimes is not switched, because the runtime to replace is ambiguous."""

from __future__ import annotations

import json
import subprocess

import pytest


@pytest.mark.scenario("crio")
@pytest.mark.parametrize("mode", ["--check", "--diff"])
def test_node_with_two_running_runtimes_is_not_changed(node, request, snapshot, mode):
    name = node.ansible.get_variables()["inventory_hostname"]
    # Ansible connects to the nodes as root, and the nodes have no sudo.
    variables = {"switch_spec": {"runtime": "containerd"}, "ansible_become": False}
    command = ["ansible-playbook", "cruntime.node.switch", mode, "--limit", name]
    command += ["--inventory", request.config.getoption("ansible_inventory")]
    command += ["--extra-vars", json.dumps(variables)]
    node.check_output("systemctl start containerd")
    try:
        before = snapshot()
        # Depending on its settings, Ansible prints the error of a task to either stream.
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        after = snapshot()
    finally:
        node.check_output("systemctl stop containerd")
    assert done.returncode != 0
    assert "containerd and crio run on this node. Say which one goes" in done.stdout
    assert after == before
