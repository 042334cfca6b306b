"""The playbook switch moves a node from Docker to CRI-O, and from CRI-O to containerd."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest
from conftest import ARCHIVES, ENABLE, IMAGE, RUNTIMES

pytestmark = pytest.mark.scenario("crio")

ROOT = pathlib.Path(__file__).parents[2]
FILES = "/usr/bin/kubelet /etc/systemd/system/kubelet.service* /var/lib/kubelet"


@pytest.fixture
def play(node, request):
    """Return a function that runs a playbook on the node with variables, and returns its output."""
    name = node.ansible.get_variables()["inventory_hostname"]
    inventory = request.config.getoption("ansible_inventory")

    def run(playbook, **variables):
        # Ansible connects to the nodes as root, and the nodes have no sudo.
        variables = {"ansible_become": False, **variables}
        command = ["ansible-playbook", playbook, "--limit", name, "--inventory", inventory]
        command += ["--extra-vars", json.dumps(variables)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return done.stdout

    return run


@pytest.fixture
def kubelet(node, spec, play, run_module):
    """Yield the node with Docker, an image and a stand-in for the kubelet. Clean up afterwards."""
    before = {"runtime": "docker", "cgroup_driver": "cgroupfs"}
    result = run_module(node, ENABLE, **before)
    assert not result.get("failed"), result["msg"]
    node.check_output(f"docker load --input {ARCHIVES}/busybox.tar")
    prepare = ROOT / "extensions" / "molecule" / "fleet" / "prepare.yml"
    play(prepare, cruntime_test_nodes=str(ROOT / "tests" / "nodes"))
    yield
    node.check_output(f"systemctl disable --now kubelet && rm -r {FILES}")
    node.check_output("systemctl daemon-reload")
    run_module(node, ENABLE, **spec)


@pytest.mark.usefixtures("kubelet")
def test_node_is_switched_from_docker_to_crio_and_to_containerd(node, play, crictl):
    for name in ("crio", "containerd"):
        runtime = RUNTIMES[name]
        variables = {
            "switch_spec": {"runtime": name, "cgroup_driver": "systemd"},
            "switch_install": False,
            "switch_transfer_images": True,
        }
        play("cruntime.node.switch", **variables)
        assert node.service(runtime.service).is_running
        assert node.service(runtime.service).is_enabled
        assert not any(node.service(unit).is_running for unit in runtime.foreign)
        # The flags and the configuration of the kubelet were changed, and the images transferred.
        assert f"endpoint={runtime.endpoint}" in node.file("/run/kubelet.flags").content_string
        config = node.file("/var/lib/kubelet/config.yaml").content_string
        assert f"containerRuntimeEndpoint: {runtime.endpoint}\n" in config
        assert "cgroupDriver: systemd\n" in config
        images = json.loads(crictl("images --output json"))["images"]
        assert IMAGE in {tag for image in images for tag in image["repoTags"]}
        # Another run changes nothing.
        assert "changed=0" in play("cruntime.node.switch", **variables)
