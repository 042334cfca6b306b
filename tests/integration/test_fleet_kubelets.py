"""The switch of a node points its kubelet at the new runtime, in the files of each installer."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from conftest import NODES, Spare

pytestmark = [pytest.mark.scenario("fleet"), pytest.mark.xdist_group("kubelets")]

KUBELET = "cruntime.node.cruntime_kubelet"
HOOK = NODES.parents[1] / "extensions" / "molecule" / "fleet" / "tasks" / "hook.yml"
OLD, NEW = "unix:///var/run/cri-dockerd.sock", "unix:///run/containerd/containerd.sock"
FLAG = "--container-runtime-endpoint"
FLAGS, CONFIG = "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/config.yaml"
UNIT, DROP_INS = "/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d"
KUBEADM, DROP_IN = f"{DROP_INS}/10-kubeadm.conf", f"{DROP_INS}/20-cri.conf"
HOOKS, MARKER = "/var/lib/kubelet/hooks", "/var/lib/cruntime-switch.json"
COMMENT = f"# KUBELET_EXTRA_ARGS={FLAG}={OLD}\n"
DOCKER = {"runtime": "docker", "cgroup_driver": "cgroupfs"}
CONTAINERD = {"runtime": "containerd", "cgroup_driver": "systemd"}
WRAPPER = "/usr/local/bin/start-kubelet"
#: The file of a unit whose kubelet is started by a script.
WRAPPED = f"""[Service]
ExecStart=
ExecStart={WRAPPER} $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
"""
FAILURE = """
- name: Fail on the new runtime
  ansible.builtin.command:
    argv: [grep, --invert-match, containerd.sock, /run/kubelet.flags]
