"""A fleet with Docker is moved to containerd; one node fails, and holds up those behind it."""

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
# It reads well, and containerd does not start with it.
BROKEN_TEXT = """version = 2
[grpc]
address = "/proc/none/containerd.sock"
"""
KILLER = "/etc/systemd/system/containerd.service.d/99-killer.conf"
# The module is the only Python on the node, and it waits for the start of containerd.
KILLER_TEXT = """[Service]
ExecStartPre=-/usr/bin/pkill -KILL python3
"""
REFUSAL = "/etc/systemd/system/kubelet.service.d/99-refusal.conf"
REFUSAL_TEXT = """[Service]
ExecStartPre=/bin/sh -c "! grep containerd.sock /var/lib/kubelet/kubeadm-flags.env"
"""
# Stand-ins for cri-dockerd's units, for no Debian has it: they tell whether those come back, and
# nothing listens behind the socket. Where a package has them, so that they can be masked.
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
ADAPTERS_STATE = (
    "systemctl show --property=ActiveState,UnitFileState cri-docker.socket cri-docker.service"
)
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

    def run(*flags, **variables):
        variables = {"cruntime_canary": True, "cruntime_batch": 2, **variables}
        return switching.switch(inventory, *flags, **variables)

    return run


@pytest.fixture(scope="module")
def image(fleet, registry):
    """An image that every node pulled from a registry, and runs by the name of app."""
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
    """The node that fails has stand-ins for cri-dockerd's units; only the socket is enabled."""
    _canary, broken, *_behind = fleet
    for path, text in ADAPTERS.items():
        fleet[broken].check_output(f"printf %%s %s >{path}", text)
    fleet[broken].check_output("systemctl daemon-reload && systemctl enable cri-docker.socket")
    fleet[broken].check_output("systemctl start cri-docker.socket cri-docker.service")
    return fleet[broken].check_output(ADAPTERS_STATE)


@pytest.fixture(scope="module")
def pulls(registry_node):
    """A function that tells which requests for images the registry has had."""

    def read():
        log = registry_node("journalctl", "--unit", "registry-5000", "--output", "cat")
        return re.findall(r'"GET (/v2/library/\S+) HTTP', log)

    return read


@pytest.fixture
def cluster(tmp_path):
    """A function that serves a cluster with one node, and tells the variables that lead to it."""

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
    """The runtimes whose services run, of the two, and the endpoints that the kubelet was given."""
    flags = node.file("/run/kubelet.flags").content_string.split()
    endpoints = [flag.partition("=")[2] for flag in flags if "endpoint" in flag]
    return switching.booted(node), endpoints


def docker_images(node):
    """The IDs of Docker's images, by name."""
    row = "{{.Repository}}:{{.Tag}} {{.ID}}"
    listed = node.check_output(f"docker images --no-trunc --format '{row}'")
    return dict(line.split() for line in listed.splitlines())


def containerd_images(node):
    """The IDs of the images of containerd's CRI, by name."""
    listed = json.loads(node.check_output("crictl --timeout 10s images --output json"))
    return {tag: image["id"] for image in listed["images"] for tag in image["repoTags"]}


def hooks(node):
    return node.file(HOOKS).content_string.splitlines() if node.file(HOOKS).exists else []


def kubelet_files(node):
    return node.check_output(f"cat {FLAGS} {CONFIG}; stat -c '%a %U' {FLAGS} {CONFIG}")


def leave_half_way(node, adapters=""):
    """Leave a node as a run does that is killed once the runtime is switched."""
    old = {"runtime": "docker", "version": "1", "cordoned": False, "annotation": OLD}
    old["files"] = {path: node.file(path).content_string for path in (FLAGS, CONFIG)}
    # Not by echo, to which a backslash means something.
    node.check_output(f"printf %%s %s >{MARKER}", json.dumps({**old, "adapters": adapters}))
    units = ["docker.service", "docker.socket"]
    units += ["cri-docker.service", "cri-docker.socket"] if adapters else []
    node.check_output(f"systemctl stop kubelet && systemctl disable --now {' '.join(units)}")
    node.check_output(f"systemctl mask {' '.join(units[::2])}")


def check_is_back(name, node, words):
    """It is on Docker, and was told so."""
    assert "FAILED, rolled back to docker" in table(words)[name]
    assert runs(node) == ON_DOCKER
    assert node.service("docker").is_running
    assert node.service("kubelet").is_running
    assert not node.file(MARKER).exists


