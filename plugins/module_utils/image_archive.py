# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive of images holds, read from its manifest: nothing is unpacked or imported.

A docker-archive says it in C(manifest.json), an OCI layout in C(index.json) and the blobs that
this leads to. Of a plain tar only these are read; the rest is skipped by seeking.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import platform
import tarfile
from typing import IO, Any, Iterator, Literal

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    is_reference,
    normalised,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner, Stream

# What a compressed file begins with -> the tool that reads it, which is its Debian package too.
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
_MIB = 1024 * 1024
# Nothing that describes images is larger, together or alone, or has more parts; layers are, and
# what is made to fill the memory.
_MAX_DOCUMENT = 8 * _MIB
_MAX_DOCUMENTS = 64 * _MIB
_MAX_BLOB = _MIB
_MAX_MEMBERS = 100_000
#: What lists an image for several platforms.
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
# Headers that are about the next one.
_EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_EXECUTION = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "ExposedPorts", "Volumes")


@dataclasses.dataclass(frozen=True)
class Archived:
    """An image in an archive.

    :param names: full references; none where the archive does not name it.
    :param config: digest of its configuration, the image ID in most stores.
    :param target: digest of its manifest or index, empty in a docker-archive.
    :param fingerprint: see C(fingerprint).
    :param config_path: the member that is its configuration.
    :param layer_paths: the members that are its layers, the lowest first.
    """

    names: tuple[str, ...]
    config: str
    target: str
    fingerprint: str
    config_path: str
    layer_paths: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Archive:
    """A readable archive.

    :param compression: the tool that unpacks it, empty for a plain tar.
    :param docker: whether it is a docker-archive, maybe beside being an OCI layout.
    """

    path: str
    compression: str
    docker: bool
    images: tuple[Archived, ...]

    def as_docker(self, stream: Stream) -> Stream:
        """Make its plain tar a docker-archive, which every version of Docker and podman reads.

        An OCI layout has all that takes but the one document, which goes first.
        """
        return stream if self.docker else _Chain(self._docker_manifest(), stream)

    def _docker_manifest(self) -> bytes:
        content = json.dumps(
            [
                {
                    "Config": image.config_path,
                    "RepoTags": list(image.names) or None,
                    "Layers": list(image.layer_paths),
                }
                for image in self.images
            ]
        ).encode()
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        padding = b"\0" * (-len(content) % tarfile.BLOCKSIZE)
        return member.tobuf(tarfile.USTAR_FORMAT) + content + padding


class _Chain:
    """Bytes, and then a stream."""

    def __init__(self, first: bytes, rest: Stream) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        return self._first.read(size) or self._rest.read(size)


def read(runner: Runner, path: str) -> Archive:
    """Look into an archive.

    :raises CruntimeError: there is none, it is no archive of images, or it is damaged.
    """
    compression = compression_of(path)
    documents: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    try:
        # A pipe can't be sought in.
        mode: Literal["r|", "r:"] = "r|" if compression else "r:"
        with plain(runner, path, compression) as stream, tarfile.open(
            fileobj=stream, mode=mode, tarinfo=_Member
        ) as tar:
            _collect(tar, documents, sizes)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CruntimeError(
            f"{path} is no whole tar archive: {error}", reason="archive_invalid"
        ) from error
    except _Damaged as error:
        raise CruntimeError(f"{path} {error}", reason="archive_invalid") from error
    try:
        if "index.json" in documents and "oci-layout" in sizes:
            images = _oci_images(documents, sizes)
        elif "manifest.json" in documents:
            images = list(_docker_images(documents, sizes))
        else:
            raise _Damaged(
                "holds no images: it has neither the manifest.json of a docker-archive "
                "nor the index.json of an OCI layout"
            )
        if not images:
            raise _Damaged("holds no images: its manifest.json lists none")
    except _Damaged as error:
        raise CruntimeError(f"{path} {error}", reason="archive_invalid") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # RecursionError: of an index that lists itself, say, or lists in lists.
        raise CruntimeError(
            f"{path} describes its images in a way that makes no sense", reason="archive_invalid"
        ) from error
    return Archive(path, compression, "manifest.json" in documents, tuple(images))


