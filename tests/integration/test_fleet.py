"""A fleet with Docker is switched to containerd. One node fails, and stops the rollout."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess

import pytest
import testinfra

from ansible_collections.cruntime.node.tests.integration import switching
from ansible_collections.cruntime.node.tests.integration.switching import MARKER, table
from ansible_collections.cruntime.node.tests.nodes.cluster import api_server

pytestmark = [pytest.mark.scenario("fleet"), pytest.mark.xdist_group("fleet")]

HOOKS = "/var/lib/kubelet/hooks"
FLAGS, CONFIG = "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/config.yaml"
BROKEN = "/etc/containerd/conf.d/99-broken.toml"
# The file is valid TOML, but containerd does not start with it.
BROKEN_TEXT = """version = 2
[grpc]
address = "/proc/none/containerd.sock"
"""
KILLER = "/etc/systemd/system/containerd.service.d/99-killer.conf"
# No other Python than the module's runs on the node. The module waits for the start of containerd.
KILLER_TEXT = """[Service]
ExecStartPre=-/usr/bin/pkill -KILL python3
"""
REFUSAL = "/etc/systemd/system/kubelet.service.d/99-refusal.conf"
REFUSAL_TEXT = """[Service]
ExecStartPre=/bin/sh -c "! grep containerd.sock /var/lib/kubelet/kubeadm-flags.env"
"""
# Stand-ins for the units of cri-dockerd, which Debian does not have. They show if the units are
# restored. Nothing listens behind the socket. The paths are those of packaged units, so the units
# can be masked.
ADAPTERS = {
    "/usr/lib/systemd/system/cri-docker.socket": """[Unit]
PartOf=cri-docker.service
[Socket]
ListenStream=/run/cri-dockerd.sock
[Install]
WantedBy=sockets.target
""",
    "/usr/lib/systemd/system/cri-docker.service": """[Unit]
After=docker.service
Requires=cri-docker.socket
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
""",
}
ADAPTER_UNITS = ("cri-docker.socket", "cri-docker.service")
ADAPTERS_STATE = f"systemctl show --property=ActiveState,UnitFileState {' '.join(ADAPTER_UNITS)}"
PROPERTIES = "LoadState,ActiveState,UnitFileState"
PROCESSES = "systemctl show --property=MainPID containerd kubelet"
OLD, NEW = "unix:///var/run/cri-dockerd.sock", "unix:///run/containerd/containerd.sock"
ON_DOCKER = (["docker"], [OLD])
ON_CONTAINERD = (["containerd"], [NEW])
CERTIFICATE = "/etc/docker/certs.d/{}:5000/ca.crt"


@pytest.fixture(scope="module")
def inventory(request):
    return request.config.getoption("ansible_inventory")


@pytest.fixture(scope="module")
def fleet(inventory):
    """Return the nodes by name, in the order of the play."""
    listed = subprocess.check_output(["ansible-inventory", "--inventory", inventory, "--list"])
    names = json.loads(listed)["_meta"]["hostvars"]
    return {
        name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory)
        for name in sorted(names)
    }


@pytest.fixture(scope="module")
def switch(inventory):
    """Return a function that runs the playbook, and returns its status, statistics and output."""

    def run(*flags, **variables):
        variables = {"cruntime_canary": True, "cruntime_batch": 2, **variables}
        return switching.switch(inventory, *flags, **variables)

    return run


@pytest.fixture(scope="module")
def image(fleet, registry):
    """Return an image that every node has pulled and runs in a container named app."""
    address, certificate = registry
    name = f"{address}:5000/library/mirrored:1"
    path = CERTIFICATE.format(address)
    for node in fleet.values():
        node.check_output(f"mkdir -p $(dirname {path}) && echo %s >{path}", certificate)
        node.check_output(f"docker pull {name}")
        node.check_output(f"docker run --detach --name app {name} sleep 86400")
    return name


@pytest.fixture(scope="module")
def adapter(fleet):
    """Install stand-ins for cri-dockerd on the node that fails, with only the socket enabled."""
    _canary, broken, *_behind = fleet
    for path, text in ADAPTERS.items():
        fleet[broken].check_output(f"printf %%s %s >{path}", text)
    fleet[broken].check_output("systemctl daemon-reload && systemctl enable cri-docker.socket")
    fleet[broken].check_output("systemctl start cri-docker.socket cri-docker.service")
    return fleet[broken].check_output(ADAPTERS_STATE)


@pytest.fixture(scope="module")
def pulls(registry_node):
    """Return a function that returns the image requests that the registry received."""

    def read():
        log = registry_node("journalctl", "--unit", "registry-5000", "--output", "cat")
        return re.findall(r'"GET (/v2/library/\S+) HTTP', log)

    return read


@pytest.fixture
def cluster(tmp_path):
    """Return a function that serves a cluster with one node, and yields the role's variables."""

    @contextlib.contextmanager
    def serve(name, **state):
        with api_server.served(api_server.Cluster(name, socket=OLD, **state)) as served:
            variables = {
                "switch_kubeconfig": served.kubeconfig(tmp_path / "kubeconfig"),
                "switch_drain_flags": ["--ignore-daemonsets", "--timeout=3s"],
                "switch_drain_tasks": "",
                "switch_uncordon_tasks": "",
            }
            yield served, variables

    return serve


