# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of runtimes is parsed. Some cases come from minikube's tests."""

from __future__ import annotations

import contextlib
import json
import subprocess

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import (
    cri,
    crio_api,
    kubelet_process,
    protobuf,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    containerd as containerd_checks,
)
from ansible_collections.cruntime.node.plugins.module_utils.docker_api import DockerApi
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER, RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import containerd, crio, docker
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    choose,
    load_recorded_sockets,
    runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, needed_by
from ansible_collections.cruntime.node.tests.unit.plugins.cri_replay import Cri
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

PAUSE = "registry.k8s.io/pause:3.10"


@pytest.fixture
def catalog():
    return runtimes(Runner())


@pytest.mark.parametrize(
    ("name", "label", "endpoint"),
    [
        ("containerd", "containerd", "unix:///run/containerd/containerd.sock"),
        ("crio", "CRI-O", "unix:///var/run/crio/crio.sock"),
        ("docker", "Docker", "unix:///var/run/cri-dockerd.sock"),
    ],
)
def test_each_runtime_has_its_name_and_endpoint(catalog, name, label, endpoint):
    runtime = catalog[name]
    assert (runtime.name, runtime.label) == (name, label)
    assert runtime.cri_endpoint == endpoint
    assert runtime.kubelet_options() == {
        "container-runtime-endpoint": endpoint,
        "runtime-cgroups": f"/system.slice/{name}.service",
    }


# Cases of minikube's tests, and output of real nodes; no revision if the line has none.
@pytest.mark.parametrize(
    ("rest", "version"),
    [
        ("v1.2.0 c4446665cb9c30056f4998ed953e6d4ff22c7c39", "1.2.0"),
        ("v1.2.1-rc.0 de1f167ab96338a9f5c2b17347abf84bdf1dd411", "1.2.1-rc.0"),
        ("1.4.4-0ubuntu1 ", "1.4.4-0ubuntu1"),
        ("1.5.2-0ubuntu1~21.04.2 ", "1.5.2-0ubuntu1"),
        ("1.5.4~ds1 1.5.4~ds1-1", "1.5.4"),
        ("1.2.0-01 x", "1.2.0"),
        ("1.6.20~ds1 1.6.20~ds1-1+deb12u3\n", "1.6.20"),
        ("1.7.24~ds1 1.7.24~ds1-6+deb13u1\n", "1.7.24"),
    ],
)
def test_version_of_containerd(rest, version):
    line = f"containerd github.com/containerd/containerd {rest}"
    assert containerd.parse_version(line) == version


def test_version_of_containerd_2():
    line = "containerd github.com/containerd/containerd/v2 2.1.9+unknown \n"
    assert containerd.parse_version(line) == "2.1.9+unknown"


@pytest.mark.parametrize("line", ["", "containerd x 1.2.0", "ctr a 1.2.0 b", "command not found"])
def test_missing_version_of_containerd(line):
    with fails("version_unreadable", "containerd"):
        containerd.parse_version(line)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("Docker version 20.10.24+dfsg1, build 5d6db84\n", "20.10.24+dfsg1"),
        ("Docker version 26.1.5+dfsg1, build 411e817\n", "26.1.5+dfsg1"),
        (
            "Docker version 28.5.2+dfsg4, build 3ef3c07c883be49a2e8097bcf6d2952fce1d70eb\n",
            "28.5.2+dfsg4",
        ),
    ],
)
def test_version_of_docker(line, version):
    assert docker.parse_version(line) == version


def test_missing_version_of_docker():
    with fails("version_unreadable", "dockerd 1"):
        docker.parse_version("dockerd 1\n")


@pytest.mark.parametrize(
    ("name", "version", "reached"),
    [
        ("containerd", "1.6.20", "1.6.0"),
        ("containerd", "1.7.24", "1.7.0"),
        # A release candidate supports the same files as its release.
        ("containerd", "2.0.0-rc.1", "2.0.0"),
        ("containerd", "2.0.5", "2.0.0"),
        ("containerd", "2.1.9+unknown", "2.1.0"),
        ("containerd", "2.4.2", "2.1.0"),
        ("crio", "1.37.0", "1.28.0"),
        ("docker", "20.10.24+dfsg1", "20.10.0"),
        ("docker", "24.0.9", "23.0.0"),
        ("docker", "26.1.5+dfsg1", "25.0.0"),
        ("docker", "29.8.1", "28.0.0"),
    ],
)
def test_the_version_selects_the_rendered_files(name, version, reached):
    assert RUNTIMES[name].find_range(version) == reached