def compression_of(path: str) -> str:
    """Return the tool that unpacks a file, empty for none.

    :raises CruntimeError: there is no such file.
    """
    if not os.path.isabs(path):
        raise CruntimeError(
            f"an archive is an absolute path on the node, not {path!r}", reason="option_invalid"
        )
    if os.path.isdir(path):
        raise CruntimeError(
            f"{path} is a folder, not an archive of images", reason="archive_invalid"
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise CruntimeError(
            f"{path} is no file, let alone an archive of images", reason="archive_invalid"
        )
    try:
        with open_regular(path) as stream:
            magic = stream.read(4)
    except FileNotFoundError:
        raise CruntimeError(
            f"there is no archive {path} on this node", reason="file_not_found"
        ) from None
    except OSError as error:
        raise CruntimeError(
            f"{path} can't be read: {error.strerror}", reason="file_unreadable"
        ) from error
    for start, tool in _COMPRESSIONS.items():
        if magic.startswith(start):
            return tool
    return ""


@contextlib.contextmanager
def plain(runner: Runner, path: str, compression: str) -> Iterator[IO[bytes]]:
    """Open an archive as the tar that it is, or that it becomes by its tool.

    :raises CruntimeError: the tool is missing, or says that the file is damaged.
    """
    if not compression:
        with open_regular(path) as stream:
            yield stream
        return
    if runner.which(compression) is None:
        raise CruntimeError(
            f"{path} is compressed with {compression}, which is not on this node: "
            f"install the package {compression}",
            reason="tool_not_found",
        )
    with runner.opened(compression, "--decompress", "--stdout", "--", path) as stream:
        yield stream


def fingerprint(config: dict[str, Any], layers: list[str]) -> str:
    """Digest what an image is made of and how it runs.

    Tells images apart where a store makes up manifests of its own, so that no digest is left to
    compare.
    """
    execution = config.get("config") or config.get("Config") or {}
    parts = [
        layers,
        [config.get(key) or config.get(key.capitalize()) or "" for key in ("architecture", "os")],
        {key: execution.get(key) or None for key in _EXECUTION},
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def this_platform() -> str:
    """Return what this node runs, such as linux/amd64."""
    machine = platform.machine()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


def for_this_node(index: dict[str, Any]) -> dict[str, Any] | None:
    """Return the entry of an index that is for this node."""
    entries: list[dict[str, Any]] = index["manifests"]
    for entry in entries:
        given = entry.get("platform") or {}
        if f"{given.get('os')}/{given.get('architecture')}" == this_platform():
            return entry
    return None


class _Damaged(Exception):
    """What is wrong with an archive; goes behind its path."""


# What tarfile itself does, which has no public name.
_PROC_MEMBER = vars(tarfile.TarInfo)["_proc_member"]
_ReadError = tarfile.ReadError


class _Member(tarfile.TarInfo):
    """A member whose name fits into the memory: tarfile reads what is in front of a header."""

    def _proc_member(self, tarfile: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size > _MAX_BLOB and self.type in _EXTENSIONS:
            raise _ReadError(f"a name of {self.size} bytes")
        member: _Member = _PROC_MEMBER(self, tarfile)
        return member


def _collect(tar: tarfile.TarFile, documents: dict[str, bytes], sizes: dict[str, int]) -> None:
    """Fill in every member's size, and the content of those that may be documents."""
    links, total = {}, 0
    for count, member in enumerate(tar):
        name = _inside(member.name, f"{member.name!r}, which is outside of it")
        if count >= _MAX_MEMBERS:
            raise _Damaged(f"holds more than {_MAX_MEMBERS} files: it is no archive of images")
        if member.issym() or member.islnk():
            base = os.path.dirname(name) if member.issym() else ""
            outside = f"{member.name!r}, a link to {member.linkname!r} outside of it"
            links[name] = _inside(os.path.join(base, member.linkname), outside)
            continue
        sizes[name] = member.size
        if member.isfile() and _may_be_document(name, member.size):
            total += member.size
            if total > _MAX_DOCUMENTS:
                raise _Damaged(f"holds more than {_MAX_DOCUMENTS // _MIB} MiB of descriptions")
            file = tar.extractfile(member)
            content = file.read() if file else b""
            if len(content) != member.size:
                raise _Damaged("ends in the middle of a file")
            if name.startswith("blobs/") and not content.startswith(b"{"):
                # A small layer.
                total -= member.size
            elif documents.setdefault(name, content) != content:
                raise _Damaged(f"holds two {name} that differ")
    # Layers that images share were links once. A document that is a link is none.
    sizes.update({name: sizes[target] for name, target in links.items() if target in sizes})


def _inside(path: str, outside: str) -> str:
    """Return a path in the archive.

    :param outside: what to call it if it leads out of the archive.
    """
    path = os.path.normpath(path)
    if path.startswith(("/", "../")) or path == "..":
        raise _Damaged(f"holds {outside}")
    return path


def _may_be_document(name: str, size: int) -> bool:
    # Blobs are named by their digest only.
    if name.startswith("blobs/"):
        return size <= _MAX_BLOB
    if size > _MAX_DOCUMENT and name in ("manifest.json", "index.json"):
        raise _Damaged(f"holds a {name} of {size} bytes, which describes no images")
    return name.endswith(".json") and size <= _MAX_DOCUMENT


def _docker_images(documents: dict[str, bytes], sizes: dict[str, int]) -> Iterator[Archived]:
    for entry in json.loads(documents["manifest.json"]):
        config_path = os.path.normpath(entry["Config"])
        layer_paths = [os.path.normpath(layer) for layer in entry["Layers"]]
        content = _member(documents, config_path)
        for layer in layer_paths:
            if layer not in sizes:
                raise _Damaged(f"lacks {layer}, a layer of its image: it is not whole")
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
                raise _Damaged(f"lacks {path}, a layer of its image: it is not whole")
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
            config_path=_blob_path(manifest["config"]["digest"]),
            layer_paths=tuple(_blob_path(layer["digest"]) for layer in manifest["layers"]),
        )
    if not images:
        raise _Damaged(f"holds no image for {this_platform()}")
    return list(images.values())


def _manifest(documents: dict[str, bytes], entry: dict[str, Any]) -> dict[str, Any] | None:
    """Follow an entry of an index to the manifest for this node; None where it has none."""
    found = json.loads(_blob(documents, entry["digest"]))
    if entry.get("mediaType") in INDEXES:
        inner = for_this_node(found)
        return _manifest(documents, inner) if inner else None
    return found if "config" in found and "layers" in found else None


def _blob(documents: dict[str, bytes], digest: str) -> bytes:
    path = _blob_path(digest)
    content = _member(documents, path)
    if digest.startswith("sha256:") and _digest(content) != digest:
        raise _Damaged(f"is damaged: {path} has another digest than its name says")
    return content


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _member(documents: dict[str, bytes], path: str) -> bytes:
    if path not in documents:
        raise _Damaged(f"lacks {path}: it is not whole")
    return documents[path]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _names(texts: list[str]) -> tuple[str, ...]:
    """Return full references; a bare tag, as OCI layouts may have it, and an ID are no names."""
    return tuple(
        normalised(text)
        for text in texts
        if is_reference(text) and (":" in text or "/" in text) and not image_id(text)
    )
