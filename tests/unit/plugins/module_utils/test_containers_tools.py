# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands for crictl, runc and crun, and the parsing of their output."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.containers import base, cri
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    OciRuntime,
    Sandbox,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.crio import CrioContainers
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import containerd, crio
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

RUNC = OciRuntime("runc", "/run/containerd/runc/k8s.io")
CRUN = OciRuntime("/usr/bin/crun", "/run/containerd/runc/k8s.io")
LENIENT, LENIENT_RUNC = (
    OciRuntime(f"/usr/local/libexec/cruntime-test/{tool}-lenient", f"/run/{tool}")
    for tool in ("crun", "runc")
)
ENDPOINT = "unix:///run/x.sock"
# Options of every crictl call.
GLOBAL = rf"--runtime-endpoint {ENDPOINT} --image-endpoint {ENDPOINT} --timeout (\d+)s "


class ReplayRunner(Runner):
    """Runner that replays recorded output for each command, and records the commands."""

    def __init__(self, answers):
        self.answers, self.commands, self.deadlines = dict(answers), [], []

    def which(self, name):
        return f"/usr/bin/{name}"

    def run(self, *argv, **options):
        command = " ".join(argv)
        self.deadlines += [(int(each), options["timeout"]) for each in re.findall(GLOBAL, command)]
        command = re.sub(GLOBAL, "", command)
        self.commands.append(command)
        answer = self.answers[command]
        if isinstance(answer, list):
            answer = answer.pop(0)
        return answer if isinstance(answer, Result) else Result(0, answer, "")


def listing(ps, pods="", **tools):
    """Return the output for the two calls of crictl, and for the calls of the OCI runtimes."""
    pods = pods or json.dumps({"items": []})
    answers = {"crictl ps --all --output json": ps, "crictl pods --output json": pods}
    return {**answers, **tools}


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


def cri_of(transcript, version):
    """Return a runner with the output of a real containerd, and its containers."""
    config = config_of(transcript, version)
    root = "--root /run/containerd/runc/k8s.io list --format json"
    answers = listing(
        transcript(f"containerd-{version}-crictl-ps.json"),
        transcript(f"containerd-{version}-crictl-pods.json"),
    )
    answers[f"runc {root}"] = transcript(f"containerd-{version}-runc-list.json")
    answers[f"/usr/bin/crun {root}"] = transcript(f"containerd-{version}-crun-list.json")
    runner = ReplayRunner(answers)
    return runner, cri.CriContainers(
        runner, ENDPOINT, lambda: containerd.parse_oci_runtimes(config)
    )


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_real_output_of_containerd_is_parsed(transcript, version):
    runner, api = cri_of(transcript, version)
    snapshot = api.look()
    assert records(snapshot) == EXPECTED
    # Each command runs once, no matter how many containers exist.
    assert sorted(runner.commands) == sorted(runner.answers)
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


def test_real_output_of_crio_is_parsed(transcript):
    """The pod in alpha has the default handler, which is crun. The pod in beta has runc."""
    config = transcript("crio-1.37.0-status-config-own-handler.toml")
    pods = transcript("crio-1.37.0-crictl-pods.json")
    answers = listing(transcript("crio-1.37.0-crictl-ps.json"), pods)
    for oci, tool in ((LENIENT, "crun"), (LENIENT_RUNC, "runc")):
        answers[f"{oci.binary} --root {oci.root} list --format json"] = transcript(
            f"crio-1.37.0-{tool}-list.json"
        )
    ids = " ".join(pod["id"] for pod in json.loads(pods)["items"])
    # The list of pods in CRI-O does not contain their handlers.
    answers[f"crictl inspectp --output json {ids}"] = transcript("crio-1.37.0-crictl-inspectp.json")
    runner = ReplayRunner(answers)
    api = CrioContainers(runner, ENDPOINT, lambda: crio.parse_oci_runtimes(config))
    snapshot = api.look()
    # In CRI-O, a created container already has a process, which waits.
    assert records(snapshot) == [*EXPECTED[:4], ("beta", "web", "late", "created", True)]
    assert snapshot.containers[0].image_id.startswith("sha256:")
    assert {(each.namespace, each.oci) for each in snapshot.containers} == {
        ("alpha", LENIENT),
        ("beta", LENIENT_RUNC),
    }
    assert sorted(runner.commands) == sorted(answers)


