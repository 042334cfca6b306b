"""The playbook for fleets moves a node with Docker to CRI-O, and from there to containerd."""

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
    """A function that runs a playbook on the node, with variables, and returns its words."""
    name = node.ansible.get_variables()["inventory_hostname"]
    inventory = request.config.getoption("ansible_inventory")

    def run(playbook, **variables):
        # The nodes are reached as root, and have no sudo.
        variables = {"ansible_become": False, **variables}
        command = ["ansible-playbook", playbook, "--limit", name, "--inventory", inventory]
        command += ["--extra-vars", json.dumps(variables)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return done.stdout

    return run


@pytest.fixture
def kubelet(node, spec, play, run_module):
    """The node with Docker, an image and a kubelet's stand-in; all of it is gone afterwards."""
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
def test_a_node_goes_from_docker_to_crio_and_on_to_containerd(node, play, crictl):
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
        # The kubelet was told, by its flags and its configuration, and the images came along.
        assert f"endpoint={runtime.endpoint}" in node.file("/run/kubelet.flags").content_string
        config = node.file("/var/lib/kubelet/config.yaml").content_string
        assert f"containerRuntimeEndpoint: {runtime.endpoint}\n" in config
        assert "cgroupDriver: systemd\n" in config
        images = json.loads(crictl("images --output json"))["images"]
        assert IMAGE in {tag for image in images for tag in image["repoTags"]}
        # And that is that.
        assert "changed=0" in play("cruntime.node.switch", **variables)