@pytest.mark.long
def test_fleet_with_an_unreachable_node_is_not_touched(fleet, switch, tmp_path):
    ghost = tmp_path / "ghost.json"
    ghost.write_text(json.dumps({"all": {"hosts": {"ghost": switching.GHOST}}}))
    status, stats, words = switch("--inventory", str(ghost))
    assert status != 0
    assert "Stopping before the next batch" in words
    assert "are unreachable: ghost." in words
    assert "FAILED or UNREACHABLE, unchanged" in table(words)["ghost"]
    assert all("not started, unchanged" in table(words)[name] for name in fleet)
    assert not any(stats[name]["changed"] for name in fleet)


@pytest.mark.long
def test_fleet_with_a_wrong_kubeconfig_is_not_touched(fleet, switch, tmp_path):
    status, stats, words = switch(switch_kubeconfig=str(tmp_path / "kubeconfig"))
    assert status != 0
    assert f"with the kubeconfig {tmp_path}/kubeconfig" in words
    assert "no such file or directory" in words
    assert not any(stats[name]["changed"] for name in fleet)


@pytest.mark.long
def test_fleet_check_mode_shows_the_plan_and_does_nothing(fleet, switch, image):
    status, stats, words = switch("--check", "--diff")
    assert status == 0, words[-3000:]
    assert all(stats[name]["changed"] for name in fleet)
    for name, node in fleet.items():
        assert "would switch to containerd" in table(words)[name]
        assert runs(node) == ON_DOCKER
        assert not node.file(MARKER).exists
        assert hooks(node) == []
    # Of the runtime's file, and of the kubelet's.
    assert "SystemdCgroup = true" in words
    assert f"containerRuntimeEndpoint: {NEW}" in words


def test_fleet_refuses_to_remove_the_new_runtime(fleet, switch):
    *_others, last = fleet
    status, stats, words = switch("--limit", last, switch_old_packages=["docker.io", "containerd"])
    assert status != 0
    assert "switch_old_packages: containerd must not be removed, because containerd needs" in words
    assert stats[last]["changed"] == 0
    assert runs(fleet[last]) == ON_DOCKER


def test_fleet_stops_at_the_node_that_fails(fleet, switch, image):
    canary, broken, beside, *behind = fleet
    fleet[broken].check_output("mkdir -p /etc/containerd/conf.d")
    fleet[broken].check_output(f"echo %s >{BROKEN}", BROKEN_TEXT)
    before = {name: (docker_images(node), kubelet_files(node)) for name, node in fleet.items()}
    status, stats, words = switch()
    assert status != 0
    assert [name for name in fleet if stats[name]["failures"]] == [broken]
    told = table(words)
    assert "/proc/none" in words
    # The nodes that were switched have the images of Docker, and are done.
    for name in (canary, beside):
        assert runs(fleet[name]) == ON_CONTAINERD
        assert containerd_images(fleet[name]).items() >= before[name][0].items()
        assert not fleet[name].file(MARKER).exists
        assert " containerd " in told[name]
        # The new one was up before the old one went.
        assert told[name].endswith("  0.0")
    # The one that failed is as it was.
    check_is_back(broken, fleet[broken], words)
    assert kubelet_files(fleet[broken]) == before[broken][1]
    assert docker_images(fleet[broken]) == before[broken][0]
    assert "app" in fleet[broken].check_output("docker ps --format {{.Names}}").splitlines()
    # Drained, and taken back.
    assert hooks(fleet[broken]) == ["kubelet active"] * 2
    for name in behind:
        assert "not started" in told[name]
        assert hooks(fleet[name]) == []
        assert runs(fleet[name]) == ON_DOCKER


@pytest.mark.long
def test_fleet_finds_a_broken_file_before_it_drains_a_node(fleet, switch):
    _canary, broken, *_behind = fleet
    drained = hooks(fleet[broken])
    fleet[broken].check_output(f"echo 'no toml' >{BROKEN}")
    status, stats, words = switch("--limit", broken)
    assert status != 0
    assert "99-broken.toml" in words
    assert "FAILED, unchanged" in table(words)[broken]
    assert stats[broken]["changed"] == 0
    assert hooks(fleet[broken]) == drained


