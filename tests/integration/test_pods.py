"""A real pod runs with the settings of the spec: sandbox image, cgroup driver, handler, network."""

from __future__ import annotations

import json
import shlex

import pytest
from conftest import ARCHIVES, CRI, ENABLE, check_failed

POD = {
    "metadata": {"name": "pod", "namespace": "default", "uid": "1", "attempt": 1},
    "log_directory": "/tmp",
    "linux": {
        # The kubelet requests a slice with the systemd driver; the cgroupfs driver rejects a slice.
        "cgroup_parent": "kubepods.slice",
        # Use the network of the host, because the node has no CNI network.
        "security_context": {"namespace_options": {"network": 2}},
    },
}
CONTAINER = {
    "metadata": {"name": "container"},
    "image": {"image": "localhost/cruntime-test/busybox:1"},
    "command": ["/bin/sh", "-c", "echo hello; sleep 600"],
    "log_path": "container.log",
}


def lenient(runtime, node):
    """Return the keys for a node on which a pod sandbox may not lower its OOM score."""
    if runtime == "crio":
        handlers = {
            tool: {
                "runtime_path": f"/usr/local/libexec/cruntime-test/{tool}-lenient",
                "runtime_root": f"/run/{tool}",
                "monitor_path": "/usr/bin/conmon",
            }
            for tool in ("crun", "runc")
        }
        # The sandbox image of the tests has its own command.
        return {"crio": {"runtime": {"runtimes": handlers}, "image": {"pause_command": ""}}}
    version = node.check_output("containerd --version").split()[2].lstrip("v")[0]
    return {"plugins": {CRI[version]: {"restrict_oom_score_adj": True}}}


NETWORK = {
    "cniVersion": "0.4.0",
    "name": "cruntime-test",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cruntime-test",
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "198.18.0.0/24"}]]},
        }
    ],
}
CONFLIST = "/etc/cni/net.d/10-cruntime-test.conflist"
LOAD = {
    "containerd": "ctr --namespace k8s.io images import {archive}",
    "crio": "skopeo copy docker-archive:{archive} containers-storage:{image}",
}


@pytest.fixture
def cri(node, runtime, spec, run_module):
    """Configure a runtime that can run pods on a test node, and load the images."""
    extra = lenient(runtime.name, node)
    result = run_module(node, ENABLE, **{**spec, "extra_config": extra})
    assert not result.get("failed"), result
    for name in ("pause", "busybox"):
        archive, image = f"{ARCHIVES}/{name}.tar", f"localhost/cruntime-test/{name}:1"
        node.check_output(LOAD[runtime.name].format(archive=archive, image=image))
    yield
    run_module(node, ENABLE, **spec)


def run_pod(node, crictl, container, pod=None):
    """Run the pod, and return its ID. Use start_container to start its container."""
    for name, config in (("pod", pod or POD), ("container", container)):
        node.check_output("echo %s > /tmp/%s.json", json.dumps(config), name)
    return crictl("runp /tmp/pod.json")


def start_container(crictl, pod):
    """Start the container of a running pod, and return its ID."""
    container = crictl(f"create {pod} /tmp/container.json /tmp/pod.json")
    crictl(f"start {container}")
    return container


@pytest.mark.runtime("containerd", "crio")
@pytest.mark.usefixtures("cri")
def test_pod_runs_with_the_settings_of_the_spec(node, crictl, call):
    pod = run_pod(node, crictl, CONTAINER)
    try:
        container = start_container(crictl, pod)
        assert "CONTAINER_RUNNING" in crictl(f"inspect {container}")
        # The image of a running container cannot be removed.
        image = CONTAINER["image"]["image"]
        (result,) = call(["cruntime_image", {"name": image, "state": "absent"}])
        check_failed(result, "image_in_use", image)
        assert image.partition(":")[0] in crictl("images")
        # The systemd driver creates a scope per container. The sandbox of CRI-O needs no process.
        scopes = node.check_output("systemctl list-units --type=scope --plain --no-legend")
        assert f"-{container}.scope" in scopes
        node.check_output(
            "timeout 10 sh -c 'until grep hello /tmp/container.log; do sleep 1; done'"
        )
    finally:
        crictl(f"rmp --force {pod}")