# Cases of minikube's tests.
@pytest.mark.parametrize(
    ("kubernetes", "socket"),
    [
        ("1.20.0", "/var/run/dockershim.sock"),
        ("1.21.3", "/var/run/dockershim.sock"),
        ("1.23.0", "/var/run/dockershim.sock"),
        ("1.24.0-alpha.0", "/var/run/cri-dockerd.sock"),
        ("1.24.0-beta.0", "/var/run/cri-dockerd.sock"),
        ("1.24.6", "/var/run/cri-dockerd.sock"),
        (None, "/var/run/cri-dockerd.sock"),
    ],
)
def test_socket_of_docker(catalog, kubernetes, socket):
    assert catalog["docker"].configured({"kubernetes_version": kubernetes}).socket_path == socket


# Cases of minikube's tests.
@pytest.mark.parametrize(
    ("name", "kubernetes", "options"),
    [
        ("docker", "1.23.0", {"container-runtime": "docker"}),
        (
            "docker",
            "1.24.0",
            {"container-runtime-endpoint": "unix:///var/run/cri-dockerd.sock"},
        ),
        ("crio", "1.25.0", {"container-runtime-endpoint": "unix:///var/run/crio/crio.sock"}),
        (
            "containerd",
            "1.23.0",
            {
                "container-runtime": "remote",
                "container-runtime-endpoint": "unix:///run/containerd/containerd.sock",
            },
        ),
        (
            "containerd",
            "1.24.0",
            {"container-runtime-endpoint": "unix:///run/containerd/containerd.sock"},
        ),
    ],
)
def test_options_of_the_kubelet(catalog, name, kubernetes, options):
    found = catalog[name].kubelet_options(kubernetes)
    cgroups = found.pop("runtime-cgroups", None)
    assert found == options
    # The dockershim finds the cgroup of Docker itself.
    has_shim = options == {"container-runtime": "docker"}
    assert cgroups == (None if has_shim else f"/system.slice/{name}.service")


@pytest.mark.parametrize(
    ("slice_name", "cgroup"),
    [
        ("system.slice", "/system.slice/containerd.service"),
        ("kube-runtimes.slice", "/kube.slice/kube-runtimes.slice/containerd.service"),
        ("-.slice", "/containerd.service"),
    ],
)
def test_the_kubelet_is_told_the_cgroup_of_the_runtime(catalog, slice_name, cgroup):
    units = {name: Unit(name) for runtime in catalog.values() for name in runtime.all_units}
    units["containerd.service"] = Unit("containerd.service", "loaded", slice=slice_name)
    catalog["containerd"].read_units(units)
    assert catalog["containerd"].kubelet_options("1.36.0") == {"runtime-cgroups": cgroup}


@pytest.mark.parametrize(
    ("kubernetes", "gates"),
    [
        ("1.36.0", {"ExtendWebSocketsToKubelet": False}),
        ("v1.37.1", {"ExtendWebSocketsToKubelet": False}),
        # These kubelets do not know the gate, and would not start with it.
        ("1.35.4", None),
        (None, None),
    ],
)
def test_the_kubelet_does_not_use_websockets_with_cri_dockerd(catalog, kubernetes, gates):
    def find(name):
        spec = {"cri_service": name == "docker", "kubernetes_version": kubernetes}
        found = catalog[name].configured(spec).kubelet_config(kubernetes, "systemd", 2)
        return found.get("featureGates")

    assert find("docker") == gates
    assert find("containerd") is find("crio") is None


@pytest.mark.parametrize(
    ("kubernetes", "flags", "fields"),
    [
        (None, {"container-runtime-endpoint"}, {"cgroupDriver", "containerRuntimeEndpoint"}),
        ("v1.26.3", {"container-runtime-endpoint"}, {"cgroupDriver"}),
        ("1.27.0", set(), {"cgroupDriver", "containerRuntimeEndpoint"}),
    ],
)
def test_the_kubelet_gets_flags_or_fields(catalog, kubernetes, flags, fields):
    found = set(catalog["containerd"].kubelet_options(kubernetes))
    assert found == {"runtime-cgroups", *flags}
    assert set(catalog["containerd"].kubelet_config(kubernetes, "systemd", cgroups=1)) == fields