def runs(node):
    """Return which of the two runtimes run, and the CRI endpoints in the kubelet configuration."""
    flags = node.file("/run/kubelet.flags").content_string.split()
    endpoints = [flag.partition("=")[2] for flag in flags if "endpoint" in flag]
    return switching.runtimes_at_boot(node), endpoints


def docker_images(node):
    """Return the IDs of Docker's images, by name."""
    row = "{{.Repository}}:{{.Tag}} {{.ID}}"
    listed = node.check_output(f"docker images --no-trunc --format '{row}'")
    return dict(line.split() for line in listed.splitlines())


def containerd_images(node):
    """Return the IDs of the images in containerd's CRI, by name."""
    listed = json.loads(node.check_output("crictl --timeout 10s images --output json"))
    return {tag: image["id"] for image in listed["images"] for tag in image["repoTags"]}


def hooks(node):
    return node.file(HOOKS).content_string.splitlines() if node.file(HOOKS).exists else []


def kubelet_files(node):
    return node.check_output(f"cat {FLAGS} {CONFIG}; stat -c '%a %U' {FLAGS} {CONFIG}")


def saved_units(node):
    """Return the states of the units as cruntime_info does."""
    listed = []
    for name in ("containerd.service", "docker.service", "docker.socket", *ADAPTER_UNITS):
        shown = node.check_output(f"systemctl show --property={PROPERTIES} {name}").splitlines()
        loaded, active, enabled = (line.partition("=")[2] for line in shown)
        if loaded == "loaded":
            state = {"active": active == "active", "enabled": enabled == "enabled"}
            listed.append({"name": name, **state, "masked": False})
    return listed


def interrupt_switch(node):
    """Leave the node in the state of a run that was killed after the switch of the runtime."""
    old = {"runtime": "docker", "version": "1", "cordoned": False, "annotation": OLD}
    old["files"] = {path: node.file(path).content_string for path in (FLAGS, CONFIG)}
    old["units"] = saved_units(node)
    # Do not use echo, which interprets backslashes.
    node.check_output(f"printf %%s %s >{MARKER}", json.dumps(old))
    units = [each["name"] for each in old["units"] if not each["name"].startswith("containerd")]
    services = [name for name in units if name.endswith(".service")]
    node.check_output(f"systemctl stop kubelet && systemctl disable --now {' '.join(units)}")
    node.check_output(f"systemctl mask {' '.join(services)}")


def check_rolled_back(name, node, output):
    """Check that the node runs Docker again, and that the table reports it."""
    assert "FAILED, rolled back to docker" in table(output)[name]
    assert runs(node) == ON_DOCKER
    assert node.service("docker").is_running
    assert node.service("kubelet").is_running
    assert not node.file(MARKER).exists


@pytest.mark.long
def test_unreachable_node_stops_the_switch_of_the_fleet(fleet, switch, tmp_path):
    ghost = tmp_path / "ghost.json"
    ghost.write_text(json.dumps({"all": {"hosts": {"ghost": switching.GHOST}}}))
    status, stats, output = switch("--inventory", str(ghost))
    assert status != 0
    assert "Stopping before the next batch" in output
    assert "are unreachable: ghost." in output
    assert "FAILED or UNREACHABLE, unchanged" in table(output)["ghost"]
    assert all("not started, unchanged" in table(output)[name] for name in fleet)
    assert not any(stats[name]["changed"] for name in fleet)


