# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Docker and CRI-O have the paths and versions that these daemons support."""

from __future__ import annotations

import json
import urllib.parse

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import crio_api
from ansible_collections.cruntime.node.plugins.module_utils.docker_api import (
    DockerApi,
    missing_ok,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.docker import parse_pushed
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

LONG = 60


def responding(requests, body, status="200 OK", header=""):
    """Return a handler that records the path of the request, and sends a response."""

    def handle(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(65536)
        requests.append(head.decode().split(" ")[1])
        size = len(body.encode())
        connection.sendall(
            f"HTTP/1.1 {status}\r\n{header}Content-Length: {size}\r\n\r\n{body}".encode()
        )

    return handle


@pytest.mark.parametrize(
    ("theirs", "used"),
    [("1.41", "1.41"), ("1.56", "1.56"), ("1.57", "1.56"), ("1.9", "1.9"), ("2.0", "1.56")],
)
def test_the_older_version_of_both_sides_is_used(serve, theirs, used):
    requests = []
    path = serve(
        responding(requests, "OK", header=f"Api-Version: {theirs}\r\n"),
        responding(requests, '{"CgroupDriver": "systemd"}'),
        responding(requests, '{"Version": "29.8.1"}'),
        responding(requests, '[{"Id": "a"}]'),
        responding(requests, "[]"),
    )
    docker = DockerApi(LONG, path)
    assert docker.info() == {"CgroupDriver": "systemd"}
    assert docker.version() == {"Version": "29.8.1"}
    assert docker.containers(include_stopped=True) == [{"Id": "a"}]
    assert docker.containers(include_stopped=False) == []
    paths = ["/info", "/version", "/containers/json?all=true", "/containers/json?all=false"]
    assert requests == ["/_ping", *(f"/v{used}{each}" for each in paths)]


def test_events_have_a_period_and_filters(serve):
    requests = []
    path = serve(
        responding([], "OK", header="Api-Version: 1.41\r\n"),
        responding(requests, '{"Action": "reload"}\n{"Action": "reload"}\n'),
        responding([], ""),
    )
    docker = DockerApi(LONG, path)
    asked = (1790000000.25, 1790000001.0, {"type": ["daemon"], "event": ["reload"]})
    assert docker.events(*asked) == [{"Action": "reload"}] * 2
    assert docker.events(*asked) == []
    url = urllib.parse.urlsplit(requests[0])
    assert url.path == "/v1.41/events"
    query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))
    assert query.keys() == {"since", "until", "filters"}
    assert (query["since"], query["until"]) == ("1790000000.250000", "1790000001.000000")
    assert json.loads(query["filters"]) == {"type": ["daemon"], "event": ["reload"]}


@pytest.mark.parametrize("header", ["", "Api-Version: \r\n", "Api-Version: v1.41\r\n"])
def test_a_daemon_without_a_version_is_not_docker(serve, header):
    path = serve(responding([], "OK", header=header))
    with fails("output_unreadable", path, "GET /_ping", "no Api-Version"):
        DockerApi(LONG, path).info()


PING = responding([], "OK", header="Api-Version: 1.41\r\n")


def test_an_object_that_does_not_exist_is_not_found(serve):
    requests = []
    path = serve(
        PING,
        responding(requests, '[{"Id": "a"}]'),
        responding(requests, '{"Id": "a"}'),
        responding(requests, '{"message": "No such image: b"}', "404 Not Found"),
        responding(requests, '{"message": "broken"}', "500 Internal Server Error"),
    )
    docker = DockerApi(LONG, path)
    assert docker.images() == [{"Id": "a"}]
    assert docker.find("/images/a/json") == {"Id": "a"}
    assert docker.find("/images/b/json") is None
    with fails("request_failed", "HTTP status 500: broken"):
        docker.find("/images/c/json")
    paths = [f"/v1.41/images/{each}" for each in ("json", "a/json", "b/json", "c/json")]
    assert requests == paths


def test_changes_have_a_query(serve):
    requests = []
    path = serve(PING, responding(requests, ""), responding(requests, "[]"))
    docker = DockerApi(LONG, path)
    docker.change("POST", "/images/a/tag", repo="r:5000/x y", tag="1")
    docker.change("DELETE", "/images/r:5000/x:1")
    assert requests == [
        "/v1.41/images/a/tag?repo=r%3A5000%2Fx+y&tag=1",
        "/v1.41/images/r:5000/x:1",
    ]


def test_a_missing_object_can_be_ignored(serve):
    path = serve(
        PING,
        responding([], '{"message": "No such image"}', "404 Not Found"),
        responding([], '{"message": "conflict"}', "409 Conflict"),
    )
    docker = DockerApi(LONG, path)
    with missing_ok():
        docker.change("DELETE", "/images/a")
    with fails("request_failed", "409: conflict"), missing_ok():
        docker.change("DELETE", "/images/a")


def test_an_operation_returns_its_messages(serve, transcript):
    requests = []
    path = serve(PING, responding(requests, transcript("docker-29.8.1-push.bin")))
    messages = DockerApi(LONG, path).follow("/images/x/push", {"tag": "1"}, {"X-Registry-Auth": ""})
    assert requests == ["/v1.41/images/x/push?tag=1"]
    assert parse_pushed(messages, "x:1").startswith("sha256:")


def test_an_error_during_an_operation_is_raised(serve, transcript):
    path = serve(PING, responding([], transcript("docker-26.1.5-pull-damaged.bin")))
    with fails("request_failed", "POST /images/create", "") as caught:
        DockerApi(LONG, path).follow("/images/create", {}, {})
    assert caught.value.detail in str(caught.value)
    assert caught.value.detail


def test_an_error_of_docker_has_its_message(serve):
    message = "client version 1.56 is too new. Maximum supported API version is 1.41"
    body = json.dumps({"message": message})
    path = serve(
        responding([], "OK", header="Api-Version: 1.56\r\n"),
        responding([], body, "400 Bad Request"),
    )
    with fails("request_failed", path, "GET /v1.56/version", "HTTP status 400", message) as caught:
        DockerApi(LONG, path).version()
    assert (caught.value.code, caught.value.detail) == (400, message)


@pytest.mark.parametrize("body", ["[]", "null", "{"])
def test_a_response_of_another_type_is_unreadable(serve, body):
    path = serve(
        responding([], "OK", header="Api-Version: 1.41\r\n"),
        responding([], body),
    )
    with fails("output_unreadable", path, "GET /v1.41/info"):
        DockerApi(LONG, path).info()


def test_crio_reports_its_configuration_and_its_storage(serve):
    requests = []
    config = '[crio.image]\npause_image = "registry.k8s.io/pause:3.10"\n'
    path = serve(
        responding(requests, config), responding(requests, '{"storage_driver": "overlay"}')
    )
    assert crio_api.config(path, LONG) == config
    assert crio_api.info(path, LONG) == {"storage_driver": "overlay"}
    assert requests == ["/config", "/info"]