@pytest.mark.runtime("containerd", "crio")
@pytest.mark.usefixtures("cri")
def test_long_lines_of_a_log_are_joined(node, crictl, call):
    # The runtime splits a line of three megabytes. The prompt has no end.
    command = "seq -s x 500000; echo err >&2; printf prompt"
    container = {**CONTAINER, "command": ["/bin/sh", "-c", command]}
    pod = run_pod(node, crictl, container)
    try:
        started = start_container(crictl, pod)
        node.check_output(
            "timeout 20 sh -c 'until grep prompt /tmp/container.log; do sleep 1; done'"
        )
        read = ["cruntime_info", {"gather_subset": ["logs"], "ids": [started], "log_lines": 3}]
        (result,) = call(read)
        (log,) = result["logs"]["containers"]
        assert log["error"] is None
        assert log["truncated"] is True
        assert len(log["text"]) == 64 * 1024
        lines = log["text"].split("\n")
        assert sorted(line[-13:] for line in lines if line) == ["499999x500000", "err", "prompt"]
        # A removed container has no log.
        removed, gone = call(
            ["cruntime_containers", {"ids": [started], "state": "absent"}],
            ["cruntime_info", {"gather_subset": ["logs"], "name": "container"}],
        )
        assert removed["changes"] == [{"id": started, "before": "exited", "after": "absent"}]
        assert gone["logs"]["containers"] == []
        assert not node.file("/tmp/container.log").exists
    finally:
        crictl(f"rmp --force {pod}")


@pytest.fixture
def network(node, cri, crictl):
    """Configure a pod network with the plugins in the directory of the distribution's package."""
    node.check_output("mkdir -p /etc/cni/net.d")
    node.check_output("echo %s > %s", json.dumps(NETWORK), CONFLIST)
    # The runtime detects the network without a restart.
    ready = """crictl info | tr -d ' \\n' | grep -q '"status":true,"type":"NetworkReady"'"""
    node.check_output(f"timeout 20 sh -c {shlex.quote(f'until {ready}; do sleep 0.2; done')}")
    yield
    node.check_output("rm %s", CONFLIST)
    node.run("ip link delete cruntime-test")


@pytest.mark.runtime("containerd", "crio")
@pytest.mark.usefixtures("network")
def test_pod_gets_a_network_without_cni_bin_dirs(node, crictl):
    pod = run_pod(node, crictl, CONTAINER, {**POD, "linux": {"cgroup_parent": "kubepods.slice"}})
    try:
        address = json.loads(crictl(f"inspectp {pod}"))["status"]["network"]["ip"]
        assert address.startswith("198.18.0.")
    finally:
        crictl(f"rmp --force {pod}")


SYSCTLS = "cd /proc/sys/net/ipv4 && cat ip_unprivileged_port_start ping_group_range"


@pytest.mark.each_node
@pytest.mark.runtime("containerd", "crio")
@pytest.mark.usefixtures("network")
def test_ports_and_icmp_without_root(node, runtime, spec, crictl, run_module):
    groups = {"containerd": "2147483647", "crio": "65535"}[runtime.name]
    extra = lenient(runtime.name, node)
    # The group range 1 0 has no group.
    for allowed, expected in ((True, ["0", "0", groups]), (False, ["1024", "1", "0"])):
        options = {"unprivileged_ports": allowed, "unprivileged_icmp": allowed}
        result = run_module(node, ENABLE, **{**spec, **options, "extra_config": extra})
        assert not result.get("failed"), result
        in_network = {**POD, "linux": {"cgroup_parent": "kubepods.slice"}}
        pod = run_pod(node, crictl, CONTAINER, in_network)
        try:
            container = start_container(crictl, pod)
            assert crictl(f"exec --sync {container} sh -c '{SYSCTLS}'").split() == expected
        finally:
            crictl(f"rmp --force {pod}")
