# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls reach a server of grpcio, and have its responses and its errors."""

from __future__ import annotations

import concurrent.futures
import pathlib
import tempfile
import threading

import grpc
import pytest

from ansible_collections.cruntime.node.plugins.module_utils import (
    containerd_api,
    containerd_images,
    cri,
    protobuf,
)
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel
from ansible_collections.cruntime.node.plugins.module_utils.sockets.wire import LIMIT
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

RUNTIME, IMAGES = "/runtime.v1.RuntimeService", "/runtime.v1.ImageService"
INTROSPECTION = "/containerd.services.introspection.v1.Introspection"
LONG = 60
SHORT = 0.3


class Service(grpc.GenericRpcHandler):
    """Handlers of methods: functions of the request and its context that return a message."""

    def __init__(self, handlers):
        self._handlers = handlers
        self.calls = []

    def service(self, details):
        handler = self._handlers.get(details.method)
        if handler is None:
            return None
        self.calls.append(details)
        return grpc.unary_unary_rpc_method_handler(handler)


@pytest.fixture
def serve():
    """Return a function that serves methods, and returns a channel and the service."""
    servers = []
    with tempfile.TemporaryDirectory() as directory:

        def start(handlers, timeout=LONG, limit=LIMIT):
            path = str(pathlib.Path(directory) / f"{len(servers)}")
            service = Service(handlers)
            pool = concurrent.futures.ThreadPoolExecutor(1)
            options = [("grpc.max_receive_message_length", -1)]
            server = grpc.server(pool, handlers=[service], options=options)
            servers.append(server)
            server.add_insecure_port(f"unix:{path}")
            server.start()
            return Channel(path, timeout, limit), service

        yield start
        for server in servers:
            server.stop(None).wait(LONG)


def encoded(fields, **values):
    return protobuf.encode(fields, values)


@pytest.mark.parametrize("size", [0, 1, 16384, 65535, 65536, 3_000_000])
def test_messages_of_any_size_go_both_ways(serve, size):
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    channel, _service = serve({"/x.Y/Echo": lambda request, _context: request})
    with channel:
        assert channel.call("/x.Y/Echo", bytes, body) == body
        assert channel.call("/x.Y/Echo", bytes, body[::-1]) == body[::-1]


def test_calls_of_one_connection_share_compressed_headers(serve):
    def answer(request, context):
        context.set_trailing_metadata([("x-common", "y" * 300), ("x-number", request.hex())])
        return request

    channel, service = serve({"/x.Y/Echo": answer})
    with channel:
        for number in range(300):
            assert channel.call("/x.Y/Echo", bytes, bytes([number % 256]) * 50) == (
                bytes([number % 256]) * 50
            )
    assert len(service.calls) == 300


def test_a_deadline_is_that_of_the_server_and_of_the_client(serve):
    release, seen = threading.Event(), []

    def wait(request, context):
        seen.append(context.time_remaining())
        release.wait(LONG)
        return b""

    channel, _service = serve({"/x.Y/Wait": wait}, SHORT)
    with channel, fails("no_response", "/x.Y/Wait", f"no response within {SHORT} seconds"):
        channel.call("/x.Y/Wait", bytes)
    release.set()
    assert 0 < seen[0] <= SHORT


def test_an_error_has_the_message_of_the_server(serve):
    detail = 'no container "béd/" at 100%\n🐳'
    channel, _service = serve(
        {
            "/x.Y/Fail": lambda _request, context: context.abort(grpc.StatusCode.NOT_FOUND, detail),
            "/x.Y/Echo": lambda request, _context: request,
        }
    )
    with channel:
        with fails("request_failed", "/x.Y/Fail", "gRPC status 5", detail) as caught:
            channel.call("/x.Y/Fail", bytes)
        assert (caught.value.code, caught.value.detail) == (5, detail)
        assert channel.call("/x.Y/Echo", bytes, b"x") == b"x"


def test_an_answer_that_is_larger_than_the_limit_is_unreadable(serve):
    channel, _service = serve({"/x.Y/Flood": lambda *_: bytes(200_000)}, limit=100_000)
    with channel, fails("output_unreadable", "longer than 100000 bytes"):
        channel.call("/x.Y/Flood", bytes)