"""


def extra(endpoint):
    """Return a drop-in whose flag is the last one."""
    return f'[Service]\n{COMMENT}Environment="KUBELET_EXTRA_ARGS={FLAG}={endpoint} --v=2"\n'


class Node(Spare):
    """A node with Docker and a stand-in for the kubelet."""

    def install(self, **spec):
        """Install the files of kubeadm, and start the kubelet."""
        result = self.enable(**{**spec, "running_containers": "stop"})
        assert "failed" not in result, result["msg"]
        self.sh(f"systemctl stop kubelet; rm -rf {DROP_INS} /var/lib/kubelet {HOOKS}")
        self.sh(f"rm -rf /etc/kubernetes /etc/default/kubelet; mkdir -p {DROP_INS}")
        self.sh("mkdir -p /var/lib/kubelet")
        for path in (UNIT, KUBEADM, FLAGS, CONFIG, "/usr/bin/kubelet"):
            source = NODES / "kubelet" / pathlib.Path(path).name
            command = ["docker", "cp", "--quiet", source, f"{self.name}:{path}"]
            subprocess.run(command, check=True)

    def start(self):
        self.sh("systemctl daemon-reload && systemctl restart kubelet")

    def switch(self, *flags, spec=None, **variables):
        """Run the playbook; return its exit status and its output."""
        hooks = {"switch_drain_tasks": str(HOOK), "switch_uncordon_tasks": str(HOOK)}
        more = {"switch_install": False, "ansible_pipelining": True}
        variables = {"switch_spec": spec or CONTAINERD, **more, **hooks, **variables}
        status, output = self.play("cruntime.node.switch", *flags, **variables)
        return status, " ".join(output.split())

    def endpoints(self):
        """Return the CRI endpoints in the command line of the running kubelet, in order."""
        argv = self.sh(f"tr '\\0' '\\n' </proc/{self.process_of('kubelet.service')}/cmdline")
        return [word.partition("=")[2] for word in argv.split() if word.startswith(FLAG)]

    def state(self):
        """Return the files of the kubelet with their status, and the processes."""
        find = f"find {UNIT} {DROP_INS} /var/lib/kubelet -type f ! -path {HOOKS} | sort"
        files = self.sh(f"cat $({find}); stat -c '%n %a %U' $({find})")
        return files, self.sh("systemctl show -P MainPID kubelet docker containerd")

    def check_rolled_back(self, before, output):
        """Check that the node runs Docker with the same files of the kubelet as before."""
        assert "FAILED, rolled back to docker" in output
        assert self.state()[0] == before[0]
        assert self.sh("systemctl is-active docker kubelet").split() == ["active"] * 2
        assert self.sh("systemctl is-enabled docker").strip() == "enabled"
        assert self.endpoints()[-1] == OLD
        self.sh(f"test ! -e {MARKER}")


@pytest.fixture(scope="module")
def started(start_nodes):
    return Node(*start_nodes("trixie"))


@pytest.fixture
def node(started):
    """Return the node with Docker and the files of kubeadm. The kubelet is not started yet."""
    started.install(**DOCKER)
    return started


def test_the_last_flag_is_in_a_drop_in_next_to_the_flags_of_kubeadm(node):
    node.write(DROP_IN, extra(OLD))
    node.sh(f"chmod 600 {FLAGS}; chown daemon {DROP_IN}")
    node.start()
    assert node.endpoints() == [OLD, OLD]
    status, output = node.switch()
    assert status == 0, output[-3000:]
    assert node.endpoints() == [NEW, NEW]
    # The comment is the same, and so are the modes and the owners.
    assert node.sh(f"cat {DROP_IN}") == extra(NEW)
    status = node.sh(f"stat -c '%a %U' {FLAGS} {DROP_IN}").splitlines()
    assert status == ["600 root", "644 daemon"]
    assert node.sh(f"cat {HOOKS}").splitlines() == ["kubelet active"] * 2
    process = node.process_of("kubelet.service")
    result = node.run(KUBELET, endpoint=NEW, cgroup_driver="systemd")
    assert (result["changed"], result["changed_files"]) == (False, [])
    assert result["after"] == {"endpoint": NEW, "image_endpoint": None, "cgroup_driver": "systemd"}
    assert node.process_of("kubelet.service") == process


@pytest.mark.long
def test_files_of_kubespray_are_changed_and_a_comment_is_not(node):
    config = "/etc/kubernetes/kubelet-config.yaml"
    text = f"cgroupDriver: cgroupfs\ncontainerRuntimeEndpoint: {OLD}\nmaxPods: 110\n"
    node.sh(f"rm {KUBEADM} {FLAGS} {CONFIG}")
    node.write("/etc/default/kubelet", COMMENT)
    node.write("/etc/kubernetes/kubelet.env", f'KUBELET_ARGS="--config={config} \\\n--v=2 "\n')
    node.write(config, text)
    node.write(
        UNIT,
        "[Service]\nEnvironmentFile=-/etc/kubernetes/kubelet.env\n"
        "EnvironmentFile=-/etc/default/kubelet\nExecStart=/usr/bin/kubelet \\\n\t\t$KUBELET_ARGS\n",
    )
    node.start()
    before = node.state()
    status, output = node.switch("--check", "--diff")
    assert status == 0, output[-3000:]
    assert f"+containerRuntimeEndpoint: {NEW}" in output
    assert node.state() == before
    status, output = node.switch()
    assert status == 0, output[-3000:]
    assert node.sh(f"cat {config}") == text.replace(OLD, NEW).replace("cgroupfs", "systemd")
    assert node.sh("cat /etc/default/kubelet") == COMMENT


@pytest.mark.parametrize("mode", ["--check", "--diff"])
def test_docker_without_cri_dockerd_is_refused_before_the_drain(started, mode):
    started.install(**CONTAINERD)
    started.sh(f"sed -i s,{OLD},{NEW}, {FLAGS} {CONFIG}")
    started.start()
    before = started.state()
    for spec, cause in (
        (DOCKER, "docker has no CRI endpoint for the kubelet of the node. Install cri-dockerd"),
        ({**DOCKER, "kubernetes_version": "1.34.2"}, "cri-dockerd is not installed on this node"),
    ):
        status, output = started.switch(mode, spec=spec)
        assert status != 0
        assert cause in output
        assert "FAILED, unchanged" in output
        assert started.state() == before


@pytest.mark.parametrize(
    ("reaction", "cause"),
    [
        (f"exec /usr/bin/kubelet {FLAG}={OLD}", f"does not use {NEW} after its start"),
        ("sleep 1; exit 1", "does not keep running"),
    ],
    ids=["another socket", "it ends"],
)
def test_a_kubelet_that_does_not_take_the_endpoint_is_rolled_back(node, reaction, cause):
    wrap = f'case "$*" in *containerd.sock*) {reaction};; esac\nexec /usr/bin/kubelet "$@"'
    node.write(WRAPPER, f"#!/bin/sh\n{wrap}\n")
    node.write(DROP_IN, WRAPPED)
    node.sh(f"chmod +x {WRAPPER}")
    node.start()
    before = node.state()
    status, output = node.switch()
    assert status != 0
    assert cause in output
    node.check_rolled_back(before, output)
    assert node.sh(f"cat {HOOKS}").splitlines() == ["kubelet active"] * 2


@pytest.mark.long
def test_files_are_restored_if_a_later_step_fails(node, tmp_path):
    (tmp_path / "uncordon.yml").write_text(FAILURE)
    node.write(DROP_IN, extra(OLD))
    node.start()
    before = node.state()
    status, output = node.switch(switch_uncordon_tasks=str(tmp_path / "uncordon.yml"))
    assert status != 0
    node.check_rolled_back(before, output)


@pytest.mark.long
def test_an_endpoint_of_a_wrapper_script_is_refused_before_the_drain(node):
    node.write(WRAPPER, f'#!/bin/sh\nexec /usr/bin/kubelet "$@" {FLAG}={OLD}\n')
    node.write(DROP_IN, WRAPPED)
    node.sh(f"chmod +x {WRAPPER}")
    node.start()
    before = node.state()
    for mode in ("--check", "--diff"):
        status, output = node.switch(mode)
        assert status != 0
        assert f"{WRAPPER}: could not change {FLAG}" in output
        assert node.state() == before
    result = node.run(KUBELET, check=True, endpoint=NEW)
    assert (result["failed"], result["reason"]) == (True, "kubelet_not_editable")
    # The same command without a flag in the files of the unit.
    node.sh(f"sed -i 's/ $KUBELET_KUBEADM_ARGS//' {DROP_IN}; sed -i /Endpoint/d {CONFIG}")
    node.start()
    result = node.run(KUBELET, endpoint=NEW)
    assert (result["failed"], result["reason"]) == (True, "kubelet_endpoint_not_found")
    assert WRAPPER in result["msg"]
    assert CONFIG in result["msg"]


@pytest.mark.long
def test_an_endpoint_without_a_cri_changes_nothing(node):
    node.start()
    before = node.state()
    result = node.run(KUBELET, endpoint="unix:///run/none.sock", timeout=1)
    assert (result["failed"], result["reason"]) == (True, "no_response")
    assert node.state() == before


@pytest.mark.long
def test_a_killed_run_is_completed_by_the_next_one(node):
    node.enable(**CONTAINERD)
    node.start()
    # The files were written, and the kubelet was not restarted.
    node.sh(f"sleep 1; sed -i s,{OLD},{NEW}, {FLAGS} {CONFIG}; systemctl stop kubelet")
    assert node.run(KUBELET, check=True, endpoint=NEW)["changed"] is True
    result = node.run(KUBELET, endpoint=NEW)
    assert (result["changed"], result["changed_files"]) == (True, [])
    assert node.endpoints() == [NEW]
    # This setting is only in the configuration file, which has changed since the start.
    node.sh(f"sleep 1; sed -i s/cgroupfs/systemd/ {CONFIG}")
    assert node.run(KUBELET, endpoint=NEW, cgroup_driver="systemd")["changed"] is True
    assert node.run(KUBELET, endpoint=NEW, cgroup_driver="systemd")["changed"] is False
    node.sh("systemctl stop kubelet; rm -r /etc/systemd/system/kubelet.service*")
    node.sh("systemctl daemon-reload")
    result = node.run(KUBELET, endpoint=NEW)
    assert (result["failed"], result["reason"]) == (True, "kubelet_not_found")
