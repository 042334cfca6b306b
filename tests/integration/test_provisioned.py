"""A bare node that the role runtime has provisioned, upgraded, switched and provisioned again."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess

import pytest
from conftest import ARCHIVES

pytestmark = [pytest.mark.scenario("bare"), pytest.mark.each_node]

PROVISION = "cruntime.node.provision"
MODULE = "cruntime.node.cruntime_provision"
SWITCH = "cruntime.node.switch"
IMAGE, OTHER_IMAGE = "localhost/cruntime-test/busybox:1", "localhost/cruntime-test/pause:1"
UNATTENDED = "/etc/apt/apt.conf.d/99unattended"
ORIGINS = 'Unattended-Upgrade::Origins-Pattern {"codename=test";};'

# Each command changes something that the role has written or set.
BREAK = (
    "apt-mark unhold runc",
    "sysctl --write net.ipv4.ip_local_port_range='32768 60999'",
    "echo broken >>/etc/modules-load.d/50-cruntime.conf",
    "echo '# broken' >>/etc/apt/sources.list.d/packages.sources",
    "echo broken >/etc/apt/preferences.d/packages.pref",
    "echo broken >/usr/local/bin/crictl",
)


def upgrades(node):
    """Return the packages that a run of unattended-upgrades would upgrade."""
    output = node.check_output("unattended-upgrade --dry-run --verbose")
    # Without upgrades, the output has no such line.
    named = re.findall("^Packages that will be upgraded: (.*)$", output, re.MULTILINE)
    return " ".join(named).split()


def crictl_images(node):
    """Return the names of the images in containerd's CRI."""
    listed = json.loads(node.check_output("crictl --timeout 10s images --output json"))
    return [name for image in listed["images"] for name in image["repoTags"]]


@pytest.fixture
def name(node):
    """Return the name of the node in the inventory."""
    return node.ansible.get_variables()["inventory_hostname"]


@pytest.fixture
def output_of(name, request):
    """Return a function that runs a playbook and returns its output."""
    inventory = request.config.getoption("ansible_inventory")

    def run(playbook, *flags, variables, fails=False, **settings):
        command = ["ansible-playbook", playbook, "--inventory", inventory, "--limit", name]
        command += ["--extra-vars", json.dumps(variables), *flags]
        # Molecule sets a color.
        settings = {"FORCE_COLOR": "false", "NOCOLOR": "true", **settings}
        env = {**os.environ, **{f"ANSIBLE_{key}": value for key, value in settings.items()}}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        assert (done.returncode != 0) is fails, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    return run


@pytest.fixture
def play(name, output_of):
    """Return a function that runs a playbook and returns the number of changed tasks."""

    def run(playbook, check=False, fails=False, **variables):
        flags = ["--check", "--diff"] * check
        output = output_of(
            *(playbook, *flags),
            variables=variables, fails=fails, STDOUT_CALLBACK="ansible.posix.json",
        )  # fmt: skip
        return output if fails else json.loads(output)["stats"][name]["changed"]

    return run


@pytest.fixture
def decidable(node):
    """Return the variables with which the node itself can decide whether crictl is due."""
    digest = node.check_output("sha256sum /srv/crictl.tar.gz").split()[0]
    return {"runtime_crictl_checksum": f"sha256:{digest}"}


@pytest.fixture
def provisioned(node, play):
    """Yield the node, which is provisioned again after the test."""
    yield node
    play(PROVISION)


def selection(node, package):
    """Return the selection state of a package in dpkg."""
    return node.check_output("dpkg-query --show --showformat='${db:Status-Want}' %s", package)


def test_packages_are_held(node, spec):
    package = {"containerd": "containerd", "docker": "docker.io"}[spec["runtime"]]
    assert selection(node, package) == selection(node, "runc") == "hold"


def test_kernel_is_prepared_now_and_at_boot(node):
    assert node.sysctl("net.ipv4.ip_forward") == 1
    assert "net.ipv4.ip_forward = 1" in node.file("/etc/sysctl.d/50-cruntime.conf").content_string
    assert node.file("/etc/modules-load.d/50-cruntime.conf").content_string == "overlay\n"