@pytest.mark.long
def test_wrong_kubeconfig_stops_the_switch_of_the_fleet(fleet, switch, tmp_path):
    status, stats, output = switch(switch_kubeconfig=str(tmp_path / "kubeconfig"))
    assert status != 0
    assert f"with the kubeconfig {tmp_path}/kubeconfig" in output
    assert "no such file or directory" in output
    assert not any(stats[name]["changed"] for name in fleet)


@pytest.mark.long
def test_check_mode_shows_the_plan_and_changes_nothing(fleet, switch, image):
    status, stats, output = switch("--check", "--diff")
    assert status == 0, output[-3000:]
    assert all(stats[name]["changed"] for name in fleet)
    for name, node in fleet.items():
        assert "would switch to containerd" in table(output)[name]
        assert runs(node) == ON_DOCKER
        assert not node.file(MARKER).exists
        assert hooks(node) == []
    # Differences in the files of the runtime and of the kubelet.
    assert "SystemdCgroup = true" in output
    assert f"containerRuntimeEndpoint: {NEW}" in output


def test_switch_does_not_remove_the_new_runtime(fleet, switch):
    *_others, last = fleet
    status, stats, output = switch("--limit", last, switch_old_packages=["docker.io", "containerd"])
    assert status != 0
    assert "switch_old_packages: containerd must not be removed, because containerd needs" in output
    assert stats[last]["changed"] == 0
    assert runs(fleet[last]) == ON_DOCKER


def test_failed_node_is_rolled_back_and_stops_the_rollout(fleet, switch, image):
    canary, broken, healthy, *behind = fleet
    fleet[broken].check_output("mkdir -p /etc/containerd/conf.d")
    fleet[broken].check_output(f"echo %s >{BROKEN}", BROKEN_TEXT)
    before = {name: (docker_images(node), kubelet_files(node)) for name, node in fleet.items()}
    status, stats, output = switch()
    assert status != 0
    assert [name for name in fleet if stats[name]["failures"]] == [broken]
    rows = table(output)
    assert "/proc/none" in output
    # The switched nodes have the images of Docker.
    for name in (canary, healthy):
        assert runs(fleet[name]) == ON_CONTAINERD
        assert containerd_images(fleet[name]).items() >= before[name][0].items()
        assert not fleet[name].file(MARKER).exists
        assert " containerd " in rows[name]
        # The new runtime was started before the old one was stopped.
        assert rows[name].endswith("  0.0")
    # The failed node was rolled back.
    check_rolled_back(broken, fleet[broken], output)
    assert kubelet_files(fleet[broken]) == before[broken][1]
    assert docker_images(fleet[broken]) == before[broken][0]
    assert "app" in fleet[broken].check_output("docker ps --format {{.Names}}").splitlines()
    # The node was drained, and uncordoned.
    assert hooks(fleet[broken]) == ["kubelet active"] * 2
    for name in behind:
        assert "not started" in rows[name]
        assert hooks(fleet[name]) == []
        assert runs(fleet[name]) == ON_DOCKER


@pytest.mark.long
def test_invalid_configuration_is_found_before_the_drain(fleet, switch):
    _canary, broken, *_behind = fleet
    drained = hooks(fleet[broken])
    fleet[broken].check_output(f"echo 'no toml' >{BROKEN}")
    status, stats, output = switch("--limit", broken)
    assert status != 0
    assert "99-broken.toml" in output
    assert "FAILED, unchanged" in table(output)[broken]
    assert stats[broken]["changed"] == 0
    assert hooks(fleet[broken]) == drained


def test_killed_module_is_rolled_back(fleet, switch):
    _canary, broken, *_behind = fleet
    node = fleet[broken]
    node.check_output("rm %s", BROKEN)
    node.check_output(f"mkdir -p $(dirname {KILLER}) && echo %s >{KILLER}", KILLER_TEXT)
    node.check_output("systemctl daemon-reload")
    status, _stats, output = switch("--limit", broken)
    node.check_output(f"rm {KILLER} && systemctl daemon-reload")
    assert status != 0
    check_rolled_back(broken, node, output)
    assert "app" in node.check_output("docker ps --format {{.Names}}").splitlines()


