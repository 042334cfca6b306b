# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert an image archive to a form that every runtime loads alike, while it is read.

The runtimes disagree on incomplete names, on layers that are links, and on entries that are not
images. So the documents that list the images are replaced. All other members are copied.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import IO, Any, Callable, Iterable, Iterator, cast

from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.runner import Stream
from ansible_collections.cruntime.node.plugins.module_utils.tar_documents import LimitedMember

_CHUNK = 1024 * 1024
# Documents that list images.
_LISTS = ("manifest.json", "index.json", "repositories", "oci-layout")
_NAME = "io.containerd.image.name"

#: Returns the names with which an image is loaded, which are fully qualified.
NameImage = Callable[[Archived], Iterable[str]]


def as_docker_archive(stream: Stream, images: Iterable[Archived], names: NameImage) -> Stream:
    """Convert an archive to a docker-archive, which all runtimes support.

    :param stream: uncompressed archive of any format.
    :param images: images to load from it.
    """
    entries = [
        {
            "Config": image.config_path,
            "RepoTags": list(names(image)) or None,
            "Layers": list(image.layer_paths),
        }
        for image in images
    ]
    return PartStream(_replace_lists(stream, {"manifest.json": entries}))


def as_oci_layout(stream: Stream, images: Iterable[Archived], names: NameImage) -> Stream:
    """Replace the index of an OCI layout. The layout keeps the digests and all platforms.

    :param stream: uncompressed OCI layout.
    :param images: images to load from it.
    """
    entries = []
    for image in images:
        # Without a name, an entry has no annotations.
        entries += [
            {**image.descriptor, "annotations": fields}
            for fields in [{_NAME: name} for name in names(image)] or [{}]
        ]
    index = {"schemaVersion": 2, "manifests": entries}
    documents = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": index}
    return PartStream(_replace_lists(stream, documents))


def name_digests(stream: Stream, digests: Iterable[str]) -> Stream:
    """Name the images of an OCI layout that was saved by digest.

    Docker writes the entry of such an image without the name.

    :param stream: uncompressed OCI layout.
    :param digests: fully qualified references by digest.
    """
    return PartStream(_edit_index(stream, list(digests)))


class PartStream:
    """Stream of bytes that are produced in parts."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, empty at the end."""
        if size < 0:
            data, self._rest = self._rest + b"".join(self._parts), b""
            return data
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._rest = part
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _replace_lists(stream: Stream, documents: dict[str, Any]) -> Iterator[bytes]:
    """Yield an archive whose lists of images are replaced.

    :param documents: JSON documents at its beginning, by path.
    """
    for name, document in documents.items():
        yield from _write_document(name, document)
    for member, content in _read_members(stream):
        if os.path.normpath(member.name) not in _LISTS:
            yield from _write_member(member, content)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _edit_index(stream: Stream, digests: list[str]) -> Iterator[bytes]:
    for member, content in _read_members(stream):
        if os.path.normpath(member.name) == "index.json" and content is not None:
            index = json.load(content)
            entries = add_digests(index["manifests"], digests)
            yield from _write_document(member.name, {**index, "manifests": entries})
        else:
            yield from _write_member(member, content)
    yield bytes(2 * tarfile.BLOCKSIZE)


def add_digests(entries: list[dict[str, Any]], digests: list[str]) -> list[dict[str, Any]]:
    """Return the entries of an index with an entry for each reference by digest.

    An entry without a name is dropped if its digest has a reference.
    """
    by_digest = {entry["digest"]: entry for entry in entries}
    added = []
    for name in digests:
        entry = by_digest.get(name.partition("@")[2])
        if entry:
            annotations = {**(entry.get("annotations") or {}), _NAME: name}
            added.append({**entry, "annotations": annotations})
    replaced = {entry["digest"] for entry in added}
    return added + [
        each
        for each in entries
        if each["digest"] not in replaced or _NAME in (each.get("annotations") or {})
    ]


def _read_members(stream: Stream) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield each member of an archive with its content, None if it is not a regular file."""
    source: IO[bytes] = cast("IO[bytes]", stream)
    with tarfile.open(fileobj=source, mode="r|", tarinfo=LimitedMember) as tar:
        for member in tar:
            yield member, tar.extractfile(member) if member.isreg() else None


def _write_document(name: str, document: dict[str, Any]) -> Iterator[bytes]:
    content = json.dumps(document).encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    yield from _write_member(member, io.BytesIO(content))


def _write_member(member: tarfile.TarInfo, content: Any) -> Iterator[bytes]:
    yield member.tobuf(tarfile.GNU_FORMAT)
    if content is not None:
        yield from iter(lambda: content.read(_CHUNK), b"")
        yield bytes(-member.size % tarfile.BLOCKSIZE)
