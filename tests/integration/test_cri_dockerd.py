"""Docker with cri-dockerd, the CRI adapter for the kubelet: one transaction changes both.

CRUNTIME_TEST_BIN names the directory of a cri-dockerd, because no Debian suite has a package.
"""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
from conftest import ARCHIVES, ENABLE, check_untouched, reasons, skip_unless_required
from test_pods import run_pod, start_container

CONTAINERS = "cruntime.node.cruntime_containers"
NODES = pathlib.Path(__file__).parents[1] / "nodes"
PAUSE, BUSYBOX = (f"localhost/cruntime-test/{name}:1" for name in ("pause", "busybox"))
KUBERNETES = {"kubernetes_version": "1.34.2", "sandbox_image": PAUSE}
SOCKET, SERVICE = "cri-docker.socket", "cri-docker.service"
LENIENT = "/usr/local/libexec/cruntime-test/crun-lenient"
CONTAINER = {
    "metadata": {"name": "container"},
    "image": {"image": BUSYBOX},
    "command": ["/bin/sh", "-c", "sleep 600"],
    "log_path": "container.log",
}

pytestmark = pytest.mark.runtime("docker")


@pytest.fixture
def cri_dockerd(node, spec, run_module):
    """Yield a node with cri-dockerd, which is removed afterwards; the spec is applied again."""
    binary = pathlib.Path(os.environ.get("CRUNTIME_TEST_BIN", "/nonexistent"), "cri-dockerd")
    if not os.access(binary, os.X_OK):
        reason = "cri-dockerd is not available: set CRUNTIME_TEST_BIN to its directory"
        skip_unless_required("cri-dockerd", reason)
    name = node.ansible.get_variables()["inventory_hostname"]
    installed = {
        "/usr/bin/cri-dockerd": binary,
        f"/usr/lib/systemd/system/{SERVICE}": NODES / "cri-dockerd" / SERVICE,
        f"/usr/lib/systemd/system/{SOCKET}": NODES / "cri-dockerd" / SOCKET,
        LENIENT: NODES / "crio" / "crun-lenient",
    }
    for path, source in installed.items():
        subprocess.run(["docker", "cp", "--quiet", source, f"{name}:{path}"], check=True)
    node.check_output("systemctl daemon-reload")
    yield
    assert not run_module(node, ENABLE, **spec).get("failed")
    node.check_output(f"systemctl disable --now {SOCKET} {SERVICE}")
    node.check_output(f"rm -rf {' '.join(installed)} /etc/systemd/system/{SERVICE}.d")
    node.check_output("systemctl daemon-reload")


@pytest.fixture
def enable(node, spec, run_module):
    """Return a function that applies the changed spec of the node, which must succeed."""

    def run(check=False, **changes):
        result = run_module(node, ENABLE, check=check, **{**spec, **changes})
        assert not result.get("failed"), result["msg"]
        return result

    return run


@pytest.fixture
def pids(node):
    """Return a function that returns the processes of Docker and of cri-dockerd."""
    show = f"systemctl show --property=MainPID --value docker.service {SERVICE}"
    return lambda: node.check_output(show).split()


def test_kubernetes_version_is_rejected_without_cri_dockerd(node, spec, run_module, snapshot):
    before = snapshot()
    result = run_module(node, ENABLE, **{**spec, "kubernetes_version": "1.34.2"})
    check_untouched(result, "runtime_not_installed", "cri-dockerd", "cri_service")
    assert snapshot() == before
    for changes in ({"kubernetes_version": "1.23.9"}, {**KUBERNETES, "cri_service": False}):
        assert not run_module(node, ENABLE, check=True, **{**spec, **changes}).get("failed")


