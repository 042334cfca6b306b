"""A fleet with Docker is moved to containerd; one node fails, and holds up those behind it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import testinfra

pytestmark = [pytest.mark.scenario("fleet"), pytest.mark.xdist_group("fleet")]

SWITCH = "cruntime.node.switch"
BROKEN = "/etc/containerd/conf.d/99-broken.toml"
MARKER = "/var/lib/cruntime-switch.json"
REFUSAL = "/etc/systemd/system/kubelet.service.d/99-refusal.conf"
REFUSAL_TEXT = """[Service]
ExecStartPre=/bin/sh -c "! grep containerd.sock /var/lib/kubelet/kubeadm-flags.env"
"""
PROCESSES = "systemctl show --property=MainPID containerd kubelet"
OLD, NEW = "unix:///var/run/cri-dockerd.sock", "unix:///run/containerd/containerd.sock"


@pytest.fixture(scope="module")
def inventory(request):
    return request.config.getoption("ansible_inventory")


@pytest.fixture(scope="module")
def fleet(inventory):
    """The nodes by name, in the order that the play takes them."""
    listed = subprocess.check_output(["ansible-inventory", "--inventory", inventory, "--list"])
    names = json.loads(listed)["_meta"]["hostvars"]
    return {
        name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory)
        for name in sorted(names)
    }


@pytest.fixture(scope="module")
def switch(inventory):
    """A function that runs the playbook and returns its exit status, its tally and its words."""

    def run(*flags):
        command = ["ansible-playbook", SWITCH, "--inventory", inventory, *flags]
        command += ["--extra-vars", "cruntime_canary=true cruntime_batch=2"]
        env = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        return done.returncode, json.loads(done.stdout)["stats"], done.stdout

    return run


def runs(node):
    """The runtimes whose services run, of the two, and the endpoints that the kubelet was given."""
    units = [name for name in ("docker", "containerd") if node.service(name).is_enabled]
    flags = node.file("/run/kubelet.flags").content_string.split()
    endpoints = [flag.partition("=")[2] for flag in flags if "endpoint" in flag]
    return units, endpoints


ON_DOCKER = (["docker"], [OLD])
ON_CONTAINERD = (["containerd"], [NEW])


def test_fleet_check_mode_shows_the_plan_and_does_nothing(fleet, switch):
    status, stats, words = switch("--check", "--diff")
    assert status == 0
    assert all(stats[name]["changed"] for name in fleet)
    assert "docker -> containerd" in words
    assert all(runs(node) == ON_DOCKER for node in fleet.values())
    assert not any(node.file("/var/lib/kubelet/hooks").exists for node in fleet.values())


def test_fleet_stops_at_the_node_that_fails(fleet, switch):
    canary, broken, beside, *behind = fleet
    fleet[broken].check_output("mkdir -p /etc/containerd/conf.d")
    fleet[broken].check_output(f"echo 'no toml' >{BROKEN}")
    status, stats, words = switch()
    assert status != 0
    assert stats[broken]["failures"] == 1
    assert "brought back" in words
    assert runs(fleet[canary]) == runs(fleet[beside]) == ON_CONTAINERD
    assert runs(fleet[broken]) == ON_DOCKER
    assert fleet[broken].service("docker").is_running
    assert fleet[broken].service("kubelet").is_running
    # Drained, and taken back.
    hooks = fleet[broken].file("/var/lib/kubelet/hooks").content_string.split("\n")
    assert hooks == ["kubelet active", "kubelet active", ""]
    assert not any(fleet[name].file("/var/lib/kubelet/hooks").exists for name in behind)


def test_fleet_takes_a_node_back_whose_kubelet_does_not_start(fleet, switch):
    _first, broken, *_behind = fleet
    fleet[broken].check_output("rm %s", BROKEN)
    # The runtime is switched by then, and kubeadm's files are written.
    fleet[broken].check_output(f"echo %s >{REFUSAL}", REFUSAL_TEXT)
    fleet[broken].check_output("systemctl daemon-reload")
    status, _stats, words = switch("--limit", broken)
    fleet[broken].check_output(f"rm {REFUSAL} && systemctl daemon-reload")
    assert status != 0
    assert "brought back" in words
    assert runs(fleet[broken]) == ON_DOCKER
    assert fleet[broken].service("docker").is_running
    assert fleet[broken].service("kubelet").is_running
    config = fleet[broken].file("/var/lib/kubelet/config.yaml").content_string
    assert f"containerRuntimeEndpoint: {OLD}\n" in config
    assert "cgroupDriver: cgroupfs\n" in config


def test_fleet_goes_on_where_it_stopped(fleet, switch):
    first, broken, *_behind = fleet
    started = fleet[first].check_output(PROCESSES)
    # As a run leaves it that is killed once the runtime is switched.
    died = fleet[broken]
    old = {"runtime": "docker", "version": "1", "endpoint": OLD, "driver": "cgroupfs"}
    died.check_output(f"echo %s >{MARKER}", json.dumps(old))
    died.check_output("systemctl stop kubelet && systemctl disable --now docker docker.socket")
    status, stats, words = switch()
    assert status == 0, words[-3000:]
    assert stats[first]["changed"] == 0
    assert "taken up where it stopped" in words
    for node in fleet.values():
        assert runs(node) == ON_CONTAINERD
        assert node.service("kubelet").is_running
        assert not node.file(MARKER).exists
        assert not node.service("docker").is_running
        config = node.file("/var/lib/kubelet/config.yaml").content_string
        assert f"containerRuntimeEndpoint: {NEW}\n" in config
        assert "cgroupDriver: systemd\n" in config
        assert config.endswith("rotateCertificates: true\n")
    assert fleet[first].check_output(PROCESSES) == started


def test_fleet_that_is_switched_is_left_alone(fleet, switch):
    status, stats, _words = switch()
    assert status == 0
    assert not any(stats[name]["changed"] for name in fleet)


def test_fleet_with_a_node_that_runs_nothing(fleet, switch):
    name, node = next(iter(fleet.items()))
    node.check_output("systemctl stop containerd")
    try:
        status, _stats, words = switch("--limit", name)
    finally:
        node.check_output("systemctl start containerd")
    assert status != 0
    assert "nothing to switch from" in words
