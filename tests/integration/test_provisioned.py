"""A node that the role runtime brought from bare to ready, and what became of it on the way."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess

import pytest
from conftest import ARCHIVES

pytestmark = pytest.mark.scenario("bare")

PROVISION = "cruntime.node.provision"
SWITCH = "cruntime.node.switch"
IMAGE, OTHER_IMAGE = "localhost/cruntime-test/busybox:1", "localhost/cruntime-test/pause:1"
UNATTENDED = "/etc/apt/apt.conf.d/99unattended"
ORIGINS = 'Unattended-Upgrade::Origins-Pattern {"codename=test";};'


def upgrades(node):
    """The packages that a run of unattended-upgrades would upgrade."""
    said = node.check_output("unattended-upgrade --dry-run --verbose")
    # Without any, there is no such line.
    named = re.findall("^Packages that will be upgraded: (.*)$", said, re.MULTILINE)
    return " ".join(named).split()


def crictl_images(node):
    """The names of the images of containerd's CRI."""
    listed = json.loads(node.check_output("crictl --timeout 10s images --output json"))
    return [name for image in listed["images"] for name in image["repoTags"]]


@pytest.fixture
def play(node, request):
    """A function that runs a playbook on the node and returns how many tasks changed something."""
    inventory = request.config.getoption("ansible_inventory")
    name = node.ansible.get_variables()["inventory_hostname"]

    def run(playbook, check=False, fails=False, **variables):
        command = ["ansible-playbook", playbook, "--inventory", inventory, "--limit", name]
        command += ["--extra-vars", json.dumps(variables)] + ["--check", "--diff"] * check
        env = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        assert (done.returncode != 0) is fails, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout if fails else json.loads(done.stdout)["stats"][name]["changed"]

    return run


@pytest.fixture
def provisioned(node, play):
    """The node; provisioned once more when the test is over."""
    yield node
    play(PROVISION)


def selection(node, package):
    """What dpkg shall do with a package."""
    return node.check_output("dpkg-query --show --showformat='${db:Status-Want}' %s", package)


def test_packages_are_held(node, spec):
    package = {"containerd": "containerd", "docker": "docker.io"}[spec["runtime"]]
    assert selection(node, package) == selection(node, "runc") == "hold"


def test_kernel_is_prepared_now_and_after_a_boot(node):
    assert node.sysctl("net.ipv4.ip_forward") == 1
    assert "net.ipv4.ip_forward = 1" in node.file("/etc/sysctl.d/50-cruntime.conf").content_string
    assert node.file("/etc/modules-load.d/50-cruntime.conf").content_string == "overlay\n"


@pytest.mark.runtime("containerd")
def test_a_container_outlived_two_upgrades(node):
    task = "ctr --namespace k8s.io task"
    assert node.check_output("containerd --version").split()[2].startswith("2.1.")
    assert node.file("/etc/containerd/config.toml").contains("^version = 3$")
    # It has run since 1.6, and obeys the new one.
    assert "RUNNING" in node.check_output(f"{task} ls | grep survivor")
    assert node.check_output(f"{task} exec --exec-id check survivor echo hello") == "hello"


@pytest.mark.runtime("containerd")
def test_images_are_preloaded_and_crictl_finds_its_runtime(node):
    assert IMAGE in crictl_images(node)


@pytest.mark.long
@pytest.mark.runtime("containerd")
def test_a_downgrade_is_held_against_unattended_upgrades(provisioned, play):
    assert play(PROVISION, check=True, runtime_version="1.7.*") > 0
    assert play(PROVISION, runtime_version="1.7.*") > 0
    assert provisioned.check_output("ctr version").count("Version:  1.7.") == 2
    assert provisioned.file("/etc/containerd/config.toml").contains("^version = 2$")
    # The repository has 2.1, and is one of those that are upgraded from.
    provisioned.check_output("apt-get -qq install --no-install-recommends unattended-upgrades")
    provisioned.check_output(f"echo %s >{UNATTENDED}", ORIGINS)
    assert "containerd" not in upgrades(provisioned)
    provisioned.check_output("apt-mark unhold containerd runc")
    assert "containerd" in upgrades(provisioned)