@pytest.mark.usefixtures("cri_dockerd")
def test_cri_dockerd_matches_its_spec(node, enable, pids, crictl):
    flags = {"log_level": "info", "cni": {"bin_dirs": ["/usr/lib/cni", "/opt/$x %y"]}}
    predicted = enable(check=True, **KUBERNETES, **flags)
    result = enable(**KUBERNETES, **flags)
    assert predicted["units"] == result["units"]
    for unit in (SOCKET, SERVICE):
        assert node.service(unit).is_running
        assert node.service(unit).is_enabled
    docker, adapter = pids()
    argv = node.file(f"/proc/{adapter}/cmdline").content_string.split("\0")
    assert f"--pod-infra-container-image={PAUSE}" in argv
    assert "--cni-bin-dir=/usr/lib/cni,/opt/$x %y" in argv
    assert "--log-level=info" in argv
    assert "RuntimeName:  docker" in crictl("version")
    assert enable(**KUBERNETES, **flags)["changed"] is False

    # A cri-dockerd flag must not restart Docker.
    result = enable(**KUBERNETES, **flags, network_plugin="cni")
    drop_in = f"/etc/systemd/system/{SERVICE}.d/50-cruntime.conf"
    assert reasons(result) == {SERVICE: f"{drop_in} changed"}
    assert pids()[0] == docker
    # A change of Docker restarts cri-dockerd, because cri-dockerd reads it when it starts.
    assert set(reasons(enable(**KUBERNETES, cgroup_driver="cgroupfs"))) == {
        "docker.service",
        SERVICE,
    }

    result = enable(**KUBERNETES, cgroup_driver="cgroupfs", socket="/run/own/cri.sock")
    assert set(reasons(result)) == {SOCKET, SERVICE}
    assert result["cri_endpoint"] == "unix:///run/own/cri.sock"
    assert "RuntimeName:  docker" in crictl("version")
    assert node.run("crictl -r unix:///run/cri-dockerd.sock version").failed
    # If the spec has no option for cri-dockerd, it keeps running with the flags of its own unit.
    assert enable()["changed"] is True
    assert node.service(SERVICE).is_running
    assert not node.file(f"/etc/systemd/system/{SOCKET}.d/50-cruntime.conf").exists
    assert enable()["changed"] is False


@pytest.mark.usefixtures("cri_dockerd")
def test_pod_runs_and_survives_a_restart_of_cri_dockerd(node, enable, crictl, run_module):
    lenient = {"name": "lenient", "path": LENIENT}
    enable(**KUBERNETES, oci_runtimes=[lenient], oci_runtime="lenient")
    for name in ("pause", "busybox"):
        node.check_output(f"docker load --input {ARCHIVES}/{name}.tar")
    pod = run_pod(node, crictl, CONTAINER)
    try:
        container = start_container(crictl, pod)
        assert "CONTAINER_RUNNING" in crictl(f"inspect {container}")
        sandbox = node.check_output(f"docker inspect --format '{{{{.Config.Image}}}}' {pod}")
        assert sandbox == PAUSE
        # cri-dockerd is restarted, and its pods keep running.
        enable(**KUBERNETES, oci_runtimes=[lenient], oci_runtime="lenient", network_plugin="cni")
        assert "CONTAINER_RUNNING" in crictl(f"inspect {container}")
        for state in ("paused", "running"):
            (record,) = run_module(node, CONTAINERS, pod="pod", state=state)["containers"]
            assert (record["id"], record["state"]) == (container, state)
            assert (record["namespace"], record["name"]) == ("default", "container")
        gone = run_module(node, CONTAINERS, pod="pod", state="absent", sandboxes=True)
        assert len(gone["changes"]) == 2
        assert not crictl("pods --quiet")
    finally:
        node.run("crictl rmp --force %s", pod)


@pytest.mark.usefixtures("cri_dockerd")
def test_failed_start_of_cri_dockerd_is_rolled_back(node, spec, enable, run_module, crictl):
    enable(**KUBERNETES)
    files = ("/etc/docker/daemon.json", f"/etc/systemd/system/{SERVICE}.d/50-cruntime.conf")
    before = [node.file(path).content_string for path in files]
    # Docker is restarted first; then cri-dockerd cannot create a socket at this path.
    changes = {"socket": "/proc/own/cri.sock", "log_level": "info", "cgroup_driver": "cgroupfs"}
    result = run_module(node, ENABLE, **{**spec, **KUBERNETES, **changes})
    assert result.get("failed") is True
    assert result["rolled_back"] is True, result
    assert [node.file(path).content_string for path in files] == before
    assert not node.file(f"/etc/systemd/system/{SOCKET}.d/50-cruntime.conf").exists
    assert "RuntimeName:  docker" in crictl("version")
    assert enable(**KUBERNETES)["changed"] is False


@pytest.mark.usefixtures("cri_dockerd")
def test_cri_dockerd_stops_and_starts_with_docker(node, enable):
    enable(**KUBERNETES)
    enable(runtime="containerd", extra_config={})
    for unit in (SOCKET, SERVICE):
        assert not node.service(unit).is_running
        assert node.run("systemctl is-enabled %s", unit).failed
    result = enable(**KUBERNETES)
    assert f"Unmasking {SERVICE}, which was masked, to enable Docker" in result["warnings"]
    assert node.service(SERVICE).is_running
    assert enable(**KUBERNETES)["changed"] is False
