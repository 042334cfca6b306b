"""Nodes with two running runtimes, and runtimes without some of their units."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import ARCHIVES, check_failed


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


# Sets the sandbox image in containerd config default, of 1.x and of 2.x.
PAUSE = "'s|^\\( *sandbox\\(_image\\)\\{0,1\\} = \\).*|\\1\"localhost/cruntime-test/pause:1\"|'"
#: The unit of a Docker from an archive: it has no socket.
UNIT = """[Service]
Type=notify
ExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""


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


@pytest.mark.runtime("docker")
def test_pods_of_containerd_next_to_docker(node, run_module, crictl):
    config = "/etc/containerd/config.toml"
    # The sandbox of the pod may not lower its OOM score on a test node.
    settings = f"sed -e 's/restrict_oom_score_adj = .*/restrict_oom_score_adj = true/' -e {PAUSE}"
    node.check_output(f"cp {config} /root/; containerd config default | {settings} > {config}")
    node.check_output("systemctl restart containerd.service")
    node.check_output(f"ctr --namespace k8s.io images import {ARCHIVES}/pause.tar")
    endpoint = "--runtime-endpoint unix:///run/containerd/containerd.sock"
    pod = {
        "metadata": {"name": "pod", "namespace": "default", "uid": "1"},
        "linux": {"security_context": {"namespace_options": {"network": 2}}},
    }
    node.check_output("echo %s > /tmp/pod.json", json.dumps(pod))

    def running():
        return run_module(node, "cruntime.node.cruntime_info")["running"]

    try:
        assert running() == ["docker"]
        pod_id = crictl(f"{endpoint} runp /tmp/pod.json")
        assert running() == ["containerd", "docker"]
        # A pod that a switch has stopped does not count.
        crictl(f"{endpoint} stopp {pod_id}")
        assert running() == ["docker"]
    finally:
        node.run(f"crictl {endpoint} rmp --force --all")
        node.check_output("ctr --namespace k8s.io images rm localhost/cruntime-test/pause:1")
        node.check_output(f"mv /root/config.toml {config}; systemctl restart containerd.service")