@pytest.mark.long
@pytest.mark.runtime("containerd")
def test_a_switch_installs_the_new_runtime_and_one_back_removes_it(
    provisioned, play, spec, registry, tmp_path
):
    node = provisioned
    there = {"switch_spec": {"runtime": "docker"}, "runtime_version": ""}
    # One image is the old runtime's, one is in a folder on the controller.
    archive = node.check_output(f"base64 {ARCHIVES}/pause.tar")
    (tmp_path / "pause.tar").write_bytes(base64.b64decode(archive))
    there["runtime_image_dir"] = str(tmp_path)
    there |= {"runtime_image_remote_src": False, "runtime_images": [OTHER_IMAGE]}
    assert OTHER_IMAGE not in crictl_images(node)
    assert not node.exists("dockerd")
    assert play(SWITCH, check=True, **there) > 0
    assert not node.exists("dockerd")
    play(SWITCH, switch_transfer_images=True, **there)
    assert node.service("docker").is_running
    names = node.check_output("docker images --format '{{.Repository}}:{{.Tag}}'")
    assert {IMAGE, OTHER_IMAGE} <= set(names.splitlines())
    # On the way back, one is in a registry.
    address = f"{registry[0]}:5001"
    pulled = f"{address}/library/mirrored:1"
    back = {**spec, "registries": [{"registry": address, "insecure": True}]}
    images = {"runtime_image_dir": "", "runtime_images": [pulled]}
    play(SWITCH, switch_spec=back, switch_old_packages=["docker.io", "docker-cli"], **images)
    assert node.service("containerd").is_running
    assert not node.exists("dockerd")
    assert pulled in crictl_images(node)
    # The role runtime finds it as it should be, and pulls it where it is gone.
    assert play(PROVISION, runtime_spec=back, **images) == 0
    node.check_output(f"crictl --timeout 10s rmi {pulled}")
    assert play(PROVISION, runtime_spec=back, **images) == 1
    assert pulled in crictl_images(node)


@pytest.mark.long
def test_a_bare_node_is_foretold_and_left_alone(provisioned, play, spec, snapshot):
    folder = f"/etc/{spec['runtime']}/certs.d"
    own, written = f"{folder}/own.test/ca.crt", f"{folder}/r.test/ca.crt"
    provisioned.check_output(f"mkdir -p {folder}/own.test && touch {own}")
    if spec["runtime"] == "containerd":
        said = play(PROVISION, fails=True, runtime_state="absent")
        assert "containerd still runs containers: the process" in said
        # The container that outlived the upgrades.
        assert provisioned.service("containerd.service").is_running
        provisioned.check_output("ctr --namespace k8s.io task rm --force survivor")
        provisioned.check_output("ctr --namespace k8s.io container rm survivor")
        play(PROVISION, runtime_state="absent", runtime_keep_data=True)
    else:
        # Docker's package is held, and goes where containerd's does.
        others = {"runtime_spec": {"runtime": "containerd"}, "runtime_state": "absent"}
        said = play(PROVISION, fails=True, **others)
        assert "docker.io would be removed together with containerd" in said
        assert provisioned.service("docker.service").is_running
        assert provisioned.service("containerd.service").is_running
        registries = [{"registry": "r.test", "ca_file": "/etc/ssl/r.pem"}]
        provisioned.check_output("touch /etc/ssl/r.pem")
        play(PROVISION, runtime_spec={**spec, "registries": registries})
        assert provisioned.file(written).is_symlink
        # Held, too, and meant.
        play(PROVISION, runtime_state="absent")
        assert not provisioned.file(written).is_symlink
        assert provisioned.file("/var/lib/docker").listdir() == []
    assert not provisioned.exists("containerd" if spec["runtime"] == "containerd" else "dockerd")
    # What was there before stays, and gets its upgrades.
    assert provisioned.file(own).exists
    assert selection(provisioned, "runc") == "install"
    # The images that were kept would go.
    would_change = 1 if spec["runtime"] == "containerd" else 0
    assert play(PROVISION, check=True, runtime_state="absent") == would_change
    before = snapshot()
    assert play(PROVISION, check=True) > 0
    assert snapshot() == before
    if spec["runtime"] == "containerd":
        # A new installation finds the images that were left.
        play(PROVISION, runtime_images=[], runtime_image_dir="")
        assert IMAGE in crictl_images(provisioned)


@pytest.mark.long
@pytest.mark.runtime("docker")
def test_images_that_nothing_could_take_are_refused_before_a_package_is_touched(
    node, play, snapshot
):
    before = snapshot()
    assert not node.exists("crictl")
    wanted = {"runtime_spec": {"runtime": "containerd"}, "runtime_images": [IMAGE]}
    said = play(PROVISION, fails=True, **wanted)
    assert "Set runtime_crictl_archive, or add cri-tools to runtime_extra_packages" in said
    assert snapshot() == before


@pytest.mark.long
def test_a_wrong_spec_is_refused_before_a_package_is_touched(node, play, spec, snapshot):
    before = snapshot()
    said = play(PROVISION, fails=True, runtime_spec={**spec, "cgroup_driver": "none"})
    assert "cgroup_driver" in said
    said = play(PROVISION, fails=True, runtime_spec={**spec, "runtime": "rkt"})
    assert "rkt" in said
    assert snapshot() == before
