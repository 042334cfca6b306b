"""Nodes with two running runtimes, and runtimes without some of their units."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import check_failed


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
    assert "containerd and crio are running on this node. Disable all except" in done.stdout
    assert after == before


#: The unit of a Docker from an archive: it has no socket.
UNIT = """[Service]
Type=notify
ExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.alike
@pytest.mark.runtime("docker")
def test_docker_without_a_socket(node, enable):
    path = "/etc/systemd/system/docker.service"
    socket = node.check_output("systemctl show -P FragmentPath docker.socket")
    node.check_output(f"mv {socket} /root/docker.socket && printf %s > {path}", UNIT)
    node.check_output("systemctl daemon-reload && systemctl restart docker.service")
    try:
        process = node.check_output("systemctl show -P MainPID docker.service")
        result = enable(live_restore=True)
        assert "failed" not in result, result
        assert node.check_output("systemctl show -P MainPID docker.service") == process
        assert enable(live_restore=True)["changed"] is False
        # The flag is the only sign that Docker needs containerd.
        assert node.check_output("systemctl is-active containerd") == "active"
        node.check_output("docker info")
    finally:
        node.check_output(f"mv /root/docker.socket {socket} && rm {path}")
        node.check_output("systemctl daemon-reload && systemctl restart docker.socket docker")


@pytest.mark.alike
@pytest.mark.runtime("docker")
def test_a_kubelet_on_containerd_next_to_docker(node, run_module):
    script = "/usr/local/bin/kubelet"
    node.check_output(f"printf '#!/bin/sh\nsleep 600\n' > {script} && chmod +x {script}")
    flag = "--container-runtime-endpoint=unix:///run/containerd/containerd.sock"
    node.check_output(f"systemd-run --unit test-kubelet {script} {flag}")
    try:
        info = run_module(node, "cruntime.node.cruntime_info")
        assert info["running"] == ["containerd", "docker"]
        result = run_module(node, "cruntime.node.cruntime_image", name="x:1", state="absent")
        check_failed(result, "runtime_ambiguous", "containerd and Docker are running")
    finally:
        node.check_output(f"systemctl stop test-kubelet; rm {script}")
    assert run_module(node, "cruntime.node.cruntime_info")["running"] == ["docker"]
