"""Nodes that can't be switched as they stand, and one that is lost on the way.

They have no kubelet, and go from containerd to Docker.
"""

from __future__ import annotations

import json
import subprocess

import pytest
import testinfra

from ansible_collections.cruntime.node.tests.integration import switching
from ansible_collections.cruntime.node.tests.integration.switching import MARKER, booted, table
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
# A node that is paused does not answer. Without pipelining, Ansible finds that it is not there.
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
    """Four nodes by name, in the order that the play takes them."""
    names = start_nodes(*["trixie"] * 4)
    return {name: testinfra.get_host(f"docker://{name}") for name in names}


@pytest.fixture
def switch(nodes, tmp_path):
    """A function that runs the playbook on the nodes, and on one that is not there if asked to."""

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
def test_each_node_that_can_not_be_switched_is_told_why(nodes, switch, mode):
    nothing, untold, *done = nodes
    nodes[untold].check_output("systemctl enable --now docker")
    write(nodes[untold], KUBELET, KUBELET_TEXT)
    nodes[untold].check_output("systemctl start kubelet")
    for name in done:
        nodes[name].check_output("systemctl enable --now containerd")
    before = {name: processes(node) for name, node in nodes.items()}
    # So that no failure hides the next.
    status, stats, words = switch(
        mode, ghost=True, switch_spec={"runtime": "containerd"}, cruntime_max_fail_percentage=80
    )
    assert status != 0
    failures = {
        result["msg"]
        for play in json.loads(words)["plays"]
        for task in play["tasks"]
        for name, result in task["hosts"].items()
        if result.get("failed")
    }
    told = sorted(failures)
    assert len(told) == 2, words[-3000:]
    assert "cruntime.node.provision" in told[0]
    assert "/var/lib/kubelet/kubeadm-flags.env, " in told[1]
    assert "--container-runtime-endpoint" in told[1]
    assert stats["ghost"]["unreachable"] == 1
    assert [name for name in stats if stats[name]["changed"]] == []
    assert "containerd is already running. Nothing to do on this node" in words
    for name in done:
        assert "unchanged" in table(words)[name]
    for name in (nothing, untold, "ghost"):
        assert "FAILED or UNREACHABLE, unchanged" in table(words)[name]
    assert {name: processes(node) for name, node in nodes.items()} == before


def test_a_kubeconfig_that_leads_elsewhere_stops_everything(nodes, switch, tmp_path):
    done = list(nodes)[-1]
    before = processes(nodes[done])
    there = {"switch_spec": {"runtime": "docker"}}
    with api_server.served(api_server.Cluster("another")) as another:
        there["switch_kubeconfig"] = another.kubeconfig(tmp_path / "kubeconfig")
        status, stats, words = switch("--check", "--limit", done, **there)
    assert status != 0
    assert f"with the kubeconfig {tmp_path}/kubeconfig" in words
    assert "NotFound" in words
    # Nobody answers there now.
    status, stats, words = switch("--limit", done, **there)
    assert status != 0
    assert "refused" in words
    assert stats[done]["changed"] == 0
    assert processes(nodes[done]) == before


def test_a_node_is_lost_between_two_batches_and_one_on_the_way(nodes, switch, tmp_path):
    first, lost, beside, behind = nodes
    for node in nodes.values():
        node.run("systemctl stop kubelet")
        node.check_output(f"rm -f {KUBELET} && systemctl daemon-reload")
        node.check_output("systemctl disable --now docker docker.socket")
        node.check_output("systemctl enable --now containerd")
    (tmp_path / "loss.yml").write_text(LOSS)
    there = {"switch_spec": {"runtime": "docker"}, "cruntime_batch": 2}
    loss = {"switch_drain_tasks": str(tmp_path / "loss.yml"), "victim": lost}

    status, stats, words = switch(cruntime_canary=True, at=first, **loss, **there)
    subprocess.run(["docker", "unpause", lost], check=False)
    assert status != 0
    told = table(words)
    assert " docker " in told[first], words[-5000:]
    # Docker needs the old runtime, which was not stopped.
    assert told[first].endswith("  0.0")
    assert " docker " in told[beside]
    assert stats[lost]["unreachable"] == 1
    assert "FAILED or UNREACHABLE, unchanged" in told[lost]
    assert "not started, unchanged" in told[behind]
    assert f"these nodes failed or are unreachable: {lost}." in words
    # Docker's nodes keep the old one for it.
    docker = [node.service("docker").is_enabled for node in nodes.values()]
    assert docker == [True, False, True, False]

    # One of a batch may fail, and does.
    write(nodes[lost], REFUSAL, REFUSAL_TEXT)
    status, stats, words = switch(cruntime_max_fail_percentage=50, cruntime_canary=True, **there)
    assert status != 0
    told = table(words)
    assert [name for name in nodes if stats[name]["failures"]] == [lost]
    assert "FAILED, rolled back to containerd" in told[lost]
    assert "unchanged" in told[first]
    assert "unchanged" in told[beside]
    assert " docker " in told[behind]
    assert booted(nodes[lost]) == ["containerd"]
    assert nodes[lost].service("containerd").is_running
    assert not nodes[lost].service("docker").is_running

    # Repaired, and lost when it has been drained.
    nodes[lost].check_output(f"rm {REFUSAL} && systemctl daemon-reload")
    limit = ("--limit", f"{first},{lost}")
    status, stats, words = switch(*limit, at=lost, **loss, **there)
    subprocess.run(["docker", "unpause", lost], check=False)
    assert status != 0
    assert stats[lost]["unreachable"] == 1
    assert "UNREACHABLE, incomplete: run the playbook again" in table(words)[lost]
    assert nodes[lost].file(MARKER).exists

    status, _stats, words = switch(*limit, **there)
    assert status == 0, words[-3000:]
    assert "resumes an interrupted run" in words
    assert nodes[lost].service("docker").is_enabled
    assert not nodes[lost].file(MARKER).exists
