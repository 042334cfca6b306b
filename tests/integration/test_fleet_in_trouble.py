"""Nodes that cannot be switched, and a node that becomes unreachable during the switch.

The nodes have no kubelet, and are switched from containerd to Docker.
"""

from __future__ import annotations

import json
import subprocess

import pytest
import testinfra

from ansible_collections.cruntime.node.tests.integration import switching
from ansible_collections.cruntime.node.tests.integration.switching import (
    MARKER,
    runtimes_at_boot,
    table,
)
from ansible_collections.cruntime.node.tests.nodes.cluster import api_server

pytestmark = [
    pytest.mark.scenario("fleet"), pytest.mark.xdist_group("trouble"), pytest.mark.long
]  # fmt: skip

KUBELET = "/etc/systemd/system/kubelet.service"
KUBELET_TEXT = """[Service]
ExecStart=/bin/sleep infinity
"""
REFUSAL = "/etc/systemd/system/docker.service.d/99-refusal.conf"
REFUSAL_TEXT = """[Service]
ExecStartPre=/bin/false
"""
# A paused node does not respond. Without pipelining, Ansible reports it as unreachable.
REACHED = {
    "ansible_connection": "community.docker.docker",
    "ansible_user": "root",
    "ansible_python_interpreter": "/usr/bin/python3",
    "ansible_pipelining": False,
}
LOSS = """
- name: Lose a node while another one is switched
  ansible.builtin.command:
    argv: [docker, pause, "{{ victim }}"]
  delegate_to: localhost
  become: false
  when: inventory_hostname == at
"""


@pytest.fixture(scope="module")
def nodes(start_nodes):
    """Return four nodes by name, in the order of the play."""
    names = start_nodes(*["trixie"] * 4)
    return {name: testinfra.get_host(f"docker://{name}") for name in names}


@pytest.fixture
def switch(nodes, tmp_path):
    """Return a function that runs the playbook on the nodes, and optionally on a missing host."""

    def run(*flags, ghost=False, **variables):
        hosts = dict.fromkeys(nodes, REACHED)
        inventory = tmp_path / "hosts.json"
        hosts.update({"ghost": switching.GHOST} if ghost else {})
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        variables = {"switch_install": False, **variables}
        return switching.switch(str(inventory), *flags, **variables)

    return run


def write(node, path, text):
    node.check_output(f"mkdir -p $(dirname {path}) && echo %s >{path}", text)
    node.check_output("systemctl daemon-reload")


def processes(node):
    return node.check_output("systemctl show --property=MainPID docker containerd kubelet")


@pytest.mark.parametrize("mode", ["--check", "--diff"])
def test_each_node_that_cannot_be_switched_gets_a_reason(nodes, switch, mode):
    nothing, untold, *done = nodes
    nodes[untold].check_output("systemctl enable --now docker")
    write(nodes[untold], KUBELET, KUBELET_TEXT)
    nodes[untold].check_output("systemctl start kubelet")
    for name in done:
        nodes[name].check_output("systemctl enable --now containerd")
    before = {name: processes(node) for name, node in nodes.items()}
    # Accept failed nodes, so all failures are reported.
    status, stats, output = switch(
        mode, ghost=True, switch_spec={"runtime": "containerd"}, cruntime_max_fail_percentage=80
    )
    assert status != 0
    failures = {
        result["msg"]
        for play in json.loads(output)["plays"]
        for task in play["tasks"]
        for name, result in task["hosts"].items()
        if result.get("failed")
    }
    rows = sorted(failures)
    assert len(rows) == 2, output[-3000:]
    assert "cruntime.node.provision" in rows[0]
    assert KUBELET in rows[1]
    assert "--container-runtime-endpoint" in rows[1]
    assert stats["ghost"]["unreachable"] == 1
    assert [name for name in stats if stats[name]["changed"]] == []
    assert "containerd is already running. Nothing to do on this node" in output
    for name in done:
        assert "unchanged" in table(output)[name]
    for name in (nothing, untold, "ghost"):
        assert "FAILED or UNREACHABLE, unchanged" in table(output)[name]
    assert {name: processes(node) for name, node in nodes.items()} == before