@pytest.mark.parametrize(
    ("kubernetes", "cgroups", "fails"),
    [("1.35.0", 1, False), ("v1.37.1", 1, False), ("1.34.9", 1, None), ("1.35.0", 2, None)],
)
def test_the_kubelet_starts_with_cgroups_v1(catalog, kubernetes, cgroups, fails):
    config = catalog["containerd"].kubelet_config(kubernetes, "systemd", cgroups)
    assert config.get("failCgroupV1") is fails


def test_a_socket_chosen_by_the_operator(catalog):
    chosen = catalog["containerd"].configured({"socket": "/run/c.sock"})
    assert chosen.cri_endpoint == "unix:///run/c.sock"
    # The runtime still listens on its old socket. Without the option, the default is restored.
    assert catalog["containerd"].cri_endpoint == "unix:///run/containerd/containerd.sock"
    assert chosen.configured({}).cri_endpoint == "unix:///run/containerd/containerd.sock"


def test_a_socket_is_read_from_the_managed_files_record(catalog, tmp_path):
    record = ManagedFiles(str(tmp_path))
    record.entries = {
        "/etc/containerd/config.toml": {"runtime": "containerd", "socket": "/run/c.sock"},
        "/etc/crictl.yaml": {"runtime": "containerd", "socket": ""},
    }
    load_recorded_sockets(catalog, record)
    assert catalog["containerd"].socket_path == "/run/c.sock"
    assert catalog["crio"].socket_path == "/var/run/crio/crio.sock"


# Cases of minikube's tests.
def test_cgroup_driver_without_the_options_of_runc():
    config = json.dumps({"systemdCgroup": False})
    assert containerd.parse_settings(config) == {"cgroup_driver": "cgroupfs"}


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_settings_of_a_real_containerd(transcript, version):
    info = transcript(f"containerd-{version}-crictl-info.json")
    config = json.dumps(json.loads(info)["config"])
    # containerd 2.x does not report the sandbox image.
    image = {} if version == "2.1.9" else {"sandbox_image": PAUSE}
    assert containerd.parse_settings(config) == {"cgroup_driver": "systemd", **image}
    other = config.replace('"SystemdCgroup": true', '"SystemdCgroup": false')
    assert containerd.parse_settings(other) == {"cgroup_driver": "cgroupfs", **image}


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_the_cgroup_driver_is_that_of_the_default_handler(transcript, version):
    info = json.loads(transcript(f"containerd-{version}-crictl-info-crun.json"))["config"]
    handlers = info["containerd"]["runtimes"]
    handlers["runc"]["options"] = {"SystemdCgroup": True}
    handlers["crun"]["options"] = {"SystemdCgroup": False, "systemdCgroup": True}
    for default, driver in (("runc", "systemd"), ("crun", "systemd"), ("missing", "cgroupfs")):
        info["containerd"]["defaultRuntimeName"] = default
        found = containerd.parse_settings(json.dumps(info))
        assert found["cgroup_driver"] == driver, default
    info["containerd"]["defaultRuntimeName"] = "crun"
    handlers["crun"]["options"] = {"SystemdCgroup": False}
    assert containerd.parse_settings(json.dumps(info))["cgroup_driver"] == "cgroupfs"


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_sandbox_image_of_a_dumped_configuration(transcript, version):
    dump = transcript(f"containerd-{version}-config-dump.toml")
    assert containerd.parse_dumped_settings(dump) == {"sandbox_image": PAUSE}
    assert containerd.parse_dumped_settings("version = 3\n") == {}


@pytest.fixture
def no_process(monkeypatch):
    """Fail if a process is started, for example to read a file that an administrator broke."""

    def refuse(_self, *argv, **_options):
        pytest.fail(f"a process was started: {argv}")

    for method in ("run", "output", "opened", "started"):
        monkeypatch.setattr(Runner, method, refuse)