@pytest.mark.runtime("containerd")
@pytest.mark.parametrize("pipelining", ["false", "true"])
def test_a_run_without_a_change_is_one_module(node, output_of, decidable, name, pipelining):
    cursor = node.check_output("journalctl --lines=1 --show-cursor").rpartition("cursor: ")[2]
    output = output_of(PROVISION, variables=decidable, PIPELINING=pipelining)
    assert re.search(rf"^{name} .* changed=0 ", output, re.MULTILINE)
    # Each module logs its start. The commands of this test are modules too.
    log = node.check_output("journalctl --sync; journalctl --after-cursor=%s", cursor.strip())
    started = re.findall(r"ansible-([\w.]+)\[\d+\]: Invoked", log)
    assert [each for each in started if not each.endswith("command")] == [MODULE]


@pytest.mark.runtime("containerd")
def test_a_run_without_a_change_prints_one_line_about_the_node(output_of, decidable):
    output = output_of(PROVISION, variables=decidable, STDOUT_CALLBACK="ansible.builtin.default")
    assert len(output.splitlines()) <= 25
    assert re.search(r'"msg": "containerd 2\.1\.\S+: unchanged"$', output, re.MULTILINE)


@pytest.mark.runtime("containerd")
def test_each_part_that_was_changed_is_restored(node, play, decidable):
    node.check_output(" && ".join(BREAK))
    assert play(PROVISION, check=True, **decidable) > 0
    assert selection(node, "runc") == "install"
    assert play(PROVISION, **decidable) > 0
    assert selection(node, "runc") == "hold"
    assert node.check_output("sysctl --values net.ipv4.ip_local_port_range") == "1024\t65535"
    assert node.file("/etc/modules-load.d/50-cruntime.conf").content_string == "overlay\n"
    assert node.run("grep --recursive broken /etc/apt").rc == 1
    assert node.run("crictl --version").rc == 0
    assert play(PROVISION, **decidable) == 0


@pytest.mark.long
@pytest.mark.runtime("containerd")
def test_a_package_that_was_removed_is_installed_and_held(node, play, decidable):
    node.check_output("dpkg --purge --force-depends containernetworking-plugins")
    assert play(PROVISION, check=True, **decidable) > 0
    assert not node.package("containernetworking-plugins").is_installed
    assert play(PROVISION, **decidable) > 0
    assert selection(node, "containernetworking-plugins") == "hold"
    assert play(PROVISION, **decidable) == 0


@pytest.mark.runtime("containerd")
def test_container_survived_two_upgrades(node):
    task = "ctr --namespace k8s.io task"
    assert node.check_output("containerd --version").split()[2].startswith("2.1.")
    assert node.file("/etc/containerd/config.toml").contains("^version = 3$")
    # The container was started with containerd 1.6; the new version can control it.
    assert "RUNNING" in node.check_output(f"{task} ls | grep survivor")
    # The output of ctr can be lost if the process ends at once. The exit status is never lost.
    assert node.run(f"{task} exec --exec-id check survivor sh -c 'exit 42'").rc == 42


@pytest.mark.runtime("containerd")
def test_images_are_preloaded_and_crictl_finds_the_runtime(node):
    assert IMAGE in crictl_images(node)


@pytest.mark.long
@pytest.mark.runtime("containerd")
def test_unattended_upgrades_keep_a_downgraded_version(provisioned, play):
    assert play(PROVISION, check=True, runtime_version="1.7.*") > 0
    assert play(PROVISION, runtime_version="1.7.*") > 0
    assert provisioned.check_output("ctr version").count("Version:  1.7.") == 2
    assert provisioned.file("/etc/containerd/config.toml").contains("^version = 2$")
    # The repository has 2.1, and unattended-upgrades may upgrade from this repository.
    provisioned.check_output("apt-get -qq install --no-install-recommends unattended-upgrades")
    provisioned.check_output(f"echo %s >{UNATTENDED}", ORIGINS)
    assert "containerd" not in upgrades(provisioned)
    provisioned.check_output("apt-mark unhold containerd runc")
    assert "containerd" in upgrades(provisioned)


