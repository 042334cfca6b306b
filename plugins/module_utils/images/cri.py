# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image store of a CRI: list, pull and remove images with crictl."""

from __future__ import annotations

import json
import re
from typing import AbstractSet, Any

from ansible_collections.cruntime.node.plugins.module_utils import crictl
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    full_id,
    normalised,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Credentials,
    Details,
    Image,
    ImageStore,
    Verb,
    is_not_found,
    parse_time,
)


class CriStore(ImageStore):
    """Images of containerd or CRI-O, as far as the CRI supports them."""

    def images(self) -> list[Image]:
        return parse_images(self._crictl("images", "--output", "json"))

    def details(self, ids: list[str]) -> dict[str, Details]:
        return (
            parse_details(self._crictl("inspecti", "--output", "json", *map(_hex, ids)))
            if ids
            else {}
        )

    def users(self) -> dict[str, list[str]]:
        return parse_users(self._crictl("ps", "--all", "--output", "json"))

    def check(self, needed: AbstractSet[Verb]) -> None:
        self._require_tool("crictl", what="image work")

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        env = {"CRICTL_CREDS": ":".join(credentials)} if credentials else None
        self._crictl("pull", name, timeout=self._timeout, env=env)

    def remove(self, image: Image, force: bool) -> None:
        try:
            self._crictl("rmi", _hex(image.id), timeout=self._timeout)
        except CommandError as error:
            if not is_not_found(error):
                raise

    def _crictl(self, *words: str, timeout: float = 60, env: dict[str, Any] | None = None) -> str:
        endpoint = self._runtime.cri_endpoint
        result = crictl.run(self._runner, endpoint, *words, timeout=timeout, env=env)
        if result.rc != 0:
            raise result.failure(f"crictl {' '.join(words)}", cause=parse_failure(result.words))
        return result.out


@parsing("crictl images")
def parse_images(text: str) -> list[Image]:
    """Parse C(crictl images --output json)."""
    return [
        Image(
            id=full_id(item["id"]),
            repo_tags=tuple(normalised(name) for name in item.get("repoTags") or ()),
            repo_digests=tuple(normalised(name) for name in item.get("repoDigests") or ()),
            # In JSON from protocol buffers, 64-bit numbers are strings.
            size=int(item.get("size") or 0),
            pinned=bool(item.get("pinned")),
        )
        for item in json.loads(text).get("images") or ()
    ]


@parsing("crictl ps")
def parse_users(text: str) -> dict[str, list[str]]:
    """Parse C(crictl ps --all --output json)."""
    users: dict[str, list[str]] = {}
    for item in json.loads(text).get("containers") or ():
        image = item.get("imageId") or item.get("imageRef") or item["image"]["image"]
        name = item["metadata"]["name"]
        users.setdefault(full_id(image), []).append(f"{name} ({item['id'][:12]})")
    return users


@parsing("crictl inspecti")
def parse_details(text: str) -> dict[str, Details]:
    """Parse C(crictl inspecti) of one or several images."""
    details = {}
    for item in crictl.documents(text):
        spec = (item.get("info") or {}).get("imageSpec") or {}
        labels = (spec.get("config") or {}).get("Labels") or {}
        details[full_id(item["status"]["id"])] = Details(labels, parse_time(spec.get("created")))
    return details


def parse_failure(output: str) -> str:
    """Return the error message in the output of crictl, which also logs it."""
    found = re.search(r'level=fatal msg="((?:[^"\\]|\\.)*)"', output)
    if found:
        output = found.group(1).replace('\\"', '"').replace("\\\\", "\\")
    else:
        output = re.sub(r"^.*(?:FATA|ERRO)\[\d+\] ", "", output)
    return re.sub(r"^pulling image: |rpc error: code = \w+ desc = ", "", output)


def _hex(image_id: str) -> str:
    # Both runtimes accept an ID without its algorithm. CRI-O takes an ID with a colon for a name.
    return image_id.rpartition(":")[2]