def test_kubeconfig_of_another_cluster_stops_the_switch(nodes, switch, tmp_path):
    done = list(nodes)[-1]
    before = processes(nodes[done])
    there = {"switch_spec": {"runtime": "docker"}}
    with api_server.served(api_server.Cluster("another")) as another:
        there["switch_kubeconfig"] = another.kubeconfig(tmp_path / "kubeconfig")
        status, stats, output = switch("--check", "--limit", done, **there)
    assert status != 0
    assert f"with the kubeconfig {tmp_path}/kubeconfig" in output
    assert "NotFound" in output
    # The API server has ended.
    status, stats, output = switch("--limit", done, **there)
    assert status != 0
    assert "refused" in output
    assert stats[done]["changed"] == 0
    assert processes(nodes[done]) == before


def test_nodes_lost_before_and_during_their_switch(nodes, switch, tmp_path):
    first, lost, healthy, behind = nodes
    for node in nodes.values():
        node.run("systemctl stop kubelet")
        node.check_output(f"rm -f {KUBELET} && systemctl daemon-reload")
        node.check_output("systemctl disable --now docker docker.socket")
        node.check_output("systemctl enable --now containerd")
    (tmp_path / "loss.yml").write_text(LOSS)
    there = {"switch_spec": {"runtime": "docker"}, "cruntime_batch": 2}
    loss = {"switch_drain_tasks": str(tmp_path / "loss.yml"), "victim": lost}

    status, stats, output = switch(cruntime_canary=True, at=first, **loss, **there)
    subprocess.run(["docker", "unpause", lost], check=False)
    assert status != 0
    rows = table(output)
    assert " docker " in rows[first], output[-5000:]
    # Docker needs the old runtime, which was not stopped.
    assert rows[first].endswith("  0.0")
    assert " docker " in rows[healthy]
    assert stats[lost]["unreachable"] == 1
    assert "FAILED or UNREACHABLE, unchanged" in rows[lost]
    assert "not started, unchanged" in rows[behind]
    assert f"these nodes failed or are unreachable: {lost}." in output
    # The old runtime keeps running, because Docker needs it.
    docker = [node.service("docker").is_enabled for node in nodes.values()]
    assert docker == [True, False, True, False]

    # One node of a batch may fail, and one does.
    write(nodes[lost], REFUSAL, REFUSAL_TEXT)
    status, stats, output = switch(cruntime_max_fail_percentage=50, cruntime_canary=True, **there)
    assert status != 0
    rows = table(output)
    assert [name for name in nodes if stats[name]["failures"]] == [lost]
    assert "FAILED, rolled back to containerd" in rows[lost]
    assert "unchanged" in rows[first]
    assert "unchanged" in rows[healthy]
    assert " docker " in rows[behind]
    assert runtimes_at_boot(nodes[lost]) == ["containerd"]
    assert nodes[lost].service("containerd").is_running
    assert not nodes[lost].service("docker").is_running

    # The node is repaired, and becomes unreachable after its drain.
    nodes[lost].check_output(f"rm {REFUSAL} && systemctl daemon-reload")
    limit = ("--limit", f"{first},{lost}")
    status, stats, output = switch(*limit, at=lost, **loss, **there)
    subprocess.run(["docker", "unpause", lost], check=False)
    assert status != 0
    assert stats[lost]["unreachable"] == 1
    assert "UNREACHABLE, incomplete: run the playbook again" in table(output)[lost]
    assert nodes[lost].file(MARKER).exists

    status, _stats, output = switch(*limit, **there)
    assert status == 0, output[-3000:]
    assert "resumes an interrupted run" in output
    assert nodes[lost].service("docker").is_enabled
    assert not nodes[lost].file(MARKER).exists
