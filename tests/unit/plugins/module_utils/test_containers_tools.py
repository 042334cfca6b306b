# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the CRI, commands for runc and crun, and the parsing of their output."""

from __future__ import annotations

import dataclasses
import json
import threading

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import cri as cri_calls
from ansible_collections.cruntime.node.plugins.module_utils import protobuf
from ansible_collections.cruntime.node.plugins.module_utils.containers import cri
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    OciRuntime,
    Sandbox,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.crio import CrioContainers
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import containerd, crio
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import NOT_FOUND
from ansible_collections.cruntime.node.tests.unit.plugins import cri_replay
from ansible_collections.cruntime.node.tests.unit.plugins.cri_replay import Cri
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

RUNC = OciRuntime("runc", "/run/containerd/runc/k8s.io")
CRUN = OciRuntime("/usr/bin/crun", "/run/containerd/runc/k8s.io")
LENIENT, LENIENT_RUNC = (
    OciRuntime(f"/usr/local/libexec/cruntime-test/{tool}-lenient", f"/run/{tool}")
    for tool in ("crun", "runc")
)
SOCKET = "/run/x.sock"


class ReplayRunner:
    """Runner that replays recorded output for each command, and records the commands."""

    def __init__(self, answers):
        self.answers, self.commands = dict(answers), []

    def which(self, name):
        return f"/usr/bin/{name}"

    def run(self, *argv, **options):
        command = " ".join(argv)
        self.commands.append(command)
        answer = self.answers[command]
        return answer if isinstance(answer, Result) else Result(0, answer, "")

    def output(self, *argv, **options):
        return self.run(*argv, **options).out


def records(snapshot):
    return sorted(
        (each.namespace, each.pod, each.name, each.state, each.pid is not None)
        for each in snapshot.containers
    )


# The pod in alpha has the default handler, and the pod in beta has crun.
EXPECTED = [
    ("alpha", "web", "api", "running", True),
    ("alpha", "web", "api-gateway", "paused", True),
    ("beta", "web", "api", "exited", False),
    ("beta", "web", "api-gateway", "paused", True),
    ("beta", "web", "late", "created", False),
]


def config_of(transcript, version):
    """Return the configuration of the CRI of a real containerd."""
    return json.dumps(
        json.loads(transcript(f"containerd-{version}-crictl-info-crun.json"))["config"]
    )


LISTS = ["ListContainers", "ListPodSandbox"]


def recorded(monkeypatch, transcript, name):
    """Replay the lists of a real runtime."""
    return Cri(
        monkeypatch,
        ListContainers=cri_replay.containers(transcript(f"{name}-crictl-ps.json")),
        ListPodSandbox=cri_replay.pods(transcript(f"{name}-crictl-pods.json")),
    )


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_real_output_of_containerd_is_parsed(monkeypatch, transcript, version):
    calls = recorded(monkeypatch, transcript, f"containerd-{version}")
    config = config_of(transcript, version)
    root = "--root /run/containerd/runc/k8s.io list --format json"
    runner = ReplayRunner(
        {
            f"runc {root}": transcript(f"containerd-{version}-runc-list.json"),
            f"/usr/bin/crun {root}": transcript(f"containerd-{version}-crun-list.json"),
        }
    )
    api = cri.CriContainers(runner, SOCKET, lambda: containerd.parse_oci_runtimes(config))
    snapshot = api.look()
    assert records(snapshot) == EXPECTED
    # Each command runs once, no matter how many containers exist.
    assert sorted(runner.commands) == sorted(runner.answers)
    assert calls.methods == LISTS
    api_container = next(each for each in snapshot.containers if each.namespace == "alpha")
    assert api_container.image == "localhost/cruntime-test/busybox:1"
    assert api_container.image_id.startswith("sha256:")
    assert api_container.created.startswith("2026-11-23T23:")
    assert api_container.labels == {"tier": 'it\'s "quoted", really=yes'}
    assert {(each.namespace, each.oci) for each in snapshot.containers} == {
        ("alpha", RUNC),
        ("beta", CRUN),
    }
    assert {each.pod_id for each in snapshot.containers} == {each.id for each in snapshot.sandboxes}
    assert {each.state for each in snapshot.sandboxes} == {"running"}


