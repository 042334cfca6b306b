"""A machine with its own kernel: cgroup v2, all capabilities, SSH, reboots and power cuts.

A power cut kills the emulator. The machine loses its page cache, and the writes in the cache of its
disk. The emulator keeps the cluster tables of the disk image in memory until a flush, but data that
it has passed to its host is kept. Therefore, writes without a flush also survive in a cluster that
was mapped before. The mount options of the file system are strict; see tests/nodes/vm/run.sh.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest
from conftest import ARCHIVES, ENABLE, ETC_FILES, IMAGE, ROOT, RUNTIMES, UNITS, node_options
from test_pods import CONTAINER, run_pod, start_container

pytestmark = pytest.mark.scenario("vm")

VM_SH = ROOT / "tests" / "nodes" / "vm.sh"
# extensions/molecule/vm/prepare.yml saves the state of /etc in this directory.
MOLECULE = pathlib.Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."))
# Bit of cap_sys_resource in a set of capabilities.
SYS_RESOURCE = 1 << 24
SYSCTLS = {
    "net.bridge.bridge-nf-call-iptables": 1,
    "net.bridge.bridge-nf-call-ip6tables": 1,
    "net.ipv4.ip_forward": 1,
}
# Files of roles/runtime, and links in /etc that change when a unit is enabled or disabled.
OF_THE_ROLE = {
    "/etc/modules-load.d/50-cruntime.conf",
    "/etc/sysctl.d/50-cruntime.conf",
}
OF_UNITS = {
    "/etc/systemd/system/multi-user.target.wants/containerd.service",
    "/etc/systemd/system/multi-user.target.wants/docker.service",
    "/etc/systemd/system/sockets.target.wants/docker.socket",
    # Links of masked units.
    "/etc/systemd/system/docker.service",
    "/etc/systemd/system/docker.socket",
}
# Links that systemd creates for a unit that also has a System V script.
OF_SCRIPTS = re.compile(r"/etc/rc\d\.d/[SK]\d\d(containerd|docker)")
CUTS = {
    "when a file is in its place": ("docker", "after _put /etc/docker/daemon.json"),
    "between the start of one and the stop of the other": ("containerd", "before _call stop"),
    "before a temporary file is renamed": ("docker", "after write_new /etc/docker/.daemon.json"),
}


@pytest.fixture
def vm(node):
    """Return a function that calls vm.sh for the machine."""
    name = node.ansible.get_variables()["inventory_hostname"]
    return lambda verb: subprocess.run([VM_SH, verb, name], check=True)


@pytest.fixture
def cut_power(node, vm, on_node, run_on_node):
    """Return a function that cuts the power at a step of a switch, and returns what is left."""
    variables = node.ansible.get_variables()
    ssh = ["ssh", *shlex.split(variables["ansible_ssh_common_args"])]

    def cut(options, at):
        command = on_node("power_cut", {"options": options, "at": at})
        argv = [*ssh, variables["inventory_hostname"], f"sudo {command}"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            reported = json.loads(process.stdout.readline())
            assert "step" in reported, reported
            vm("cut")
            process.terminate()
        vm("boot")
        return run_on_node("power_cut", {"options": options, "was": reported["was"]})

    return cut


def state_of(node, crictl):
    """Return the state that must be the same after a reboot: units, images and pins."""
    shown = node.check_output(f"systemctl show --property=Id,ActiveState,UnitFileState {UNITS}")
    images = {
        tag: (image["id"], image["pinned"])
        for image in json.loads(crictl("images --output json"))["images"]
        for tag in image["repoTags"]
    }
    return shown, images


def kernel_of(node):
    """Return the modules and parameters of roles/runtime that the kernel has."""
    modules = node.check_output("cd /sys/module && ls -d overlay br_netfilter").split()
    return modules, {name: node.sysctl(name) for name in SYSCTLS}


def test_machine_has_its_own_kernel(node):
    assert node.check_output("stat --file-system --format %T /sys/fs/cgroup") == "cgroup2fs"
    (bounding,) = node.file("/proc/1/status").content_string.split("CapBnd:")[1].split()[:1]
    assert int(bounding, 16) & SYS_RESOURCE
    assert node.check_output("systemd-detect-virt --vm") in ("kvm", "qemu")
    assert node.run("systemd-detect-virt --container").failed


def test_auto_chooses_the_driver_systemd(node, spec, run_module):
    assert spec["cgroup_driver"] == "auto"
    result = run_module(node, ENABLE, **spec)
    assert result["changed"] is False, result
    assert result["cgroup_driver"] == "systemd"
    assert "SystemdCgroup = true" in node.file("/etc/containerd/config.toml").content_string


def test_reboot_starts_the_enabled_runtime_and_no_other(
    node, *, spec, vm, call, crictl, image, run_module, run_container
):
    (pinned,) = call(["cruntime_image", {"name": [image], "pin": True}])
    assert pinned["changed"] is True, pinned
    units, images = state_of(node, crictl)
    assert images[image][1] is True
    kernel = kernel_of(node)
    assert kernel == (["br_netfilter", "overlay"], SYSCTLS)
    vm("reboot")
    assert state_of(node, crictl) == (units, images)
    assert node.service("containerd").is_running
    for unit in RUNTIMES["containerd"].foreign:
        assert not node.service(unit).is_running
        assert node.run("systemctl is-enabled %s", unit).failed
    assert not node.file("/run/docker.sock").exists
    assert kernel_of(node) == kernel
    assert run_module(node, ENABLE, **spec)["changed"] is False
    assert run_container("echo hello") == "hello"


@pytest.mark.long
@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_modules_run_with_and_without_pipelining(node, spec, run_module, monkeypatch, pipelining):
    monkeypatch.setenv("ANSIBLE_PIPELINING", pipelining)
    variables = node.ansible.get_variables()
    assert variables["ansible_connection"] == "ssh"
    assert variables["ansible_user"] == "admin"
    result = run_module(node, ENABLE, **spec)
    assert result["changed"] is False, result
    # Listing images requires root.
    images = run_module(node, "cruntime.node.cruntime_info", gather_subset=["images"])
    assert IMAGE in json.dumps(images)


@pytest.mark.long
def test_pod_is_paused_and_unpaused_and_can_be_killed_while_paused(node, crictl, call):
    dump = node.check_output("containerd config dump")
    assert "restrict_oom_score_adj = false" in dump
    node.check_output(f"ctr --namespace k8s.io images import {ARCHIVES}/pause.tar")
    pod = run_pod(node, crictl, CONTAINER)
    start_container(crictl, pod)
    which = {"name": "container"}

    def turn(state):
        (result,) = call(["cruntime_containers", {**which, "state": state}])
        assert result["changed"] is True, result
        (container,) = result["containers"]
        return str(container["pid"])

    # The sandbox lowered its OOM score, which requires the capability.
    sandbox = str(json.loads(crictl(f"inspectp {pod}"))["info"]["pid"])
    assert int(node.check_output("cat /proc/%s/oom_score_adj", sandbox)) < 0
    pid = turn("paused")
    (cgroup,) = node.check_output("cut -d: -f3 /proc/%s/cgroup", pid).split()
    assert cgroup.startswith("/kubepods.slice/")
    assert cgroup.endswith(".scope")
    frozen = f"grep frozen /sys/fs/cgroup{cgroup}/cgroup.events"
    assert node.check_output(frozen) == "frozen 1"
    assert turn("running") == pid
    assert node.check_output(frozen) == "frozen 0"
    assert turn("paused") == pid
    # With cgroup v1, a frozen process cannot be killed.
    node.check_output("kill -KILL %s", pid)
    node.check_output("timeout 20 sh -c 'while test -e /proc/%s; do sleep 1; done'", pid)
    (gone,) = call(["cruntime_containers", {**which, "state": "absent", "sandboxes": True}])
    assert gone["changed"] is True, gone


@pytest.mark.long
@pytest.mark.parametrize("moment", CUTS)
def test_power_cut_leaves_whole_files_and_the_next_run_converges(
    node, spec, cut_power, call, moment
):
    name, step = CUTS[moment]
    options = node_options(spec, runtime=name)
    left = cut_power(options, step)
    assert left["torn"] == []
    # The synced file was kept, and the power was really cut.
    assert (RUNTIMES[name].config in left["new"]) is not step.startswith("after write_new")
    assert left["kept"] == []
    healed, again = call(*[["cruntime_enable", options]] * 2)
    assert healed.get("changed") is True, healed
    assert again.get("changed") is False, again
    assert node.service(RUNTIMES[name].service).is_running
    assert not any(node.service(unit).is_running for unit in RUNTIMES[name].foreign)
    assert node.run("ls -A /etc/*/.*.cruntime /etc/.*.cruntime").stdout == ""


def test_nothing_else_in_etc_has_changed(node, spec, run_module):
    """Compare /etc with its state after the first boot. No later test changes anything."""
    before = json.loads((MOLECULE / "etc.json").read_text())
    after = json.loads(node.check_output("/usr/bin/python3 -c %s", ETC_FILES))
    changed = {
        path
        for path in before.keys() | after.keys()
        if before.get(path, [""])[0] != after.get(path, [""])[0]
    }
    specs = [{**spec, "runtime": name} for name in ("containerd", "docker")]
    results = [run_module(node, ENABLE, check=True, **each) for each in specs]
    managed = {file["path"] for result in results for file in result["files"]}
    others = changed - managed - OF_THE_ROLE - OF_UNITS
    assert [path for path in others if not OF_SCRIPTS.fullmatch(path)] == []
    assert changed >= {"/etc/containerd/config.toml", "/etc/crictl.yaml", *OF_THE_ROLE}
