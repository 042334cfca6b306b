# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the manifests of docker-archives, OCI layouts and registries. Pure functions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    is_reference,
    normalize,
)
from ansible_collections.cruntime.node.plugins.module_utils.tar_documents import (
    DamagedError,
    Documents,
)

#: Media types of image indexes, which describe multi-platform images.
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "386",
}
_EXECUTION = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "ExposedPorts", "Volumes")


@dataclasses.dataclass(frozen=True)
class Archived:
    """Image in an archive.

    :param names: fully qualified references, empty if the image has no name in the archive.
    :param config: digest of the configuration, which is the image ID in most stores.
    :param target: digest of the manifest or image index, empty in a docker-archive.
    :param fingerprint: see C(fingerprint).
    :param config_path: path of the configuration in the archive.
    :param layer_paths: paths of the layers in the archive, the lowest layer first.
    :param has_bare_tag: whether an OCI layout names the image with a tag without a repository.
    """

    names: tuple[str, ...]
    config: str
    target: str
    fingerprint: str
    config_path: str
    layer_paths: tuple[str, ...]
    has_bare_tag: bool = False


def parse_images(documents: Documents) -> list[Archived]:
    """Return the images in an archive.

    :raises DamagedError: if the archive has no images, or an image is incomplete.
    """
    contents = documents.contents
    try:
        if "index.json" in contents and "oci-layout" in documents.sizes:
            images = _oci_images(contents, documents.sizes)
        elif "manifest.json" in contents:
            images = list(_docker_images(contents, documents.sizes))
        else:
            raise DamagedError(
                "contains no images: it has neither the manifest.json of a docker-archive "
                "nor the index.json of an OCI layout"
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # RecursionError: an index can list itself, and lists can be nested.
        raise DamagedError("has invalid image metadata (manifest or index)") from error
    if not images:
        raise DamagedError("contains no images: its manifest.json is empty")
    return images


def fingerprint(config: dict[str, Any], layers: list[str]) -> str:
    """Return a digest of the layers of an image and of how it runs.

    It identifies an image in a store that generates manifests, because the digests of manifests
    then differ.
    """
    execution = config.get("config") or config.get("Config") or {}
    parts = [
        layers,
        [config.get(key) or config.get(key.capitalize()) or "" for key in ("architecture", "os")],
        {key: execution.get(key) or None for key in _EXECUTION},
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def this_platform() -> str:
    """Return the platform of this node, such as linux/amd64."""
    machine = platform.machine()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


def for_this_node(index: dict[str, Any]) -> dict[str, Any] | None:
    """Return the entry of an image index for the platform of this node; None if it has none."""
    entries: list[dict[str, Any]] = index["manifests"]
    for entry in entries:
        given = entry.get("platform") or {}
        if f"{given.get('os')}/{given.get('architecture')}" == this_platform():
            return entry
    return None


def _docker_images(documents: dict[str, bytes], sizes: dict[str, int]) -> Iterator[Archived]:
    for entry in json.loads(documents["manifest.json"]):
        config_path = os.path.normpath(entry["Config"])
        layer_paths = [os.path.normpath(layer) for layer in entry["Layers"]]
        content = _member(documents, config_path)
        for layer in layer_paths:
            if layer not in sizes:
                raise DamagedError(f"is incomplete: the layer {layer} is missing")
        config = json.loads(content)
        yield Archived(
            names=_names(entry.get("RepoTags") or []),
            config=_digest(content),
            target="",
            fingerprint=fingerprint(config, config["rootfs"]["diff_ids"]),
            config_path=config_path,
            layer_paths=tuple(layer_paths),
        )


def _oci_images(documents: dict[str, bytes], sizes: dict[str, int]) -> list[Archived]:
    images: dict[str, Archived] = {}
    for entry in json.loads(documents["index.json"])["manifests"]:
        manifest = _manifest(documents, entry)
        if manifest is None:
            continue
        content = _blob(documents, manifest["config"]["digest"])
        config = json.loads(content)
        for layer in manifest["layers"]:
            path = _blob_path(layer["digest"])
            if sizes.get(path) != layer["size"]:
                raise DamagedError(f"is incomplete: the layer {path} is missing")
        annotations = entry.get("annotations") or {}
        name = annotations.get("io.containerd.image.name") or annotations.get(
            "org.opencontainers.image.ref.name", ""
        )
        names, known = _names([name]), images.get(entry["digest"])
        images[entry["digest"]] = Archived(
            names=(*(known.names if known else ()), *names),
            config=_digest(content),
            target=entry["digest"],
            fingerprint=fingerprint(config, config["rootfs"]["diff_ids"]),
            config_path=_blob_path(manifest["config"]["digest"]),
            layer_paths=tuple(_blob_path(layer["digest"]) for layer in manifest["layers"]),
            has_bare_tag=bool(name and not names) or bool(known and known.has_bare_tag),
        )
    if not images:
        raise DamagedError(f"contains no image for {this_platform()}")
    return list(images.values())


def _manifest(documents: dict[str, bytes], entry: dict[str, Any]) -> dict[str, Any] | None:
    """Return the manifest for this node of an entry of an index, None if there is none."""
    found = json.loads(_blob(documents, entry["digest"]))
    if entry.get("mediaType") in INDEXES:
        inner = for_this_node(found)
        return _manifest(documents, inner) if inner else None
    return found if "config" in found and "layers" in found else None


def _blob(documents: dict[str, bytes], digest: str) -> bytes:
    path = _blob_path(digest)
    content = _member(documents, path)
    if digest.startswith("sha256:") and _digest(content) != digest:
        raise DamagedError(f"is damaged: {path} does not match the digest in its name")
    return content


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _member(documents: dict[str, bytes], path: str) -> bytes:
    if path not in documents:
        raise DamagedError(f"is incomplete: {path} is missing")
    return documents[path]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _names(texts: list[str]) -> tuple[str, ...]:
    """Return fully qualified references. IDs and tags without a repository are omitted."""
    return tuple(
        normalize(text)
        for text in texts
        if is_reference(text) and (":" in text or "/" in text) and not image_id(text)
    )