def test_real_output_of_crio_is_parsed(monkeypatch, transcript):
    """The pod in alpha has the default handler, which is crun. The pod in beta has runc."""
    config = transcript("crio-1.37.0-status-config-own-handler.toml")
    calls = recorded(monkeypatch, transcript, "crio-1.37.0")
    inspected = transcript("crio-1.37.0-crictl-inspectp.json")
    known = cri_replay.statuses(cri_calls._SANDBOX_STATUS, inspected)

    def look_up(message):
        return known[protobuf.decode(cri_calls._SANDBOX_REQUEST, message)["pod_sandbox_id"]]

    # The list of pods in CRI-O does not contain their handlers.
    calls.answers["PodSandboxStatus"] = look_up
    runner = ReplayRunner(
        {
            f"{oci.binary} --root {oci.root} list --format json": transcript(
                f"crio-1.37.0-{tool}-list.json"
            )
            for oci, tool in ((LENIENT, "crun"), (LENIENT_RUNC, "runc"))
        }
    )
    api = CrioContainers(runner, SOCKET, lambda: crio.parse_oci_runtimes(config))
    snapshot = api.look()
    # In CRI-O, a created container already has a process, which waits.
    assert records(snapshot) == [*EXPECTED[:4], ("beta", "web", "late", "created", True)]
    assert snapshot.containers[0].image_id.startswith("sha256:")
    assert {(each.namespace, each.oci) for each in snapshot.containers} == {
        ("alpha", LENIENT),
        ("beta", LENIENT_RUNC),
    }
    assert sorted(runner.commands) == sorted(runner.answers)
    assert calls.methods == [*LISTS, "PodSandboxStatus", "PodSandboxStatus"]


def test_a_pod_of_crio_that_disappears_is_no_error(monkeypatch, transcript):
    calls = recorded(monkeypatch, transcript, "crio-1.37.0")
    calls.answers["PodSandboxStatus"] = cri_replay.failed(NOT_FOUND, "could not find pod")
    list_all = f"{LENIENT.binary} --root {LENIENT.root} list --format json"
    runner = ReplayRunner({list_all: transcript("crio-1.37.0-crun-list.json")})
    api = CrioContainers(runner, SOCKET, lambda: {"": LENIENT, "runc": LENIENT_RUNC})
    assert len(api.look().containers) == len(EXPECTED)


def test_handlers_are_not_queried_if_crio_has_one_oci_runtime(monkeypatch, transcript):
    calls = recorded(monkeypatch, transcript, "crio-1.37.0")
    list_all = f"{LENIENT.binary} --root {LENIENT.root} list --format json"
    runner = ReplayRunner({list_all: transcript("crio-1.37.0-crun-list.json")})
    CrioContainers(runner, SOCKET, lambda: {"": LENIENT, "crun": LENIENT}).look()
    assert runner.commands == [list_all]
    assert calls.methods == LISTS


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_oci_runtimes_of_a_real_containerd(transcript, version):
    found = containerd.parse_oci_runtimes(config_of(transcript, version))
    assert found == {"": RUNC, "runc": RUNC, "crun": CRUN}


def test_oci_runtimes_of_containerd_as_configured():
    def handler(kind, **options):
        return {"runtimeType": kind, "options": options or None}

    runtimes = {
        "crun": handler("io.containerd.runc.v2", BinaryName="/opt/crun", Root="/run/mine"),
        "kata": handler("io.containerd.kata.v2"),
        "runc": handler("io.containerd.runc.v2"),
    }
    config = {"defaultRuntimeName": "crun", "runtimes": runtimes}
    found = containerd.parse_oci_runtimes(json.dumps({"containerd": config}))
    crun = OciRuntime("/opt/crun", "/run/mine/k8s.io")
    assert found == {"": crun, "crun": crun, "kata": None, "runc": RUNC}


def test_oci_runtimes_of_crio_as_packages_bring_them(transcript):
    crun, runc = (
        OciRuntime(f"/usr/libexec/crio/{tool}", f"/run/{tool}") for tool in ("crun", "runc")
    )
    found = crio.parse_oci_runtimes(transcript("crio-1.35.6-status-config.toml"))
    assert found == {"": crun, "crun": crun, "runc": runc}