@pytest.mark.usefixtures("no_process")
def test_the_cgroup_driver_of_containerd_does_not_depend_on_its_files(monkeypatch, transcript):
    config = json.loads(transcript("containerd-2.1.9-crictl-info.json"))["config"]
    status = protobuf.encode(cri._STATUS, {"info": {"config": json.dumps(config)}})
    answers = [protobuf.encode(cri._CONFIG, {"linux": {"cgroup_driver": "CGROUPFS"}}), b""]
    Cri(monkeypatch, Status=status, RuntimeConfig=answers)
    runtime = containerd.Containerd(Runner())
    assert [runtime.cgroup_driver() for _time in range(2)] == ["cgroupfs", "systemd"]


@pytest.mark.usefixtures("no_process")
def test_a_running_crio_does_not_depend_on_its_files(monkeypatch, transcript):
    config = transcript("crio-1.37.0-status-config.toml").replace("/run/crun", "")
    monkeypatch.setattr(crio_api, "config", lambda _path, _timeout: config)
    version = protobuf.encode(cri._VERSION, {"runtime_version": "1.37.0"})
    Cri(monkeypatch, Version=version)
    runtime = crio.Crio(Runner())
    assert runtime.cgroup_driver() == "systemd"
    assert runtime.storage().root == "/var/lib/containers/storage"
    assert runtime.oci_runtimes()[""].root == "/run/crun"


def test_keys_that_containerd_2_does_not_support(transcript):
    log = transcript("containerd-2.1.9-config-dump-unknown-keys.txt")
    assert containerd_checks.parse_unknown_keys(log) == ["foo", "bogus"]


@pytest.mark.parametrize(
    ("config", "driver"),
    [
        ('# cgroup_manager = "x"\ncgroup_manager = "cgroupfs"\n', "cgroupfs"),
        ('cgroup_manager = "systemd"\n', "systemd"),
        ('# cgroup_manager = "cgroupfs"\n', "systemd"),
        ('  [crio.runtime]\n    cgroup_manager = "cgroupfs"\n', "cgroupfs"),  # crio status config
        ("", "systemd"),
    ],
)
def test_cgroup_driver_of_crio(config, driver):
    assert crio.parse_settings_in_use(config) == {"cgroup_driver": driver}


REFUSED = (
    'time="2026-11-24T22:58:11Z" level=error msg="Unable to reload configuration: unable to reload '
    'runtimes: default_runtime set to \\"x\\", but no runtime entry table was found"\n'
)
DONE = 'time="2026-11-24T22:58:11Z" level=info msg="Configuration reload completed"\n'


@pytest.fixture
def reloaded(monkeypatch, transcript):
    """Return a function that checks if a reload is complete, for a log and a status of CRI-O."""

    def ask(log, running, wanted=()):
        status = transcript("crio-1.37.0-status-config.toml")
        config = transcript("crio-1.37.0-config.toml")
        for old, new in running:
            assert old in status
            status = status.replace(old, new)
        for old, new in wanted:
            assert old in config
            config = config.replace(old, new)
        answers = {"--version": "crio version 1.37.0\n", "config": config}
        answers["--no-pager"] = log
        monkeypatch.setattr(Runner, "output", lambda _self, *argv, **_kw: answers[argv[1]])
        monkeypatch.setattr(crio.Crio, "running_config", lambda _self: status)
        return runtimes(Runner())["crio"].reloaded(0.0)

    return ask


PAUSE_BEFORE = ('"localhost/cruntime-test/pause:1"', '"localhost/cruntime-test/pause:0"')
QUIET = ('log_level = "info"', 'log_level = "warn"')
FILTER = (r'log_filter = ""', r'log_filter = "^a\\.b"')


@pytest.mark.parametrize(
    ("log", "running", "wanted", "over"),
    [
        (DONE, [], [], True),
        # CRI-O would log that the reload is complete.
        ("", [], [], False),
        # CRI-O logs it, but it did not read a directory that did not exist at its start.
        (DONE, [PAUSE_BEFORE], [], False),
        # CRI-O would not log it, but reports the settings in use.
        ("", [QUIET], [("# " + QUIET[0], QUIET[1])], True),
        ("", [QUIET, PAUSE_BEFORE], [("# " + QUIET[0], QUIET[1])], False),
        # CRI-O does not use the setting yet that prevents the log line.
        ("", [], [("# " + QUIET[0], QUIET[1])], False),
        # The same text, in TOML notation and plain.
        ("", [FILTER], [('# log_filter = ""', r'log_filter = "^a\.b"')], True),
    ],
)
def test_a_reload_of_crio_is_complete_if_its_settings_match(reloaded, log, running, wanted, over):
    assert reloaded(log, running, wanted) is over