def test_handlers_are_not_queried_if_crio_has_one_oci_runtime(transcript):
    answers = listing(
        transcript("crio-1.37.0-crictl-ps.json"), transcript("crio-1.37.0-crictl-pods.json")
    )
    answers[f"{LENIENT.binary} --root {LENIENT.root} list --format json"] = transcript(
        "crio-1.37.0-crun-list.json"
    )
    runner = ReplayRunner(answers)
    CrioContainers(runner, ENDPOINT, lambda: {"": LENIENT, "crun": LENIENT}).look()
    assert sorted(runner.commands) == sorted(answers)


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
    runner = ReplayRunner({"crio --version": f"crio version {version}\n"})
    assert crio.Crio(runner).oci_runtimes()["crun"].root == root


def ps_of(**states):
    """Return the output of crictl ps for containers with these states, all in one pod."""
    return json.dumps(
        {
            "containers": [
                {
                    "id": name,
                    "podSandboxId": "pod",
                    "metadata": {"name": name},
                    "image": {"image": "x"},
                    "imageRef": "y",
                    "state": state,
                    "createdAt": "0",
                }
                for name, state in states.items()
            ]
        }
    )


PODS = json.dumps(
    {
        "items": [
            {"id": "pod", "metadata": {"name": "p", "namespace": "n"}, "state": "SANDBOX_READY"}
        ]
    }
)
LIST = "runc --root /run/containerd/runc/k8s.io list --format json"


def api_for(answers):
    runner = ReplayRunner(answers)
    return runner, cri.CriContainers(runner, ENDPOINT, lambda: {"": RUNC})


def test_only_frozen_containers_are_paused():
    kernel = [{"id": "b", "status": "paused", "pid": 3}, {"id": "c", "status": "paused", "pid": 4}]
    kernel.append({"id": "a", "status": "running", "pid": 2})
    ps = ps_of(a="CONTAINER_RUNNING", b="CONTAINER_RUNNING", d="CONTAINER_EXITED", e="WHAT")
    _told, api = api_for(listing(ps, PODS, **{LIST: json.dumps(kernel)}))
    found = {each.id: (each.state, each.pid) for each in api.look().containers}
    assert found == {
        "a": ("running", 2),
        "b": ("paused", 3),
        "d": ("exited", None),
        "e": ("unknown", None),
    }


def test_no_oci_runtime_is_called_without_containers():
    runner = ReplayRunner(listing('{"containers": []}'))
    api = cri.CriContainers(runner, ENDPOINT, lambda: pytest.fail("the configuration was read"))
    assert api.look() == ([], [])
    assert len(runner.commands) == 2


def test_an_oci_runtime_without_the_containers_is_an_error():
    ps = ps_of(a="CONTAINER_RUNNING")
    _told, api = api_for(listing(ps, PODS, **{LIST: "null"}))
    with fails("output_inconsistent", LIST[:-14]):
        api.look()


def test_a_container_that_ends_between_two_calls_is_no_error():
    answers = listing([ps_of(a="CONTAINER_RUNNING"), ps_of(a="CONTAINER_EXITED")], PODS)
    answers["crictl ps --all --output json"] = [
        ps_of(a="CONTAINER_RUNNING"),
        ps_of(a="CONTAINER_EXITED"),
    ]
    _told, api = api_for({**answers, LIST: "null"})
    assert [each.state for each in api.look().containers] == ["exited"]


def item(container_id, oci=RUNC):
    return Container(container_id, "n", None, None, None, "", "", "running", "", {}, oci=oci)


# crictl 1.34.0 prints this error for a container that does not exist.
GONE = (
    'E1123 23:06:11.969475    1333 log.go:32] "StopContainer from runtime service failed" '
    'err="rpc error: code = NotFound desc = an error occurred when try to find container '
    '\\"aa\\": not found" containerID="aa"\n'
    'time="2026-11-23T23:06:11Z" level=fatal msg="stopping the container \\"aa\\": rpc error: '
    'code = NotFound desc = an error occurred when try to find container \\"aa\\": not found"\n'
)
NOT_FOUND = (
    'rpc error: code = NotFound desc = an error occurred when try to find container "aa": not found'
)