def test_oci_runtimes_of_crio_as_configured(transcript):
    config = transcript("crio-1.37.0-status-config-own-handler.toml")
    assert crio.parse_oci_runtimes(config) == {
        "": LENIENT,
        "crun": LENIENT,
        "runc": LENIENT_RUNC,
    }
    rootless = config.replace('runtime_root = "/run/crun"', 'runtime_root = ""')
    assert crio.parse_oci_runtimes(rootless, "/run/runc")[""] == LENIENT._replace(root="/run/runc")
    virtual = config.replace('runtime_type = ""', 'runtime_type = "vm"')
    assert crio.parse_oci_runtimes(virtual) == {"": None}


@pytest.mark.parametrize(
    ("version", "root"),
    [("1.30.4", "/run/runc"), ("1.31.0", "/run/crun"), ("1.37.0", "/run/crun")],
)
def test_crio_uses_its_default_root_if_none_is_configured(monkeypatch, transcript, version, root):
    config = transcript("crio-1.37.0-status-config-own-handler.toml")
    config = config.replace('runtime_root = "/run/crun"', 'runtime_root = ""')
    monkeypatch.setattr(crio.Crio, "running_config", lambda _self: config)
    answer = protobuf.encode(cri_calls._VERSION, {"runtime_version": version})
    Cri(monkeypatch, Version=answer)
    assert crio.Crio(Runner()).oci_runtimes()["crun"].root == root


def ps_of(_image="x", /, **states):
    """Return the list of containers with these states, all in one pod."""
    return cri_replay.containers(
        json.dumps(
            {
                "containers": [
                    {
                        "id": name,
                        "podSandboxId": "pod",
                        "metadata": {"name": name},
                        "image": {"image": _image},
                        "imageRef": "y",
                        "state": state,
                        "createdAt": "0",
                    }
                    for name, state in states.items()
                ]
            }
        )
    )


def pods_of(handler=""):
    """Return the list with the pod of the containers."""
    pod = {"id": "pod", "metadata": {"name": "p", "namespace": "n"}, "state": "SANDBOX_READY"}
    return cri_replay.pods(json.dumps({"items": [{**pod, "runtimeHandler": handler}]}))


LIST = "runc --root /run/containerd/runc/k8s.io list --format json"


def api_for(answers=()):
    runner = ReplayRunner(answers)
    return runner, cri.CriContainers(runner, SOCKET, lambda: {"": RUNC, "kata": None})


def test_only_frozen_containers_are_paused(monkeypatch):
    kernel = [{"id": "b", "status": "paused", "pid": 3}, {"id": "c", "status": "paused", "pid": 4}]
    kernel.append({"id": "a", "status": "running", "pid": 2})
    running, exited = "CONTAINER_RUNNING", "CONTAINER_EXITED"
    listed = ps_of(a=running, b=running, d=exited, e="CONTAINER_UNKNOWN")
    Cri(monkeypatch, ListContainers=listed, ListPodSandbox=pods_of())
    _runner, api = api_for({LIST: json.dumps(kernel)})
    found = {each.id: (each.state, each.pid) for each in api.look().containers}
    assert found == {
        "a": ("running", 2),
        "b": ("paused", 3),
        "d": ("exited", None),
        "e": ("unknown", None),
    }


def test_containers_of_a_handler_without_an_oci_runtime_are_listed(monkeypatch):
    listed = ps_of(a="CONTAINER_RUNNING")
    Cri(monkeypatch, ListContainers=listed, ListPodSandbox=pods_of("kata"))
    runner, api = api_for()
    (found,) = api.look().containers
    assert (found.state, found.pid, found.oci) == ("running", None, None)
    assert runner.commands == []


def test_no_oci_runtime_is_called_without_containers(monkeypatch):
    Cri(monkeypatch, ListContainers=b"", ListPodSandbox=b"")
    runner = ReplayRunner({})
    api = cri.CriContainers(runner, SOCKET, lambda: pytest.fail("the configuration was read"))
    assert api.look() == ([], [])
    assert runner.commands == []


def test_an_oci_runtime_without_the_containers_is_an_error(monkeypatch):
    listed = ps_of(a="CONTAINER_RUNNING")
    Cri(monkeypatch, ListContainers=listed, ListPodSandbox=pods_of())
    _runner, api = api_for({LIST: "null"})
    with fails("output_inconsistent", LIST[:-14]):
        api.look()


def test_a_container_that_ends_between_two_calls_is_no_error(monkeypatch):
    lists = [ps_of(a="CONTAINER_RUNNING"), ps_of(a="CONTAINER_EXITED")]
    Cri(monkeypatch, ListContainers=lists, ListPodSandbox=pods_of())
    _runner, api = api_for({LIST: "null"})
    assert [each.state for each in api.look().containers] == ["exited"]