def test_a_reload_that_crio_rejects_has_its_error_message(reloaded):
    with fails("configuration_refused", 'default_runtime set to "x"'):
        reloaded(REFUSED, [])


@pytest.mark.parametrize("version", ["1.35.6", "1.37.0"])
def test_settings_of_a_real_crio(transcript, version):
    config = transcript(f"crio-{version}-status-config.toml")
    assert crio.parse_settings_in_use(config) == {
        "cgroup_driver": "systemd",
        "sandbox_image": "localhost/cruntime-test/pause:1",
    }


@pytest.mark.parametrize("version", ["1.35.6", "1.37.0"])
def test_the_storage_of_a_real_crio(transcript, version):
    storage = crio.parse_storage(transcript(f"crio-{version}-status-config.toml"))
    assert storage == ("/var/lib/containers/storage", "/run/containers/storage", "overlay", [])


def test_docker_does_not_use_a_sandbox_image(catalog):
    unused = catalog["docker"].unused_options({"sandbox_image": "registry.k8s.io/pause:3.10"})
    assert list(unused) == ["sandbox_image"]
    assert catalog["docker"].unused_options({"sandbox_image": None}) == {}
    assert catalog["containerd"].unused_options({"sandbox_image": "x"}) == {}


def test_cri_dockerd_uses_a_sandbox_image(catalog):
    spec = {"sandbox_image": "registry.k8s.io/pause:3.10", "kubernetes_version": "1.34.0"}
    assert catalog["docker"].configured(spec).unused_options(spec) == {}


def test_an_old_kubelet_uses_cri_dockerd_on_request(catalog):
    spec = {"cri_service": True, "kubernetes_version": "1.23.0", "socket": "/run/c.sock"}
    docker = catalog["docker"].configured(spec)
    assert docker.kubelet_options("1.23.0") == {
        "container-runtime": "remote",
        "container-runtime-endpoint": "unix:///run/c.sock",
        "runtime-cgroups": "/system.slice/docker.service",
    }


@pytest.mark.parametrize("adapted", [True, False])
def test_docker_responds_if_its_adapter_responds_too(monkeypatch, adapted):
    monkeypatch.setattr(DockerApi, "version", lambda docker: {"Version": "29.8.1"})
    docker = runtimes(Runner())["docker"].configured(
        {"cri_service": adapted, "socket": "/nonexistent/cri.sock"}
    )
    context = fails("no_response", "/nonexistent/cri.sock") if adapted else contextlib.nullcontext()
    with context:
        docker.check_responding()


def test_docker_is_running_if_its_service_is_active(catalog):
    units = {
        "docker.socket": Unit("docker.socket", "loaded", "active", "enabled"),
        "docker.service": Unit("docker.service", "loaded", "inactive", "disabled"),
    }
    assert not catalog["docker"].active(units)
    # A query through the socket would start Docker.
    assert catalog["docker"].enabled(units)


def units_of(*running):
    """Return the units of all runtimes, with these active. Docker's service wants containerd's."""
    return {
        name: Unit(
            name,
            "loaded",
            "active" if name in running else "inactive",
            needs=frozenset({"containerd.service"}) if name == "docker.service" else frozenset(),
        )
        for runtime in runtimes(Runner()).values()
        for name in runtime.all_units
    }


@pytest.mark.parametrize(
    ("running", "name", "chosen"),
    [
        (["containerd.service"], None, "containerd"),
        (["crio.service"], None, "crio"),
        (["docker.service", "docker.socket", "containerd.service"], None, "docker"),
        (["docker.service", "docker.socket", "containerd.service"], "containerd", "containerd"),
    ],
)
def test_the_running_runtime_of_a_node_is_found(running, name, chosen):
    assert choose(runtimes(Runner()), units_of(*running), name).name == chosen


@pytest.mark.parametrize(
    ("running", "name", "reason", "facts"),
    [
        ([], None, "runtime_not_running", []),
        (["docker.socket"], None, "runtime_not_running", []),
        (["containerd.service"], "crio", "runtime_not_running", ["CRI-O"]),
        (
            ["containerd.service", "crio.service"],
            None,
            "runtime_ambiguous",
            ["containerd", "CRI-O"],
        ),
    ],
)
def test_a_node_without_exactly_one_running_runtime(running, name, reason, facts):
    with fails(reason, *facts):
        choose(runtimes(Runner()), units_of(*running), name)