def test_garbage_is_not_a_message(serve):
    channel, _service = serve({f"{RUNTIME}/Version": lambda *_: b"\xff" * 20})
    with channel, fails("output_unreadable", "RuntimeService/Version", "protobuf"):
        cri.version(channel)


def test_a_runtime_reports_its_version(serve):
    version = {
        "version": "0.1.0",
        "runtime_name": "containerd",
        "runtime_version": "v2.4.2",
        "runtime_api_version": "v1",
    }
    channel, _service = serve({f"{RUNTIME}/Version": lambda *_: encoded(cri._VERSION, **version)})
    with channel:
        assert cri.version(channel) == version


def test_a_status_has_all_of_its_information(serve):
    condition = {"type": "RuntimeReady", "status": True, "reason": "", "message": ""}
    status = {
        "status": {"conditions": [condition, {**condition, "type": "x", "status": False}]},
        "info": {"config": "{}" * 1_500_000},
        "runtime_handlers": [{"name": "runc", "features": None}],
    }

    def answer(request, _context):
        assert request == b"\x08\x01"
        return encoded(cri._STATUS, **status)

    channel, _service = serve({f"{RUNTIME}/Status": answer})
    with channel:
        assert cri.status(channel) == status


@pytest.mark.parametrize(
    ("answer", "driver"),
    [(b"\x0a\x00", "systemd"), (b"\x0a\x02\x08\x01", "cgroupfs"), (b"", None)],
)
def test_a_cgroup_driver_can_be_reported(serve, answer, driver):
    channel, _service = serve({f"{RUNTIME}/RuntimeConfig": lambda *_: answer})
    with channel:
        assert cri.cgroup_driver(channel) == driver


def test_a_runtime_that_does_not_know_the_cgroup_driver_is_no_error(serve):
    channel, _service = serve({})
    with channel:
        assert cri.cgroup_driver(channel) is None
        with fails("request_failed", "Version", "gRPC status 12"):
            cri.version(channel)


def test_a_runtime_that_fails_to_report_the_cgroup_driver_is_an_error(serve):
    def fail(_request, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "starting")

    channel, _service = serve({f"{RUNTIME}/RuntimeConfig": fail})
    with channel, fails("request_failed", "RuntimeConfig", "gRPC status 14", "starting"):
        cri.cgroup_driver(channel)


def test_two_thousand_images_arrive(serve):
    images = [
        {
            "id": f"sha256:{number:064x}",
            "repo_tags": [f"registry.example.com/team/application-{number}:v{number}.1.2"] * 4,
            "repo_digests": [f"registry.example.com/team/application@sha256:{number:064x}"] * 3,
            "size": number << 32,
            "pinned": number % 2 == 0,
        }
        for number in range(2000)
    ]
    fields = {1: protobuf.Field("images", cri._IMAGE, is_repeated=True)}
    answer = encoded(fields, images=images)
    assert len(answer) > 1_000_000
    channel, _service = serve({f"{IMAGES}/ListImages": lambda *_: answer})
    with channel:
        assert cri.list_images(channel) == images


CONTAINER = {
    "id": "c1",
    "pod_sandbox_id": "p1",
    "metadata": {"name": "app", "attempt": 2},
    "image": {"image": "sha256:1", "user_specified_image": "r.test/app:1"},
    "image_ref": "sha256:1",
    "state": "CONTAINER_EXITED",
    "created_at": 1_790_000_000_000_000_000,
    "labels": {"io.kubernetes.pod.name": "web"},
    "annotations": {"ä": ""},
    "image_id": "sha256:1",
}
SANDBOX = {
    "id": "p1",
    "metadata": {"name": "web", "uid": "u1", "namespace": "default", "attempt": 0},
    "state": "SANDBOX_NOTREADY",
    "created_at": 1_790_000_000_000_000_000,
    "labels": {},
    "annotations": {},
    "runtime_handler": "gvisor",
}
PLUGIN = {
    "type": "io.containerd.snapshotter.v1",
    "id": "zfs",
    "exports": {"root": "/var/lib/containerd"},
    "capabilities": ["x"],
    "init_err": {"code": 2, "message": "skip plugin"},
}