def test_a_stop_continues_after_a_failure():
    runner, api = api_for(
        {
            "crictl stop --timeout 10 bb aa cc dd": Result(1, "bb\n", GONE),
            "crictl stop --timeout 10 cc dd": "cc\ndd\n",
        }
    )
    failed = api.stop([item("bb"), item("aa"), item("cc"), item("dd")], 10)
    assert failed == {"aa": NOT_FOUND}
    assert len(runner.commands) == 2


def test_a_stop_ends_if_all_containers_fail():
    runner, api = api_for(
        {
            "crictl stop --timeout 0 aa bb": Result(1, "", GONE),
            "crictl stop --timeout 0 bb": Result(1, "", GONE.replace("aa", "bb")),
        }
    )
    assert set(api.stop([item("aa"), item("bb")], 0)) == {"aa", "bb"}
    assert len(runner.commands) == 2


def test_a_removal_is_one_process_and_errors_are_assigned_to_containers():
    error = (
        'getting container status "aa": rpc error: code = NotFound desc = an error occurred when '
        'try to find container "aa": not found\n'
        'removing container "c0ffee": rpc error: code = Unknown desc = busy\n'
    )
    _told, api = api_for({"crictl rm --force aa bb c0ffee": Result(1, "bb\n", error)})
    assert api.remove([item("aa"), item("bb"), item("c0ffee")]) == {
        "aa": NOT_FOUND,
        "c0ffee": "rpc error: code = Unknown desc = busy",
    }


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
    crictl = cri.CriContainers(runner, ENDPOINT, dict)
    assert crictl.log_command("x", lines, follow) == f"sudo /usr/bin/crictl logs {tail}"
    assert crictl.status_command == "sudo /usr/bin/crictl ps -a"


def test_changes_use_the_requested_timeout():
    """The network of a pod can need half a minute to go down, and an image can be large."""
    runner, api = api_for(
        {"crictl stopp p": "p", "crictl rmp --force p": "", "crictl stop --timeout 5 aa": "aa"}
    )
    sandbox = Sandbox("p", "pod", "ns", "running")
    assert api.stop_sandboxes([sandbox]) == api.remove_sandboxes([sandbox]) == {}
    assert api.stop([item("aa")], 5) == {}
    # crictl has the shorter timeout, so crictl reports the cause.
    assert runner.deadlines == [(120, 130), (60, 70), (65, 75)]


def test_queries_have_a_short_timeout():
    runner, api = api_for(listing(json.dumps({"containers": []})))
    api.look()
    assert [deadline for deadline, _timeout in runner.deadlines] == [10, 10]


def test_environments_are_parsed_from_one_document_or_several():
    def inspected(name):
        spec = {"process": {"env": [f"NAME={name}"]}}
        return {"status": {"id": name}, "info": {"runtimeSpec": spec}}

    one, two = inspected("a"), inspected("b")
    wanted = {"a": ["NAME=a"], "b": ["NAME=b"]}
    assert cri.parse_environments(json.dumps([one, two])) == wanted
    # crictl before 1.31 prints several documents.
    assert cri.parse_environments(f"{json.dumps(one, indent=2)}\n{json.dumps(two)}\n") == wanted
    assert cri.parse_environments(json.dumps(one)) == {"a": ["NAME=a"]}


def test_missing_crictl_names_the_package_and_the_variable_of_the_role():
    class Without(ReplayRunner):
        def which(self, name):
            return None

    api = cri.CriContainers(Without({}), ENDPOINT, dict)
    with fails("tool_not_found", "crictl", "cri-tools", "runtime_crictl_archive"):
        api.look()


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
def test_an_image_has_the_name_of_its_pull(image, known, name):
    ps = ps_of(a="CONTAINER_EXITED").replace('"image": "x"', f'"image": "{image}"')
    images = {"images": [{"id": "other", "repoTags": []}, {"id": known, "repoTags": [TAG, "b"]}]}
    answers = listing(ps, **{"crictl images --output json": json.dumps(images)})
    _told, api = api_for(answers)
    assert [each.image for each in api.look().containers] == [name]


def test_a_tool_error_without_an_id_applies_to_all_items():
    result = Result(1, "", "Cannot connect to the Docker daemon\n")
    assert base.find_causes(result, [item("aa")]) == {"aa": "Cannot connect to the Docker daemon"}