@pytest.mark.parametrize(
    ("command", "owner"),
    [
        ("/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id keep -address /x", "containerd"),
        ("/usr/bin/containerd-shim-runc-v2 -namespace default -id keep -address /x", "containerd"),
        ("/usr/bin/containerd-shim-runc-v2 -id keep -address /x", "containerd"),
        ("/usr/bin/containerd-shim-runc-v2 -namespace moby -id 5f -address /x", "docker"),
        ("containerd-shim-runc-v2 --namespace plugins.moby -id 5f", "docker"),
        ("/usr/bin/conmon -b /x -c 5f --exit-dir /var/run/crio/exits -l /y", "crio"),
        ("/usr/libexec/podman/conmon -b /x -c 5f --exit-dir /run/libpod/exits", None),
        ("/usr/bin/containerd", None),
        ("vi containerd-shim-runc-v2 -namespace moby", None),
    ],
)
def test_a_container_belongs_to_its_runtime(command, owner):
    holders = [
        name
        for name, runtime in runtimes(Runner()).items()
        if runtime.holds_container(command.split())
    ]
    assert holders == ([owner] if owner else [])


def docker_units(service=(), **socket):
    """Return the units of Docker: its service with this command, and its socket."""
    units = {name: Unit(name) for name in DOCKER.units + DOCKER.adapters}
    loaded = {"load_state": "loaded", "command": tuple(service)}
    units["docker.service"] = units["docker.service"]._replace(**loaded)
    units["docker.socket"] = units["docker.socket"]._replace(**socket)
    return units


@pytest.mark.parametrize(
    ("command", "socket", "needs", "used"),
    [
        # Debian's unit, static binaries, docker-machine's unit, and a unit that is not known.
        ("dockerd -H fd://", {"load_state": "loaded"}, {"docker.socket"}, True),
        ("dockerd -H fd://", {"load_state": "loaded"}, set(), True),
        ("dockerd", {"load_state": "loaded"}, {"docker.socket"}, True),
        ("dockerd", {}, set(), False),
        ("dockerd -H fd://", {}, {"docker.socket"}, False),
        ("dockerd -H unix:///var/run/docker.sock", {"load_state": "loaded"}, set(), False),
        ("", {"load_state": "loaded"}, set(), True),
    ],
)
def test_a_socket_that_the_service_does_not_use_is_left_out(catalog, command, socket, needs, used):
    docker = catalog["docker"]
    units = docker_units(command.split(), **socket)
    units["docker.service"] = units["docker.service"]._replace(needs=frozenset(needs))
    docker.read_units(units)
    assert docker.units == (("docker.socket", "docker.service") if used else ("docker.service",))
    # A socket that is left out is also stopped together with Docker.
    assert "docker.socket" in docker.all_units
    assert docker.configured({}).units == docker.units


@pytest.fixture
def find_api_socket(catalog, tmp_path):
    """Return a function that returns the socket of Docker, from its units and its daemon.json."""

    def find(command, listens=(), keys=None):
        path = tmp_path / "daemon.json"
        path.write_text(json.dumps(keys)) if keys else path.unlink(missing_ok=True)
        catalog["docker"].config_path = str(path)
        units = docker_units(command.split(), listens=listens)
        environment = ("HOSTS=unix:///srv/e.sock",)
        units["docker.service"] = units["docker.service"]._replace(environment=environment)
        catalog["docker"].read_units(units)
        return catalog["docker"].configured({}).api_socket

    return find


def test_the_socket_of_the_api_is_the_one_that_docker_listens_on(find_api_socket):
    usual = "/run/docker.sock"
    assert find_api_socket("dockerd") == usual
    assert find_api_socket("dockerd -H fd://", (usual,)) == usual
    assert find_api_socket("dockerd -H fd://", ("/srv/docker.sock",)) == "/srv/docker.sock"
    command = "dockerd -H tcp://127.0.0.1:2375 -H unix:///srv/d.sock"
    assert find_api_socket(command) == "/srv/d.sock"
    assert find_api_socket("dockerd --host=unix://") == usual
    assert find_api_socket("dockerd --host $HOSTS") == "/srv/e.sock"
    assert find_api_socket("dockerd", (usual,), {"hosts": ["unix:///srv/f"]}) == "/srv/f"
    assert find_api_socket("dockerd", (usual,), {"debug": True}) == usual