@pytest.mark.parametrize(
    ("method", "function", "fields", "item"),
    [
        (f"{RUNTIME}/ListContainers", cri.list_containers, cri._CONTAINER, CONTAINER),
        (f"{RUNTIME}/ListPodSandbox", cri.list_pod_sandboxes, cri._SANDBOX, SANDBOX),
        (
            f"{INTROSPECTION}/Plugins",
            containerd_api.list_plugins,
            containerd_api._PLUGIN,
            PLUGIN,
        ),
    ],
    ids=["containers", "sandboxes", "plugins"],
)
def test_lists_have_all_items(serve, method, function, fields, item):
    listing = {1: protobuf.Field("items", fields, is_repeated=True)}
    answer = encoded(listing, items=[item] * 3)
    channel, _service = serve({method: lambda *_: answer})
    with channel:
        assert function(channel) == [item] * 3


def test_file_systems_have_their_use(serve):
    system = {
        "timestamp": 1_790_000_000_000_000_000,
        "fs_id": {"mountpoint": "/var/lib/containerd"},
        "used_bytes": {"value": 4096},
        "inodes_used": {"value": 0},
    }
    answer = encoded(cri._FILESYSTEMS, image_filesystems=[system])
    channel, _service = serve({f"{IMAGES}/ImageFsInfo": lambda *_: answer})
    with channel:
        assert cri.image_fs_info(channel) == {
            "image_filesystems": [system],
            "container_filesystems": [],
        }


def test_a_server_reports_its_process_and_its_deprecations(serve):
    server = {
        "uuid": "u1",
        "pid": 17,
        "deprecations": [{"id": "io.containerd.deprecation/x", "message": "x is deprecated"}],
    }
    answer = encoded(containerd_api._SERVER, **server)
    channel, _service = serve({f"{INTROSPECTION}/Server": lambda *_: answer})
    with channel:
        assert containerd_api.server(channel) == server


CONTAINERD_IMAGES = "/containerd.services.images.v1.Images"
TARGET = {"media_type": "m", "digest": "sha256:1", "size": 7, "annotations": {}}


@pytest.fixture
def names(serve):
    """Return a function that serves the image service, and returns the names of a namespace."""

    def start(handlers):
        channel, _service = serve(
            {f"{CONTAINERD_IMAGES}/{method}": handler for method, handler in handlers.items()}
        )
        return containerd_images.ContainerdImages(channel._path, "k8s.io", LONG)

    return start


def test_names_are_those_of_one_namespace(names):
    image = {"name": "sbx:1", "labels": {"a": "b"}, "target": TARGET}
    namespaces = []

    def answer(_request, context):
        namespaces.append(dict(context.invocation_metadata())["containerd-namespace"])
        return encoded(containerd_images._LIST, images=[image] * 2)

    with names({"List": answer}) as found:
        assert found.list_all() == [image] * 2
    assert namespaces == ["k8s.io"]


def test_name_that_exists_gets_another_target(names):
    updates = []

    def create(_request, context):
        context.abort(grpc.StatusCode.ALREADY_EXISTS, "exists")

    def update(request, _context):
        updates.append(protobuf.decode(containerd_images._UPDATE, request))
        return b""

    def get(_request, _context):
        return encoded(containerd_images._ONE, image={"name": "a:1", "target": TARGET})

    with names({"Create": create, "Update": update, "Get": get}) as found:
        found.set_target("a:1", TARGET)
        found.set_label("a:1", "io.cri-containerd.pinned", "pinned")
    target, label = updates
    assert (target["image"]["name"], target["image"]["target"]) == ("a:1", TARGET)
    assert target["update_mask"] == {"paths": ["target"]}
    assert label["image"]["labels"] == {"io.cri-containerd.pinned": "pinned"}
    # containerd 2.4 ends with a panic if an update has no target.
    assert label["image"]["target"] == TARGET
    assert label["update_mask"] == {"paths": ["labels.io.cri-containerd.pinned"]}


def test_name_that_does_not_exist_is_deleted(names):
    def delete(_request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "not found")

    def fail(_request, context):
        context.abort(grpc.StatusCode.INTERNAL, "disk")

    with names({"Delete": delete, "Create": fail}) as found:
        found.delete("a:1")
        with fails("request_failed", "disk"):
            found.set_target("a:1", TARGET)