def item(container_id, oci=RUNC):
    return Container(container_id, "n", None, None, None, "", "", "running", "", {}, oci=oci)


# containerd reports this error for a container that does not exist.
GONE = 'an error occurred when try to find container "aa": not found'


def container_of(message):
    """Return the ID in a request about a container. All these requests have it first."""
    return protobuf.decode(cri_calls._STOP_REQUEST, message)["container_id"]


def failing(**errors):
    """Return a function that fails for some containers."""
    return lambda message: errors.get(container_of(message), b"")


def test_a_stop_continues_after_a_failure_and_ignores_containers_that_are_gone(monkeypatch):
    gone, busy = cri_replay.failed(NOT_FOUND, GONE), cri_replay.failed(2, "busy")
    calls = Cri(monkeypatch, StopContainer=failing(aa=gone, bb=busy))
    _runner, api = api_for()
    names = ["bb", "aa", *(f"c{number}" for number in range(300))]
    assert api.stop([item(name) for name in names], 10) == {"bb": "busy"}
    requests = [protobuf.decode(cri_calls._STOP_REQUEST, message) for _name, message in calls.calls]
    assert sorted(each["container_id"] for each in requests) == sorted(names)
    assert {each["timeout"] for each in requests} == {10}
    # The container has its timeout, and the runtime has a minute and ten seconds for each call.
    assert calls.timeouts == {"StopContainer": 10 + 60 + 8 * 10}


def test_containers_are_stopped_at_the_same_time(monkeypatch):
    barrier = threading.Barrier(8)

    def stop(_message):
        barrier.wait(timeout=30)
        return b""

    Cri(monkeypatch, StopContainer=stop)
    _runner, api = api_for()
    assert api.stop([item(f"c{number}") for number in range(8)], 10) == {}


def status_of(state, path=""):
    status = {"state": state, "log_path": path}
    return protobuf.encode(cri_calls._CONTAINER_STATUS, {"status": status})