@pytest.mark.parametrize(
    ("name", "flags", "path"),
    [
        ("containerd", "--log-level debug", "/etc/containerd/config.toml"),
        ("containerd", "--config /etc/site/new.toml", "/etc/site/new.toml"),
        ("containerd", "-c /etc/passwd", "/etc/passwd"),
        ("containerd", "--config $FILE", "/etc/site/new.toml"),
        ("containerd", "--config /usr/share/containerd/config.toml", "/etc/containerd/config.toml"),
        ("containerd", "--config /etc/../srv/config.toml", "/etc/containerd/config.toml"),
        ("containerd", "--config /etc", "/etc/containerd/config.toml"),
        # These programs write the file at each start.
        ("containerd", "--config /etc/rancher/k3s/x.toml", "/etc/containerd/config.toml"),
        ("containerd", "--config /etc/rke2/config.toml", "/etc/containerd/config.toml"),
        ("docker", "--config-file=/etc/docker/engine.json", "/etc/docker/engine.json"),
        ("crio", "--config-dir /etc/site", "/etc/crio/crio.conf.d/50-cruntime.conf"),
    ],
)
def test_the_file_of_the_unit_is_written_if_the_collection_can_replace_it(
    catalog, name, flags, path
):
    runtime = catalog[name]
    units = {each: Unit(each) for each in runtime.all_units}
    units[runtime.identity.service] = Unit(
        runtime.identity.service,
        command=(f"/srv/{runtime.binary}", *flags.split()),
        environment=("FILE=/etc/site/new.toml",),
    )
    runtime.read_units(units)
    assert runtime.config_path == path
    assert runtime.configured({}).config_path == path


def test_the_binary_of_the_service_is_found_outside_of_the_path(catalog, tmp_path):
    binary, other = tmp_path / "containerd", tmp_path / "ctr"
    for path in (binary, other):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    containerd = catalog["containerd"]
    units = {"containerd.service": Unit("containerd.service", command=(str(binary), "--log"))}
    containerd.read_units(units)
    assert containerd.binary_path == str(binary)
    # The tools of this containerd are next to it.
    assert containerd._runner.which("ctr") == str(other)


@pytest.mark.parametrize("name", ["nerdctl", "wrapper"])
def test_another_program_of_a_service_is_not_the_binary(catalog, tmp_path, name):
    (tmp_path / name).write_text("")
    (tmp_path / name).chmod(0o755)
    containerd = catalog["containerd"]
    before = containerd.binary_path
    command = (str(tmp_path / name), "containerd")
    containerd.read_units({"containerd.service": Unit("containerd.service", command=command)})
    assert containerd.binary_path == before


def test_a_containerd_that_a_flag_names_is_needed():
    units = docker_units(["dockerd", "--containerd=/run/containerd/containerd.sock"])
    units["containerd.service"] = Unit("containerd.service")
    assert needed_by(["docker.service"], units) == {"containerd.service"}
    units = docker_units(["dockerd", "--containerd-namespace=x"])
    units["containerd.service"] = Unit("containerd.service")
    assert needed_by(["docker.service"], units) == set()


