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
_CONTAINER: Message = {
    1: Field("id", str),
    2: Field("pod_sandbox_id", str),
    3: Field("metadata", {1: Field("name", str), 2: Field("attempt", int)}),
    4: Field("image", {1: Field("image", str)}),
    5: Field("image_ref", str),
    6: Field("state", _CONTAINER_STATES),
    7: Field("created_at", int),
    8: Field("labels", ENTRY),
    9: Field("annotations", ENTRY),
}

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

_IMAGE: Message = {
    1: Field("id", str),
    2: Field("repo_tags", str, is_repeated=True),
    3: Field("repo_digests", str, is_repeated=True),
    4: Field("size", int),
    8: Field("pinned", bool),
}


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


def _call(channel: Channel, method: str, response: Message, request: bytes = b"") -> dict[str, Any]:
    decode = functools.partial(protobuf.decode, response)
    return channel.call(f"/runtime.v1.{method}", decode, request)


def _list(channel: Channel, method: str, name: str, item: Message) -> list[dict[str, Any]]:
    items = _call(channel, method, {1: Field(name, item, is_repeated=True)})[name]
    return list(items)
