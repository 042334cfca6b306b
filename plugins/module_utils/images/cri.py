# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image store of a CRI: list, pull and remove images through the CRI."""

from __future__ import annotations

import json
from typing import Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils import cri
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    full_id,
    normalize,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Credentials,
    Details,
    Image,
    ImageStore,
    parse_time,
)
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import (
    NOT_FOUND,
    Channel,
)

# Time for a query, in seconds.
_QUERY_TIMEOUT = 60


class CriStore(ImageStore):
    """Images of containerd or CRI-O, with the operations that the CRI supports."""

    def images(self, any_platform: bool = False) -> list[Image]:
        with self._channel(_QUERY_TIMEOUT) as channel:
            return parse_images(cri.list_images(channel))

    def details(self, ids: list[str]) -> dict[str, Details]:
        with self._channel(_QUERY_TIMEOUT) as channel:
            return parse_details(cri.image_status(channel, _hex(each)) for each in ids)

    def users(self) -> dict[str, list[str]]:
        with self._channel(_QUERY_TIMEOUT) as channel:
            return parse_users(cri.list_containers(channel))

    def sandbox_images(self) -> set[str]:
        with self._channel(_QUERY_TIMEOUT) as channel:
            # Pods from before a change of the setting use another image.
            pods = [each["id"] for each in cri.list_pod_sandboxes(channel)]
            found = (_find_sandbox(channel, each) for each in pods)
            statuses = [status for status in found if status]
        return super().sandbox_images() | parse_sandbox_images(statuses)

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        # Each pull has its own channel, because several threads pull at the same time.
        with self._channel(self._timeout) as channel:
            cri.pull_image(channel, name, credentials)

    def remove(self, image: Image, force: bool) -> None:
        try:
            with self._channel(self._timeout) as channel:
                cri.remove_image(channel, _hex(image.id))
        except RequestError as error:
            # The CRI requires success, but older versions of CRI-O report an error of any code.
            if error.code != NOT_FOUND and "image not known" not in error.detail:
                raise

    def _channel(self, timeout: float) -> Channel:
        return Channel(self._runtime.socket_path, timeout)


def _find_sandbox(channel: Channel, pod_id: str) -> dict[str, Any] | None:
    """Return the status of a pod sandbox; None if it was removed after it was listed."""
    try:
        return cri.pod_sandbox_status(channel, pod_id)
    except RequestError as error:
        if error.code != NOT_FOUND:
            raise
    return None


def parse_images(images: list[dict[str, Any]]) -> list[Image]:
    """Parse the images of the CRI."""
    return [
        Image(
            id=full_id(item["id"]),
            repo_tags=tuple(map(normalize, item["repo_tags"])),
            repo_digests=tuple(map(normalize, item["repo_digests"])),
            size=item["size"],
            pinned=item["pinned"],
        )
        for item in images
    ]


def parse_users(containers: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Parse the containers of the CRI: those that use an image, by image ID."""
    users: dict[str, list[str]] = {}
    for item in containers:
        name = (item["metadata"] or {}).get("name", "")
        users.setdefault(cri.image_id_of(item), []).append(f"{name} ({item['id'][:12]})")
    return users


@parsing("PodSandboxStatus")
def parse_sandbox_images(statuses: Iterable[dict[str, Any]]) -> set[str]:
    """Parse the statuses of pod sandboxes: the names of their images."""
    found = (json.loads(status["info"].get("info", "{}")).get("image") for status in statuses)
    return {name for name in found if name}


@parsing("ImageStatus")
def parse_details(statuses: Iterable[dict[str, Any]]) -> dict[str, Details]:
    """Parse the statuses of images. An image that no longer exists has no details."""
    details = {}
    for status in statuses:
        if status["image"]:
            spec = json.loads(status["info"].get("info", "{}")).get("imageSpec") or {}
            labels = (spec.get("config") or {}).get("Labels") or {}
            found = Details(labels, parse_time(spec.get("created")))
            details[full_id(status["image"]["id"])] = found
    return details


def _hex(image_id: str) -> str:
    # Both runtimes accept an ID without its algorithm. CRI-O parses an ID with a colon as a name.
    return image_id.rpartition(":")[2]
