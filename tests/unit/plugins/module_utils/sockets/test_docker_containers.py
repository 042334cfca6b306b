# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of Docker: requests for many of them at once, and the parsing of the responses."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import docker_streams
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import Container
from ansible_collections.cruntime.node.plugins.module_utils.containers.docker import (
    DockerContainers,
    names,
    parse,
    parse_environments,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

TAG = "localhost/cruntime-test/busybox:1"
ID = "sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502"
TRANSCRIPTS = ["docker-26.1.5-containers.json", "docker-29.8.1-containers.json"]
EXPECTED = [
    ("", None, "plain", "running", True),
    ("alpha", "web", "api", "running", True),
    ("alpha", "web", "api-gateway", "paused", True),
    ("beta", "web", "api", "exited", False),
    ("beta", "web", "api-gateway", "paused", True),
    ("beta", "web", "late", "created", False),
]


def answering(requests, answers):
    """Return handlers of connections, each of which receives the answer for its path.

    :param requests: receives the method and the path of each request.
    :param answers: by path without the version, a status and a body. A query is ignored.
    """

    def handle(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(65536)
        method, target = head.decode().split(" ")[:2]
        requests.append(f"{method} {target}")
        path = re.sub(r"^/v1.45|\?.*", "", target)
        status, body = answers[path]
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    def ping(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 0\r\n\r\n")

    return ping, handle


def item(container_id):
    return Container(container_id, "n", None, None, None, "", "", "running", "", {})


def message(text):
    return json.dumps({"message": text}).encode()


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_real_responses_of_docker_are_parsed(transcript, name):
    snapshot = parse(json.loads(transcript(name)))
    found = sorted(
        (each.namespace or "", each.pod, each.name, each.state, each.pid is not None)
        for each in snapshot.containers
    )
    assert found == EXPECTED
    api = next(each for each in snapshot.containers if each.namespace == "alpha")
    assert api.image == TAG
    assert api.image_id.startswith("sha256:")
    assert re.fullmatch(r"2026-11-30T\d\d:\d\d:\d\dZ", api.created)
    assert api.labels == {"tier": 'it\'s "quoted", really=yes'}
    pods = {(each.namespace, each.pod): each.id for each in snapshot.sandboxes}
    assert set(pods) == {("alpha", "web"), ("beta", "web")}
    assert all(each.pod_id == pods.get((each.namespace, each.pod)) for each in snapshot.containers)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_environments_are_parsed(transcript, name):
    items = json.loads(transcript(name))
    plain = next(each["Id"] for each in items if each["Name"] == "/plain")
    found = parse_environments(items)
    assert "TOKEN=open-sesame" in found[plain]
    assert len(found) == len(items)


def test_a_container_that_disappears_is_omitted_and_an_id_becomes_the_name_of_its_image(
    serve, transcript
):
    (plain, *_others) = (
        each for each in json.loads(transcript(TRANSCRIPTS[0])) if each["Name"] == "/plain"
    )
    plain["Config"]["Image"] = ID
    requests = []
    listing = json.dumps([{"Id": "a"}, {"Id": "b"}]).encode()
    answers = {
        "/containers/json": (200, listing),
        "/containers/a/json": (200, json.dumps(plain).encode()),
        "/containers/b/json": (404, message("No such container: b")),
        f"/images/{ID}/json": (200, json.dumps({"Id": ID, "RepoTags": [TAG]}).encode()),
    }
    ping, handle = answering(requests, answers)
    path = serve(ping, *[handle] * 4)
    (found,) = DockerContainers(Runner(), path).look().containers
    assert found.image == TAG
    assert requests[0] == "GET /v1.45/containers/json?all=true"


def test_docker_that_does_not_respond_is_an_error(socket_path):
    with fails("no_response", socket_path, "could not connect"):
        DockerContainers(Runner(), socket_path).look()


KUBERNETES = "io.kubernetes."


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("k8s_api_web_alpha_u-1_0", {}, ("api", "web", "alpha", "u-1")),
        ("k8s_api_web_alpha_u-1_0_deadbeef", {}, ("api", "web", "alpha", "u-1")),
        ("k8s_apiserver", {}, ("apiserver", None, None, None)),
        ("k8s_", {}, ("k8s_", None, None, None)),
        ("plain", {}, ("plain", None, None, None)),
        ("my_k8s_app", {}, ("my_k8s_app", None, None, None)),
        (
            "renamed",
            {
                f"{KUBERNETES}container.name": "api",
                f"{KUBERNETES}pod.name": "web",
                f"{KUBERNETES}pod.namespace": "alpha",
                f"{KUBERNETES}pod.uid": "u-1",
            },
            ("api", "web", "alpha", "u-1"),
        ),
    ],
)
def test_names_of_kubernetes_in_docker_are_parsed(name, labels, expected):
    assert names(name, labels) == expected


dns_label = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


@given(dns_label, dns_label, dns_label, dns_label, st.integers(0, 99))
def test_any_name_of_kubernetes_is_parsed(container, pod, namespace, uid, attempt):
    name = f"k8s_{container}_{pod}_{namespace}_{uid}_{attempt}"
    assert names(name, {}) == (container, pod, namespace, uid)


@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    st.sampled_from(["created", "running", "paused", "restarting", "exited", "dead", "odd"]),
)
def test_any_container_is_parsed(name, labels, state):
    found = {
        "Id": "0" * 64,
        "Name": f"/{name}",
        "Created": "2026-11-23T10:15:00.123Z",
        "Image": "y",
        "State": {"Status": state, "Pid": 0},
        "Config": {"Image": "x", "Labels": labels or None},
    }
    snapshot = parse([found])
    assert len(snapshot.containers) + len(snapshot.sandboxes) == 1
    for each in snapshot.containers:
        assert each.labels == labels
        assert each.created == "2026-11-23T10:15:00Z"


