"""A node on which two runtimes run at once is not switched: nobody knows which one shall go."""

from __future__ import annotations

import json
import subprocess

import pytest


@pytest.mark.scenario("crio")
@pytest.mark.parametrize("mode", ["--check", "--diff"])
def test_a_node_that_runs_two_runtimes_is_not_touched(node, request, snapshot, mode):
    name = node.ansible.get_variables()["inventory_hostname"]
    # The nodes are reached as root, and have no sudo.
    variables = {"switch_spec": {"runtime": "containerd"}, "ansible_become": False}
    command = ["ansible-playbook", "cruntime.node.switch", mode, "--limit", name]
    command += ["--inventory", request.config.getoption("ansible_inventory")]
    command += ["--extra-vars", json.dumps(variables)]
    node.check_output("systemctl start containerd")
    try:
        before = snapshot()
        # Ansible says why a task failed on either, as it is set.
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        after = snapshot()
    finally:
        node.check_output("systemctl stop containerd")
    assert done.returncode != 0
    assert "containerd and crio are running on this node. Disable all except" in done.stdout
    assert after == before