def test_a_removal_kills_running_containers_only_and_removes_logs(monkeypatch, tmp_path):
    log = tmp_path / "0.log"
    for path in (log, tmp_path / "0.log.20261130-1", tmp_path / "1.log"):
        path.write_text("")
    statuses = {
        "aa": status_of("CONTAINER_RUNNING", str(log)),
        "bb": status_of("CONTAINER_EXITED"),
        "cc": cri_replay.failed(NOT_FOUND, GONE),
        "dd": status_of("CONTAINER_EXITED"),
    }
    calls = Cri(
        monkeypatch,
        ContainerStatus=lambda message: statuses[container_of(message)],
        StopContainer=b"",
        RemoveContainer=failing(dd=cri_replay.failed(2, "busy")),
    )
    _runner, api = api_for()
    assert api.remove([item(name) for name in ("aa", "bb", "cc", "dd")]) == {"dd": "busy"}
    done = sorted((name, container_of(message)) for name, message in calls.calls)
    assert [each for each in done if each[0] != "ContainerStatus"] == [
        ("RemoveContainer", "aa"),
        ("RemoveContainer", "bb"),
        ("RemoveContainer", "dd"),
        ("StopContainer", "aa"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["1.log"]


def test_running_sandboxes_are_stopped_before_they_are_removed(monkeypatch):
    calls = Cri(monkeypatch, StopPodSandbox=b"", RemovePodSandbox=b"")
    _runner, api = api_for()
    sandbox = Sandbox("p", "pod", "ns", "running")
    assert api.stop_sandboxes([sandbox]) == api.remove_sandboxes([sandbox]) == {}
    assert api.remove_sandboxes([dataclasses.replace(sandbox, state="exited")]) == {}
    stop, remove = "StopPodSandbox", "RemovePodSandbox"
    assert calls.methods == [stop, stop, remove, remove]
    # The network of a pod can need half a minute to go down.
    assert set(calls.timeouts.values()) == {70}


def test_a_pause_is_one_process_per_container():
    root = "--root /run/containerd/runc/k8s.io"
    error = 'time="2026-11-23T23:06:12Z" level=error msg="container not running"\n'
    runner, api = api_for(
        {
            f"runc {root} pause aa": "",
            f"runc {root} pause bb": Result(1, "", error),
            f"/usr/bin/crun {root} pause cc": "",
            f"runc {root} resume aa": "",
        }
    )
    failed = api.pause([item("aa"), item("bb"), item("cc", CRUN), item("dd", None)])
    assert failed == {
        "bb": "container not running",
        "dd": "its runtime handler does not support pause",
    }
    assert api.unpause([item("aa")]) == {}
    assert len(runner.commands) == 4


@pytest.mark.parametrize(
    ("lines", "follow", "tail"),
    [(25, True, "--tail 25 --follow x"), (25, False, "--tail 25 x")],
)
def test_commands_for_users(lines, follow, tail):
    runner = ReplayRunner({})
    crictl = cri.CriContainers(runner, SOCKET, dict)
    assert crictl.log_command("x", lines, follow) == f"sudo /usr/bin/crictl logs {tail}"
    assert crictl.status_command == "sudo /usr/bin/crictl ps -a"


def test_queries_have_a_short_timeout(monkeypatch):
    calls = Cri(monkeypatch, ListContainers=b"", ListPodSandbox=b"")
    _runner, api = api_for()
    api.look()
    assert set(calls.timeouts.values()) == {10}


def described(env):
    details = json.dumps({"runtimeSpec": {"process": {"env": env}}})
    return protobuf.encode(cri_calls._CONTAINER_STATUS, {"info": {"info": details}})


def test_a_container_that_is_gone_or_broken_has_no_environment(monkeypatch):
    answers = {
        "aa": described(["NAME=a"]),
        "bb": cri_replay.failed(NOT_FOUND, GONE),
        "cc": described(None),
        "dd": cri_replay.failed(2, "failed to get verbose container info"),
    }
    Cri(monkeypatch, ContainerStatus=lambda message: answers[container_of(message)])
    _runner, api = api_for()
    found = api.environments([item(name) for name in answers])
    assert found == {"aa": ["NAME=a"], "cc": []}


def test_a_log_that_cannot_be_read_is_an_error_about_its_container(monkeypatch, tmp_path):
    log, other, missing = (tmp_path / name for name in ("0.log", "other.log", "no.log"))
    log.write_text("2026-11-30T10:00:00.000000000Z stdout F one\n" * 3)
    other.write_text('{"log": "one"}\n')
    answers = {
        "aa": status_of("CONTAINER_RUNNING", str(log)),
        "bb": status_of("CONTAINER_RUNNING", str(missing)),
        "cc": status_of("CONTAINER_RUNNING"),
        "dd": status_of("CONTAINER_RUNNING", str(other)),
        "ee": status_of("CONTAINER_RUNNING", str(tmp_path)),
        "ff": cri_replay.failed(NOT_FOUND, GONE),
    }
    Cri(monkeypatch, ContainerStatus=lambda message: answers[container_of(message)])
    _runner, api = api_for()
    assert api.log(item("aa"), 2) == "one\none\n"
    causes = {}
    for name in list(answers)[1:]:
        with pytest.raises(CruntimeError) as caught:
            api.log(item(name), 2)
        causes[name] = caught.value.cause
    assert causes["bb"] == f"{missing}: could not be read: No such file or directory"
    assert "without a log directory" in causes["cc"]
    assert causes["dd"] == f"{other}: could not be read: no entry in the format of the CRI"
    assert f"{tmp_path}: not a regular file" in causes["ee"]
    assert causes["ff"] == GONE


ID = "4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502"
TAG = "localhost/cruntime-test/busybox:1"


@pytest.mark.parametrize(
    ("image", "known", "name"),
    [
        # The kubelet requests an image by ID. containerd's IDs have the algorithm, CRI-O's do not.
        (f"sha256:{ID}", f"sha256:{ID}", TAG),
        (ID, ID, TAG),
        (ID, "0" * 64, ID),
    ],
)
def test_an_image_has_the_name_of_its_pull(monkeypatch, image, known, name):
    images = {"images": [{"id": "other", "repoTags": []}, {"id": known, "repoTags": [TAG, "b"]}]}
    Cri(
        monkeypatch,
        ListContainers=ps_of(image, a="CONTAINER_EXITED"),
        ListPodSandbox=b"",
        ListImages=cri_replay.images(json.dumps(images)),
    )
    _runner, api = api_for()
    assert [each.image for each in api.look().containers] == [name]