@pytest.mark.long
@pytest.mark.parametrize("died", [False, True], ids=["uninterrupted", "after an interrupted run"])
def test_kubelet_that_does_not_start_is_rolled_back(fleet, switch, adapter, died):
    _canary, broken, *_behind = fleet
    node = fleet[broken]
    before = kubelet_files(node)
    if died:
        interrupt_switch(node)
    # When the kubelet fails, the runtime is switched and the files of kubeadm are written.
    node.check_output(f"echo %s >{REFUSAL}", REFUSAL_TEXT)
    node.check_output("systemctl daemon-reload")
    status, _stats, output = switch("--limit", broken)
    node.check_output(f"rm {REFUSAL} && systemctl daemon-reload")
    assert status != 0
    check_rolled_back(broken, node, output)
    assert kubelet_files(node) == before
    # The kubelet uses Docker through cri-dockerd.
    assert node.check_output(ADAPTERS_STATE) == adapter


@pytest.mark.long
def test_node_is_unchanged_if_its_drain_fails(fleet, switch, cluster):
    _canary, broken, *_behind = fleet
    started = fleet[broken].check_output("systemctl show --property=MainPID docker kubelet")
    with cluster(broken, protected=("web",)) as (refused, variables):
        status, _stats, output = switch("--limit", broken, **variables)
    assert status != 0
    assert "disruption budget" in output
    check_rolled_back(broken, fleet[broken], output)
    assert fleet[broken].check_output("systemctl show --property=MainPID docker kubelet") == started
    assert not refused.cordoned
    assert refused.socket == OLD


@pytest.mark.long
def test_switch_resumes_an_interrupted_node(fleet, switch, cluster):
    _canary, broken, *_behind = fleet
    died = fleet[broken]
    interrupt_switch(died)
    with cluster(broken) as (well, variables):
        status, _stats, output = switch("--limit", broken, **variables)
    assert status == 0, output[-3000:]
    assert "resumes an interrupted run" in output
    assert runs(died) == ON_CONTAINERD
    assert died.service("kubelet").is_running
    assert list(well.pods) == ["log"]
    assert not well.cordoned
    assert well.socket == NEW


def test_next_run_continues_with_the_remaining_nodes(fleet, switch, image, pulls):
    _first, second, *_between, last = fleet
    switched = [name for name, node in fleet.items() if runs(node) == ON_CONTAINERD]
    started = {name: fleet[name].check_output(PROCESSES) for name in switched}
    pulled = pulls()
    status, stats, output = switch(switch_old_packages=["docker.io", "docker-cli"])
    assert status == 0, output[-3000:]
    assert table(output)[last].endswith("  0.0")
    assert stats[last]["rescued"] == 0
    for name in switched:
        assert stats[name]["changed"] == 0
        assert "unchanged" in table(output)[name]
        assert fleet[name].check_output(PROCESSES) == started[name]
    for node in fleet.values():
        assert runs(node) == ON_CONTAINERD
        assert node.service("kubelet").is_running
        assert not node.file(MARKER).exists
        assert not node.service("docker").is_running
        config = node.file(CONFIG).content_string
        assert f"containerRuntimeEndpoint: {NEW}\n" in config
        assert "cgroupDriver: systemd\n" in config
        assert config.endswith("rotateCertificates: true\n")
    # The old packages are removed on request, after the new runtime was verified.
    assert not fleet[last].exists("dockerd")
    assert fleet[last].file("/var/lib/docker").listdir() == []
    # Every node has the image, can run it, and did not request it from a registry.
    for name, node in fleet.items():
        if name != second:
            run = f"ctr --namespace k8s.io run --rm {image} carried echo hello"
            assert node.check_output(run) == "hello"
    assert pulls() == pulled
    assert any("/library/mirrored/" in path for path in pulled)


@pytest.mark.long
def test_node_without_a_running_runtime_is_rejected(fleet, switch):
    name, node = next(iter(fleet.items()))
    node.check_output("systemctl stop containerd")
    try:
        status, stats, output = switch("--limit", name)
    finally:
        node.check_output("systemctl start containerd")
    assert status != 0
    assert stats[name]["changed"] == 0
    assert "No container runtime is running on this node" in output