def test_a_container_of_another_format_is_unreadable():
    with fails("output_unreadable", "GET /containers/ID/json"):
        parse([{"Id": "0"}])


def test_hundreds_of_containers_are_stopped_even_if_one_fails(serve):
    ids = [f"{number:064x}" for number in range(300)]
    answers = {f"/containers/{each}/stop": (204, b"") for each in ids}
    answers[f"/containers/{ids[7]}/stop"] = (304, b"")
    answers[f"/containers/{ids[8]}/stop"] = (404, message("No such container"))
    answers[f"/containers/{ids[9]}/stop"] = (500, message("permission denied"))
    requests = []
    ping, handle = answering(requests, answers)
    path = serve(ping, *[handle] * 300)
    containers = DockerContainers(Runner(), path)
    causes = containers.stop([item(each) for each in ids], 7)
    assert causes == {ids[9]: "permission denied"}
    assert sorted(requests) == sorted(f"POST /v1.45/containers/{each}/stop?t=7" for each in ids)


def test_commands_for_users(monkeypatch):
    monkeypatch.setattr(Runner, "which", lambda _runner, tool: f"/usr/bin/{tool}")
    containers = DockerContainers(Runner())
    assert containers.log_command("x", 25, follow=True) == (
        "sudo /usr/bin/docker logs --tail 25 --follow x"
    )
    assert containers.status_command == "sudo /usr/bin/docker ps -a"


def test_changes_of_containers(serve):
    requests = []
    paths = ("a/pause", "a/unpause", "a")
    ping, handle = answering(requests, {f"/containers/{each}": (204, b"") for each in paths})
    containers = DockerContainers(Runner(), serve(*[ping, handle] * 3))
    assert containers.pause([item("a")]) == {}
    assert containers.unpause([item("a")]) == {}
    assert containers.remove([item("a")]) == {}
    assert requests == [
        "POST /v1.45/containers/a/pause",
        "POST /v1.45/containers/a/unpause",
        "DELETE /v1.45/containers/a?force=1",
    ]


def log_of(serve, has_terminal, status, body):
    requests = []
    found = json.dumps({"Config": {"Tty": has_terminal}}).encode()
    answers = {"/containers/a/json": (200, found), "/containers/a/logs": (status, body)}
    ping, handle = answering(requests, answers)
    try:
        return DockerContainers(Runner(), serve(ping, handle, handle)).log(item("a"), 5)
    finally:
        assert requests[1] == "GET /v1.45/containers/a/logs?stdout=1&stderr=1&tail=5"


def frame(kind, content):
    return bytes([kind, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def test_a_log_has_both_streams_in_order(serve, transcript):
    content = transcript("docker-26.1.5-logs.bin").encode()
    assert log_of(serve, False, 200, content) == "out\nerr\nend\n"


def test_the_log_of_a_terminal_has_no_frames(serve):
    assert log_of(serve, True, 200, b"out\r\nerr\r\n") == "out\r\nerr\r\n"


def test_only_the_end_of_a_long_log_is_kept(serve):
    line = b"x" * 3_000_000 + b"\n"
    content = b"".join(frame(1, line[at : at + 16384]) for at in range(0, len(line), 16384))
    assert log_of(serve, False, 200, content) == line.decode()
    text = log_of(serve, False, 200, content * 4)
    assert len(text) == 4 * 1024 * 1024
    assert text.endswith("x\n")


def test_a_log_that_cannot_be_read_has_the_cause(serve):
    cause = "configured logging driver does not support reading"
    with fails("request_failed", cause) as caught:
        log_of(serve, False, 501, message(cause))
    assert caught.value.cause == cause
    with fails("output_unreadable", "broken"):
        log_of(serve, False, 200, frame(1, b"out\n") + frame(3, b"broken"))


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=8),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_frames_can_arrive_in_any_pieces(frames, cuts):
    data = b"".join(frame(*each) for each in frames)
    ends = [*sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in zip([0, *ends], ends)]
    found = b"".join(docker_streams.read_frames(pieces))
    assert found == b"".join(content for _kind, content in frames)


@pytest.mark.parametrize("end", [3, 8, 10])
def test_a_log_must_not_end_within_a_frame(end):
    with pytest.raises(ValueError, match="in the middle"):
        list(docker_streams.read_frames([frame(1, b"abc")[:end]]))


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        ({"status": "Pulling fs layer", "id": "a"}, "", []),
        ({"status": "Digest: sha256:1"}, "", ["Digest: sha256:1"]),
        ({"stream": "Loaded image: a:1\n"}, "", ["Loaded image: a:1"]),
        ({"errorDetail": {"message": "no"}, "error": "no"}, "no", []),
        ({"error": "no"}, "no", []),
        ({"aux": {}}, "", []),
    ],
)
def test_messages_of_an_operation_are_parsed(document, error, message):
    assert docker_streams.find_error(document) == error
    assert docker_streams.find_message(document) == message


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=5), st.integers(1, 50))
def test_documents_can_arrive_in_any_pieces(documents, size):
    data = b"".join(json.dumps(each).encode() + b"\r\n" for each in documents)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(docker_streams.read_documents(pieces)) == documents
    assert list(docker_streams.read_documents([data.rstrip()])) == documents


@pytest.mark.parametrize("data", [b"text\n", b"[]\n", b"{", b"x" * 2_000_000])
def test_other_documents_are_unreadable(data):
    with pytest.raises(ValueError, match=r"Expect|instead of dict|more than"):
        list(docker_streams.read_documents([data]))