@pytest.mark.long
@pytest.mark.runtime("containerd")
def test_switch_installs_the_new_runtime_and_the_reverse_switch_removes_it(
    provisioned, play, spec, registry, tmp_path
):
    node = provisioned
    there = {"switch_spec": {"runtime": "docker"}, "runtime_version": ""}
    # One image is in the old runtime, and one is in a directory on the controller.
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
    # On the switch back, one image is in a registry.
    address = f"{registry[0]}:5001"
    pulled = f"{address}/library/mirrored:1"
    back = {**spec, "registries": [{"registry": address, "insecure": True}]}
    images = {"runtime_image_dir": "", "runtime_images": [pulled]}
    play(SWITCH, switch_spec=back, switch_old_packages=["docker.io", "docker-cli"], **images)
    assert node.service("containerd").is_running
    assert not node.exists("dockerd")
    assert pulled in crictl_images(node)
    # The role runtime finds the image present, and pulls the image if it is missing.
    assert play(PROVISION, runtime_spec=back, **images) == 0
    node.check_output(f"crictl --timeout 10s rmi {pulled}")
    assert play(PROVISION, runtime_spec=back, **images) == 1
    assert pulled in crictl_images(node)


@pytest.mark.long
def test_check_mode_on_bare_node_predicts_and_changes_nothing(provisioned, play, spec, snapshot):
    directory = f"/etc/{spec['runtime']}/certs.d"
    own, written = f"{directory}/own.test/ca.crt", f"{directory}/r.test/ca.crt"
    provisioned.check_output(f"mkdir -p {directory}/own.test && touch {own}")
    if spec["runtime"] == "containerd":
        output = play(PROVISION, fails=True, runtime_state="absent")
        assert "containerd still runs containers: their processes" in output
        # Remove the container that survived the upgrades.
        assert provisioned.service("containerd.service").is_running
        provisioned.check_output("ctr --namespace k8s.io task rm --force survivor")
        provisioned.check_output("ctr --namespace k8s.io container rm survivor")
        play(PROVISION, runtime_state="absent", runtime_keep_data=True)
    else:
        # Docker's package is held, and is removed together with containerd's.
        others = {"runtime_spec": {"runtime": "containerd"}, "runtime_state": "absent"}
        output = play(PROVISION, fails=True, **others)
        assert "docker.io would be removed together with containerd" in output
        assert provisioned.service("docker.service").is_running
        assert provisioned.service("containerd.service").is_running
        registries = [{"registry": "r.test", "ca_file": "/etc/ssl/r.pem"}]
        provisioned.check_output("touch /etc/ssl/r.pem")
        play(PROVISION, runtime_spec={**spec, "registries": registries})
        assert provisioned.file(written).is_symlink
        # This held package is listed for removal too.
        play(PROVISION, runtime_state="absent")
        assert not provisioned.file(written).is_symlink
        assert provisioned.file("/var/lib/docker").listdir() == []
    assert not provisioned.exists("containerd" if spec["runtime"] == "containerd" else "dockerd")
    # Packages that were installed before stay, and can be upgraded.
    assert provisioned.file(own).exists
    assert selection(provisioned, "runc") == "install"
    # Check mode reports that the remaining images would be removed.
    would_change = 1 if spec["runtime"] == "containerd" else 0
    assert play(PROVISION, check=True, runtime_state="absent") == would_change
    before = snapshot()
    assert play(PROVISION, check=True) > 0
    assert snapshot() == before
    if spec["runtime"] == "containerd":
        # A new installation finds the remaining images.
        play(PROVISION, runtime_images=[], runtime_image_dir="")
        assert IMAGE in crictl_images(provisioned)


@pytest.mark.long
def test_invalid_spec_is_rejected_before_packages_change(node, play, spec, snapshot):
    before = snapshot()
    output = play(PROVISION, fails=True, runtime_spec={**spec, "cgroup_driver": "none"})
    assert "cgroup_driver" in output
    output = play(PROVISION, fails=True, runtime_spec={**spec, "runtime": "rkt"})
    assert "rkt" in output
    assert snapshot() == before


@pytest.mark.long
def test_errors_of_apt_and_sysctl_are_in_the_message(provisioned, play):
    output = play(PROVISION, fails=True, runtime_version="99.9")
    assert "apt could not install these packages: E: Version '99.9' for" in output
    output = play(PROVISION, fails=True, runtime_sysctls={"net.ipv4.no_such_parameter": 1})
    assert "runtime_sysctls: sysctl could not set these parameters: sysctl: cannot stat" in output
