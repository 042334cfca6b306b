# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the CRI of a runtime, version 1.

Responses are dictionaries with the names of
U(https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto). They contain the
fields that the collection uses. A message that the runtime did not set is None. Times are
nanoseconds since the epoch, and sizes are bytes.

All functions raise C(errors.RequestError) if the runtime does not respond in time, if it responds
with an error, or if its response is unreadable.
"""

from __future__ import annotations

import functools
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import protobuf
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import full_id
from ansible_collections.cruntime.node.plugins.module_utils.protobuf import ENTRY, Field, Message
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import (
    UNIMPLEMENTED,
    Channel,
)

_VERSION: Message = {
    1: Field("version", str),
    2: Field("runtime_name", str),
    3: Field("runtime_version", str),
    4: Field("runtime_api_version", str),
}

_CONDITION: Message = {
    1: Field("type", str),
    2: Field("status", bool),
    3: Field("reason", str),
    4: Field("message", str),
}
_HANDLER_FEATURES: Message = {
    1: Field("recursive_read_only_mounts", bool),
    2: Field("user_namespaces", bool),
}
_HANDLER: Message = {1: Field("name", str), 2: Field("features", _HANDLER_FEATURES)}
_STATUS: Message = {
    1: Field("status", {1: Field("conditions", _CONDITION, is_repeated=True)}),
    2: Field("info", ENTRY),
    3: Field("runtime_handlers", _HANDLER, is_repeated=True),
}
_STATUS_REQUEST: Message = {1: Field("verbose", bool)}

_LINUX_CONFIG: Message = {1: Field("cgroup_driver", ("SYSTEMD", "CGROUPFS"))}
_CONFIG: Message = {1: Field("linux", _LINUX_CONFIG)}

_NUMBER: Message = {1: Field("value", int)}
_FILESYSTEM: Message = {
    1: Field("timestamp", int),
    2: Field("fs_id", {1: Field("mountpoint", str)}),
    3: Field("used_bytes", _NUMBER),
    4: Field("inodes_used", _NUMBER),
}
_FILESYSTEMS: Message = {
    1: Field("image_filesystems", _FILESYSTEM, is_repeated=True),
    2: Field("container_filesystems", _FILESYSTEM, is_repeated=True),
}

_CONTAINER_STATES = (
    "CONTAINER_CREATED",
    "CONTAINER_RUNNING",
    "CONTAINER_EXITED",
    "CONTAINER_UNKNOWN",
)
# The kubelet can request an image by its ID. If so, only newer runtimes know the name in the pod.
_IMAGE_SPEC: Message = {1: Field("image", str), 18: Field("user_specified_image", str)}
_CONTAINER: Message = {
    1: Field("id", str),
    2: Field("pod_sandbox_id", str),
    3: Field("metadata", {1: Field("name", str), 2: Field("attempt", int)}),
    4: Field("image", _IMAGE_SPEC),
    5: Field("image_ref", str),
    6: Field("state", _CONTAINER_STATES),
    7: Field("created_at", int),
    8: Field("labels", ENTRY),
    9: Field("annotations", ENTRY),
    # CRI 1.31 and newer. Before that, image_ref is the ID.
    10: Field("image_id", str),
}
_CONTAINER_STATUS: Message = {
    1: Field(
        "status",
        {1: Field("id", str), 3: Field("state", _CONTAINER_STATES), 15: Field("log_path", str)},
    ),
    2: Field("info", ENTRY),
}
_CONTAINER_REQUEST: Message = {1: Field("container_id", str), 2: Field("verbose", bool)}
_STOP_REQUEST: Message = {1: Field("container_id", str), 2: Field("timeout", int)}

_SANDBOX_METADATA: Message = {
    1: Field("name", str),
    2: Field("uid", str),
    3: Field("namespace", str),
    4: Field("attempt", int),
}
_SANDBOX: Message = {
    1: Field("id", str),
    2: Field("metadata", _SANDBOX_METADATA),
    3: Field("state", ("SANDBOX_READY", "SANDBOX_NOTREADY")),
    4: Field("created_at", int),
    5: Field("labels", ENTRY),
    6: Field("annotations", ENTRY),
    7: Field("runtime_handler", str),
}
_SANDBOX_STATUS: Message = {1: Field("status", {1: Field("id", str)}), 2: Field("info", ENTRY)}
_SANDBOX_REQUEST: Message = {1: Field("pod_sandbox_id", str), 2: Field("verbose", bool)}

_IMAGE: Message = {
    1: Field("id", str),
    2: Field("repo_tags", str, is_repeated=True),
    3: Field("repo_digests", str, is_repeated=True),
    4: Field("size", int),
    8: Field("pinned", bool),
}
_IMAGE_STATUS: Message = {1: Field("image", _IMAGE), 2: Field("info", ENTRY)}
_IMAGE_REQUEST: Message = {1: Field("image", _IMAGE_SPEC), 2: Field("verbose", bool)}
_AUTH: Message = {1: Field("username", str), 2: Field("password", str)}
_PULL_REQUEST: Message = {1: Field("image", _IMAGE_SPEC), 2: Field("auth", _AUTH)}
_EMPTY: Message = {}


def version(channel: Channel) -> dict[str, Any]:
    """Return the name and the version of the runtime: C(VersionResponse)."""
    return _call(channel, "RuntimeService/Version", _VERSION)


def status(channel: Channel) -> dict[str, Any]:
    """Return the conditions of the runtime: C(StatusResponse).

    In C(info), each runtime has its own keys, most of them with a JSON document as text.
    """
    request = protobuf.encode(_STATUS_REQUEST, {"verbose": True})
    return _call(channel, "RuntimeService/Status", _STATUS, request)


def cgroup_driver(channel: Channel) -> str | None:
    """Return the cgroup driver for the kubelet: systemd or cgroupfs.

    :return: None if the runtime does not report it: it lacks the method RuntimeConfig, or it has
        no configuration for Linux.
    """
    try:
        linux = _call(channel, "RuntimeService/RuntimeConfig", _CONFIG)["linux"]
    except RequestError as error:
        if error.code != UNIMPLEMENTED:
            raise
        return None
    return str(linux["cgroup_driver"]).lower() if linux else None


def image_fs_info(channel: Channel) -> dict[str, Any]:
    """Return the use of file systems with images and containers: C(ImageFsInfoResponse)."""
    return _call(channel, "ImageService/ImageFsInfo", _FILESYSTEMS)


def list_containers(channel: Channel) -> list[dict[str, Any]]:
    """Return all containers, in every state: C(Container)."""
    return _list(channel, "RuntimeService/ListContainers", "containers", _CONTAINER)


def list_pod_sandboxes(channel: Channel) -> list[dict[str, Any]]:
    """Return all pod sandboxes, in every state: C(PodSandbox)."""
    return _list(channel, "RuntimeService/ListPodSandbox", "items", _SANDBOX)


def list_images(channel: Channel) -> list[dict[str, Any]]:
    """Return all images: C(Image)."""
    return _list(channel, "ImageService/ListImages", "images", _IMAGE)


def image_status(channel: Channel, image: str) -> dict[str, Any]:
    """Return an image with its configuration: C(ImageStatusResponse).

    C(image) is None if the image does not exist. In C(info), the value of the key info is a JSON
    document with the configuration as C(imageSpec).

    :param image: ID or name of the image.
    """
    request = protobuf.encode(_IMAGE_REQUEST, {"image": {"image": image}, "verbose": True})
    return _call(channel, "ImageService/ImageStatus", _IMAGE_STATUS, request)


def pull_image(channel: Channel, name: str, credentials: tuple[str, str] | None) -> None:
    """Pull an image.

    :param credentials: user name and password for the registry.
    """
    auth = dict(zip(("username", "password"), credentials)) if credentials else None
    request = protobuf.encode(_PULL_REQUEST, {"image": {"image": name}, "auth": auth})
    _call(channel, "ImageService/PullImage", _EMPTY, request)


def remove_image(channel: Channel, image: str) -> None:
    """Remove an image with all its names.

    :param image: ID or name of the image.
    """
    request = protobuf.encode(_IMAGE_REQUEST, {"image": {"image": image}})
    _call(channel, "ImageService/RemoveImage", _EMPTY, request)


def container_status(
    channel: Channel, container_id: str, *, verbose: bool = False
) -> dict[str, Any]:
    """Return the status of a container: C(ContainerStatusResponse).

    :param verbose: whether C(info) has the key info: a JSON document with the container as
        C(runtimeSpec).
    """
    values = {"container_id": container_id, "verbose": verbose}
    request = protobuf.encode(_CONTAINER_REQUEST, values)
    return _call(channel, "RuntimeService/ContainerStatus", _CONTAINER_STATUS, request)


def stop_container(channel: Channel, container_id: str, timeout: int) -> None:
    """Stop a container.

    :param timeout: time in seconds for the container to exit before it is killed.
    """
    request = protobuf.encode(_STOP_REQUEST, {"container_id": container_id, "timeout": timeout})
    _call(channel, "RuntimeService/StopContainer", _EMPTY, request)


def remove_container(channel: Channel, container_id: str) -> None:
    """Remove a container."""
    request = protobuf.encode(_CONTAINER_REQUEST, {"container_id": container_id})
    _call(channel, "RuntimeService/RemoveContainer", _EMPTY, request)


def pod_sandbox_status(channel: Channel, sandbox_id: str) -> dict[str, Any]:
    """Return the status of a pod sandbox: C(PodSandboxStatusResponse).

    In C(info), the value of the key info is a JSON document with the sandbox as C(runtimeSpec).
    """
    request = protobuf.encode(_SANDBOX_REQUEST, {"pod_sandbox_id": sandbox_id, "verbose": True})
    return _call(channel, "RuntimeService/PodSandboxStatus", _SANDBOX_STATUS, request)


def stop_pod_sandbox(channel: Channel, sandbox_id: str) -> None:
    """Stop a pod sandbox, and kill the containers in it."""
    request = protobuf.encode(_SANDBOX_REQUEST, {"pod_sandbox_id": sandbox_id})
    _call(channel, "RuntimeService/StopPodSandbox", _EMPTY, request)


def remove_pod_sandbox(channel: Channel, sandbox_id: str) -> None:
    """Remove a pod sandbox, and the containers in it."""
    request = protobuf.encode(_SANDBOX_REQUEST, {"pod_sandbox_id": sandbox_id})
    _call(channel, "RuntimeService/RemovePodSandbox", _EMPTY, request)


def image_id_of(container: dict[str, Any]) -> str:
    """Return the ID of the image of a container, with its algorithm.

    :param container: a C(Container).
    """
    image = container["image"] or {}
    return full_id(container["image_id"] or container["image_ref"] or image.get("image", ""))


def _call(channel: Channel, method: str, response: Message, request: bytes = b"") -> dict[str, Any]:
    decode = functools.partial(protobuf.decode, response)
    return channel.call(f"/runtime.v1.{method}", decode, request)


def _list(channel: Channel, method: str, name: str, item: Message) -> list[dict[str, Any]]:
    items = _call(channel, method, {1: Field(name, item, is_repeated=True)})[name]
    return list(items)