@pytest.fixture
def start_kubelet(tmp_path):
    """Yield a function that starts a process with the name and the arguments of a kubelet."""
    started = []

    def start(*arguments):
        script = tmp_path / "kubelet"
        script.write_text("#!/bin/sh\necho started\nread line\n")
        script.chmod(0o755)
        process = subprocess.Popen(
            [script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"started\n"
        started.append(process)

    yield start
    for process in started:
        process.communicate(b"\n")


@pytest.mark.parametrize("written", ["flag", "field"])
def test_the_socket_of_the_running_kubelet(catalog, start_kubelet, tmp_path, written):
    assert kubelet_process.find_socket() is None
    endpoint = "unix:///run/containerd/containerd.sock"
    if written == "flag":
        start_kubelet("--v", "2", "--container-runtime-endpoint", endpoint)
    else:
        config = tmp_path / "config.yaml"
        config.write_text(f'kind: Kubelet\ncontainerRuntimeEndpoint: "{endpoint}" # x\n')
        start_kubelet(f"--config={config}")
    assert kubelet_process.find_socket() == "/run/containerd/containerd.sock"
    units = {name: Unit(name) for runtime in catalog.values() for name in runtime.all_units}
    needs = frozenset(["containerd.service"])
    for name in ("docker.service", "docker.socket", "containerd.service"):
        units[name] = units[name]._replace(load_state="loaded", active_state="active")
    units["docker.service"] = units["docker.service"]._replace(needs=needs)
    with fails("runtime_ambiguous", "containerd and Docker are running"):
        choose(catalog, units)


# Reloads

NO_RUNTIME = "specified default runtime 'nope' does not exist"
NO_LIST = (
    "unable to configure the Docker daemon with file /etc/docker/daemon.json: {}json: cannot "
    "unmarshal number into Go struct field Config.{}registry-mirrors of type []string"
)
RELOADS = {
    "20.10.24": [
        f"file configuration validation failed: {NO_RUNTIME}",
        NO_LIST.format("", ""),
        "conflict labels for a=2 and a=1",
    ],
    "26.1.5": [f"Error reconfiguring the daemon: {NO_RUNTIME}"],
    "29.8.1": [
        f"Error reconfiguring the daemon: {NO_RUNTIME}",
        "Error reloading configuration: "
        + NO_LIST.format("invalid JSON: ", "CommonConfig.ServiceOptions."),
        "Error reloading configuration: conflict labels for a=2 and a=1",
    ],
}


@pytest.mark.parametrize("version", RELOADS)
def test_failed_reload_of_docker_is_found_in_its_log(transcript, version):
    lines = transcript(f"docker-{version}-failed-reloads.txt").splitlines()
    found = [docker.parse_failed_reload(line) for line in lines]
    assert [error for error in found if error] == RELOADS[version]
    assert docker.parse_failed_reload("\n".join(lines)) == RELOADS[version][0]


def test_log_without_a_failed_reload_has_no_error():
    log = 'time="2026" level=error msg="stream copy error"\ntime="2026" level=info msg="x"\n'
    assert docker.parse_failed_reload(log) == ""


@pytest.mark.parametrize(
    ("command", "environment", "flags"),
    [
        ("crio", (), ""),
        ("crio --log-level debug --enable-metrics", (), "--log-level"),
        ("crio -l debug $OPTS", ("OPTS=--pause-image=x/y:1",), "--pause-image, --log-level"),
        ("crio", ("CONTAINER_PINNED_IMAGES=x", "CONTAINER_ROOT=/x"), "--pinned-images"),
    ],
)
def test_reload_of_crio_ignores_flags(command, environment, flags):
    unit = Unit("crio.service", command=tuple(command.split()), environment=environment)
    warnings = crio.Crio(Runner()).warn_of_reload({"crio.service": unit})
    if not flags:
        assert warnings == []
    else:
        (warning,) = warnings
        assert f"ignores the flags {flags} of the unit" in warning


# The CRI of Docker


@pytest.mark.parametrize(
    ("options", "running", "socket"),
    [
        ({"cri_service": True}, False, "/var/run/cri-dockerd.sock"),
        ({"kubernetes_version": "1.34.0"}, False, "/var/run/cri-dockerd.sock"),
        ({"kubernetes_version": "1.23.0"}, False, "/var/run/dockershim.sock"),
        ({}, False, None),
        ({"kubernetes_version": "1.34.0", "cri_service": False}, False, None),
        # cri-dockerd is not changed.
        ({}, True, "/var/run/cri-dockerd.sock"),
    ],
)
def test_docker_has_a_cri_socket_only_with_cri_dockerd(catalog, options, running, socket):
    units = {name: Unit(name) for runtime in catalog.values() for name in runtime.all_units}
    for name in DOCKER.adapters if running else ():
        units[name] = Unit(name, "loaded", "active", "enabled")
    catalog["docker"].read_units(units)
    found = catalog["docker"].configured(options)
    kubernetes = options.get("kubernetes_version")
    assert found.cri_facts["socket_path"] == socket
    assert (found.cri_facts["cri_endpoint"] is None) is (socket is None)
    named = {**found.kubelet_options(kubernetes), **found.kubelet_config(kubernetes, "systemd", 2)}
    assert ("sock" in json.dumps(named)) is (socket is not None and "shim" not in socket)
