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
from typing import Any, Iterator, Sequence

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
# Architectures whose images run on another architecture, in the order of preference.
_COMPATIBLE = {"amd64": ("386",), "arm64": ("arm",)}
# Media types of the configuration of an image. Artifacts, such as Helm charts, have other types.
_CONFIGURATIONS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
# Annotations of a manifest that describes another image: an attestation, or a signature of cosign.
_REFERENCE = "vnd.docker.reference.type"
_COSIGN = "dev.cosignproject.cosign/"
_COSIGN_IMAGES = (f"{_COSIGN}image", f"{_COSIGN}imageIndex")
_EXECUTION = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "ExposedPorts", "Volumes")


@dataclasses.dataclass(frozen=True)
class Archived:
    """Image in an archive.

    :param names: fully qualified references, empty if the image has no name in the archive.
    :param config: digest of the configuration, which is the image ID in most stores.
    :param target: digest of the manifest or image index, empty in a docker-archive.
    :param fingerprint: see C(fingerprint).
    :param platform: platform of the image, such as linux/amd64; empty if it has none.
    :param config_path: path of the configuration in the archive.
    :param layer_paths: paths of the layers in the archive, the lowest layer first.
    :param descriptor: entry of the manifest or image index, empty in a docker-archive.
    :param has_all_platforms: whether an image index and the images of all of its entries are in the
        archive.
    """

    names: tuple[str, ...]
    config: str
    target: str
    fingerprint: str
    platform: str
    config_path: str
    layer_paths: tuple[str, ...]
    descriptor: dict[str, Any] = dataclasses.field(default_factory=dict, compare=False)
    has_all_platforms: bool = False


def parse_images(documents: Documents, platforms: Sequence[str]) -> list[Archived]:
    """Return the images in an archive.

    :param platforms: platforms to select from a multi-platform image, the best first.

    :raises DamagedError: if the archive has no images, or an image is incomplete.
    """
    contents = documents.contents
    try:
        if "index.json" in contents and "oci-layout" in documents.sizes:
            images = _oci_images(contents, documents.sizes, platforms)
        elif "manifest.json" in contents:
            images = list(_docker_images(documents))
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


def platforms_of_this_node() -> list[str]:
    """Return the platforms whose images run on this node, in the order of preference."""
    architecture = this_platform().partition("/")[2]
    return [f"linux/{each}" for each in (architecture, *_COMPATIBLE.get(architecture, ()))]


def for_this_node(index: dict[str, Any]) -> dict[str, Any] | None:
    """Return the entry of an image index for the platform of this node; None if it has none."""
    return find_entry(index, platforms_of_this_node())


def list_blobs(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the descriptors of the configuration and of the layers of a manifest."""
    config = manifest.get("config")
    return [config, *manifest.get("layers", [])] if config else []


def find_entry(index: dict[str, Any], platforms: Sequence[str]) -> dict[str, Any] | None:
    """Return the entry of an image index for the first platform that it has; None if it has none.

    :param platforms: platforms such as linux/arm64 or linux/arm/v7.
    """
    entries: list[dict[str, Any]] = index["manifests"]
    for wanted in platforms:
        for entry in entries:
            fields = entry.get("platform") or {}
            found = _read_platform(fields)
            if wanted in (found, f"{found}/{fields.get('variant')}"):
                return entry
    return None


def _read_platform(fields: dict[str, Any]) -> str:
    """Return the platform in an entry of an index, or in a configuration; empty if it has none."""
    system, architecture = fields.get("os"), fields.get("architecture")
    return f"{system}/{architecture}" if system and architecture else ""


def _docker_images(documents: Documents) -> Iterator[Archived]:
    for entry in json.loads(documents.contents["manifest.json"]):
        config_path = os.path.normpath(entry["Config"])
        paths = [os.path.normpath(layer) for layer in entry["Layers"]]
        layer_paths = [documents.links.get(path, path) for path in paths]
        content = _member(documents.contents, config_path)
        for layer in layer_paths:
            if layer not in documents.sizes:
                raise DamagedError(f"is incomplete: the layer {layer} is missing")
        config = json.loads(content)
        yield Archived(
            names=_names(entry.get("RepoTags") or []),
            config=_digest(content),
            target="",
            fingerprint=fingerprint(config, config["rootfs"]["diff_ids"]),
            platform=_read_platform(config),
            config_path=config_path,
            layer_paths=tuple(layer_paths),
        )


def _oci_images(
    documents: dict[str, bytes], sizes: dict[str, int], platforms: Sequence[str]
) -> list[Archived]:
    images: dict[str, Archived] = {}
    for entry in json.loads(documents["index.json"])["manifests"]:
        manifest = _manifest(documents, entry, platforms)
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
        known = images.get(entry["digest"])
        images[entry["digest"]] = Archived(
            names=(*(known.names if known else ()), *_names([name])),
            config=_digest(content),
            target=entry["digest"],
            fingerprint=fingerprint(config, config["rootfs"]["diff_ids"]),
            platform=_read_platform(config),
            config_path=_blob_path(manifest["config"]["digest"]),
            layer_paths=tuple(_blob_path(layer["digest"]) for layer in manifest["layers"]),
            descriptor={key: value for key, value in entry.items() if key != "annotations"},
            has_all_platforms=entry.get("mediaType") in INDEXES
            and _has_all_platforms(documents, sizes, entry["digest"]),
        )
    if not images:
        raise DamagedError(
            f"contains no image for {platforms[0]}, but only artifacts, or images for other "
            "platforms"
        )
    return list(images.values())


def _has_all_platforms(documents: dict[str, bytes], sizes: dict[str, int], digest: str) -> bool:
    """Return whether the images of all entries of an image index are in an archive."""
    entries = json.loads(_blob(documents, digest))["manifests"]
    digests = {entry["digest"] for entry in entries}
    return all(_is_complete(documents, sizes, each) for each in digests)


def _is_complete(documents: dict[str, bytes], sizes: dict[str, int], digest: str) -> bool:
    if _blob_path(digest) not in documents:
        return False
    blobs = list_blobs(json.loads(_blob(documents, digest)))
    # An index in an index has no blobs.
    return bool(blobs) and all(
        sizes.get(_blob_path(blob["digest"])) == blob["size"] for blob in blobs
    )


def _manifest(
    documents: dict[str, bytes], entry: dict[str, Any], platforms: Sequence[str]
) -> dict[str, Any] | None:
    """Return the manifest for a platform of an entry of an index, None if there is none."""
    annotations = entry.get("annotations") or {}
    kind = annotations.get("kind", "")
    if _REFERENCE in annotations or (kind.startswith(_COSIGN) and kind not in _COSIGN_IMAGES):
        return None
    found = json.loads(_blob(documents, entry["digest"]))
    if entry.get("mediaType") in INDEXES:
        inner = find_entry(found, platforms)
        return _manifest(documents, inner, platforms) if inner else None
    return found if _describes_image(found) else None


def _describes_image(manifest: dict[str, Any]) -> bool:
    """Return whether a manifest describes an image, and not an artifact."""
    if "config" not in manifest or "layers" not in manifest:
        return False
    return manifest["config"].get("mediaType", _CONFIGURATIONS[0]) in _CONFIGURATIONS


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
