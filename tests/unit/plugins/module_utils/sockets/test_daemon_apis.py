# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Docker and CRI-O have the paths and versions that these daemons support."""

from __future__ import annotations

import json
import urllib.parse

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import crio_api
from ansible_collections.cruntime.node.plugins.module_utils.docker_api import DockerApi
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