def test_fleet_takes_a_node_back_whose_module_is_killed(fleet, switch):
    _canary, broken, *_behind = fleet
    node = fleet[broken]
    node.check_output("rm %s", BROKEN)
    node.check_output(f"mkdir -p $(dirname {KILLER}) && echo %s >{KILLER}", KILLER_TEXT)
    node.check_output("systemctl daemon-reload")
    status, _stats, words = switch("--limit", broken)
    node.check_output(f"rm {KILLER} && systemctl daemon-reload")
    assert status != 0
    check_is_back(broken, node, words)
    assert "app" in node.check_output("docker ps --format {{.Names}}").splitlines()


@pytest.mark.long
@pytest.mark.parametrize("died", [False, True], ids=["at once", "after a run that died"])
def test_fleet_takes_a_node_back_whose_kubelet_does_not_start(fleet, switch, adapter, died):
    _canary, broken, *_behind = fleet
    node = fleet[broken]
    before = kubelet_files(node)
    if died:
        leave_half_way(node, adapter)
    # The runtime is switched by then, and kubeadm's files are written.
    node.check_output(f"echo %s >{REFUSAL}", REFUSAL_TEXT)
    node.check_output("systemctl daemon-reload")
    status, _stats, words = switch("--limit", broken)
    node.check_output(f"rm {REFUSAL} && systemctl daemon-reload")
    assert status != 0
    check_is_back(broken, node, words)
    assert kubelet_files(node) == before
    # The kubelet drives Docker by it.
    assert node.check_output(ADAPTERS_STATE) == adapter


@pytest.mark.long
def test_fleet_leaves_a_node_whose_drain_is_refused(fleet, switch, cluster):
    _canary, broken, *_behind = fleet
    started = fleet[broken].check_output("systemctl show --property=MainPID docker kubelet")
    with cluster(broken, protected=("web",)) as (refused, variables):
        status, _stats, words = switch("--limit", broken, **variables)
    assert status != 0
    assert "disruption budget" in words
    check_is_back(broken, fleet[broken], words)
    assert fleet[broken].check_output("systemctl show --property=MainPID docker kubelet") == started
    assert not refused.cordoned
    assert refused.socket == OLD


@pytest.mark.long
def test_fleet_takes_up_a_node_on_which_a_run_died(fleet, switch, cluster):
    _canary, broken, *_behind = fleet
    died = fleet[broken]
    leave_half_way(died)
    with cluster(broken) as (well, variables):
        status, _stats, words = switch("--limit", broken, **variables)
    assert status == 0, words[-3000:]
    assert "resumes an interrupted run" in words
    assert runs(died) == ON_CONTAINERD
    assert died.service("kubelet").is_running
    assert list(well.pods) == ["log"]
    assert not well.cordoned
    assert well.socket == NEW


def test_fleet_goes_on_where_it_stopped(fleet, switch, image, pulls):
    _first, second, *_between, last = fleet
    switched = [name for name, node in fleet.items() if runs(node) == ON_CONTAINERD]
    started = {name: fleet[name].check_output(PROCESSES) for name in switched}
    pulled = pulls()
    # It can't tell how long it was without a runtime.
    mute = "/usr/local/bin/journalctl"
    fleet[last].check_output(f"ln -s /bin/false {mute}")
    status, stats, words = switch(switch_old_packages=["docker.io", "docker-cli"])
    fleet[last].check_output(f"rm {mute}")
    assert status == 0, words[-3000:]
    assert table(words)[last].endswith("  -")
    assert stats[last]["rescued"] == 0
    for name in switched:
        assert stats[name]["changed"] == 0
        assert "unchanged" in table(words)[name]
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
    # Removed on request, once the new runtime worked.
    assert not fleet[last].exists("dockerd")
    assert fleet[last].file("/var/lib/docker").listdir() == []
    # Every node has the image, may run it, and asked no registry for it.
    for name, node in fleet.items():
        if name != second:
            run = f"ctr --namespace k8s.io run --rm {image} carried echo hello"
            assert node.check_output(run) == "hello"
    assert pulls() == pulled
    assert any("/library/mirrored/" in path for path in pulled)


@pytest.mark.long
def test_fleet_with_a_node_that_runs_nothing(fleet, switch):
    name, node = next(iter(fleet.items()))
    node.check_output("systemctl stop containerd")
    try:
        status, stats, words = switch("--limit", name)
    finally:
        node.check_output("systemctl start containerd")
    assert status != 0
    assert stats[name]["changed"] == 0
    assert "No container runtime is running on this node" in words
