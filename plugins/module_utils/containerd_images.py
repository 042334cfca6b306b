# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the image service of containerd: the names of one namespace.

The CRI lists a name in its full form, even if containerd has it only in a short form, in which the
CRI does not find it. This service has the names as they are.

Source:
U(https://github.com/containerd/containerd/blob/main/api/services/images/v1/images.proto).

All methods raise C(errors.RequestError) if containerd does not respond in time, if it responds with
an error, or if its response is unreadable.
"""

from __future__ import annotations

import functools
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import protobuf
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.protobuf import ENTRY, Field, Message
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import (
    ALREADY_EXISTS,
    NOT_FOUND,
    Channel,
)

_DESCRIPTOR: Message = {
    1: Field("media_type", str),
    2: Field("digest", str),
    3: Field("size", int),
    5: Field("annotations", ENTRY),
}
_IMAGE: Message = {
    1: Field("name", str),
    2: Field("labels", ENTRY),
    3: Field("target", _DESCRIPTOR),
}
_ONE: Message = {1: Field("image", _IMAGE)}
_LIST: Message = {1: Field("images", _IMAGE, is_repeated=True)}
_NAME: Message = {1: Field("name", str), 2: Field("sync", bool)}
_UPDATE: Message = {
    1: Field("image", _IMAGE),
    2: Field("update_mask", {1: Field("paths", str, is_repeated=True)}),
}


class ContainerdImages:
    """Names of images in one namespace. Each is a dictionary: C(name), C(labels) and C(target).

    :param path: path of the unix socket of containerd.
    :param timeout: time for each call, in seconds.
    """

    def __init__(self, path: str, namespace: str, timeout: float) -> None:
        self._channel = Channel(path, timeout, metadata={"containerd-namespace": namespace})

    def __enter__(self) -> ContainerdImages:
        return self

    def __exit__(self, *exception: object) -> None:
        self._channel.__exit__(*exception)

    def list_all(self) -> list[dict[str, Any]]:
        """Return all names."""
        return list(self._call("List", _LIST)["images"])

    def get(self, name: str) -> dict[str, Any]:
        """Return one name, exactly as it is spelled. A name that does not exist is an error."""
        request = protobuf.encode(_NAME, {"name": name})
        image: dict[str, Any] = self._call("Get", _ONE, request)["image"]
        return image

    def set_target(self, name: str, target: dict[str, Any]) -> None:
        """Let a name refer to another image, and create the name if it does not exist.

        :param target: descriptor of the manifest or image index.
        """
        image = {"name": name, "target": target}
        try:
            self._call("Create", _ONE, protobuf.encode(_ONE, {"image": image}))
        except RequestError as error:
            if error.code != ALREADY_EXISTS:
                raise
            self._update(image, "target")

    def set_label(self, name: str, key: str, value: str) -> None:
        """Set a label of a name. An empty value removes the label."""
        # containerd 2.4 ends with a panic if an update has no target.
        image = {"name": name, "labels": {key: value}, "target": self.get(name)["target"]}
        self._update(image, f"labels.{key}")

    def delete(self, name: str) -> None:
        """Delete a name, if it exists, and the content of the image with its last name."""
        request = protobuf.encode(_NAME, {"name": name, "sync": True})
        try:
            self._call("Delete", {}, request)
        except RequestError as error:
            if error.code != NOT_FOUND:
                raise

    def _update(self, image: dict[str, Any], path: str) -> None:
        mask = {"paths": [path]}
        self._call("Update", _ONE, protobuf.encode(_UPDATE, {"image": image, "update_mask": mask}))

    def _call(self, method: str, response: Message, request: bytes = b"") -> dict[str, Any]:
        decode = functools.partial(protobuf.decode, response)
        return self._channel.call(
            f"/containerd.services.images.v1.Images/{method}", decode, request
        )
