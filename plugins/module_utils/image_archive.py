# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read image archives: docker-archives and OCI layouts, uncompressed or compressed.

Only the manifests are read. Nothing is extracted or imported.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import tarfile
from typing import IO, Iterator, Literal

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    Archived,
    parse_images,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner, Stream
from ansible_collections.cruntime.node.plugins.module_utils.tar_documents import (
    DamagedError,
    LimitedMember,
    read_documents,
)

# Tool for each compression by the first bytes of a file. Its Debian package has the same name.
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}


@dataclasses.dataclass(frozen=True)
class Archive:
    """Readable archive.

    :param compression: tool that decompresses the archive, empty for an uncompressed tar.
    :param docker: whether the archive is a docker-archive. It can also be an OCI layout.
    :param layout: start and end of the member C(oci-layout) in the uncompressed archive.
    """

    path: str
    compression: str
    docker: bool
    images: tuple[Archived, ...]
    layout: tuple[int, int] | None = None

    def as_docker(self, stream: Stream) -> Stream:
        """Convert an uncompressed tar to a docker-archive, for all versions of Docker and podman.

        An OCI layout only lacks the manifest.json, so this file is added at its beginning. With the
        store of containerd, Docker reads the OCI layout, and would use a tag without a repository
        as the whole name of the image. The member C(oci-layout) is then omitted.
        """
        if self.layout and any(image.has_bare_tag for image in self.images):
            stream = _Without(stream, *self.layout)
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
    """Stream of some bytes and then of another stream."""

    def __init__(self, first: bytes, rest: Stream) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        return self._first.read(size) or self._rest.read(size)


class _Without:
    """Stream of another stream without one part.

    :param start: number of bytes before the part.
    :param end: number of bytes up to the end of the part.
    """

    def __init__(self, stream: Stream, start: int, end: int) -> None:
        self._stream = stream
        self._before = start
        self._left_out = end - start

    def read(self, size: int = -1) -> bytes:
        if self._before:
            data = self._stream.read(self._before if size < 0 else min(size, self._before))
            self._before -= len(data)
            return data
        while self._left_out:
            skipped = len(self._stream.read(min(self._left_out, tarfile.RECORDSIZE)))
            # The stream can end early.
            self._left_out = self._left_out - skipped if skipped else 0
        return self._stream.read(size)


def read(runner: Runner, path: str) -> Archive:
    """Return the images of an archive.

    :raises CruntimeError: if the file does not exist, is damaged, or is not an archive of images.
    """
    compression = compression_of(path)
    try:
        # A pipe does not support seeking.
        mode: Literal["r|", "r:"] = "r|" if compression else "r:"
        with plain(runner, path, compression) as stream, tarfile.open(
            fileobj=stream, mode=mode, tarinfo=LimitedMember
        ) as tar:
            documents = read_documents(tar)
        images = parse_images(documents)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CruntimeError(
            f"{path} is not a complete tar archive: {error}. Copy the whole archive again",
            reason="archive_invalid",
        ) from error
    except DamagedError as error:
        raise CruntimeError(f"{path} {error}", reason="archive_invalid") from error
    return Archive(
        path,
        compression,
        "manifest.json" in documents.contents,
        tuple(images),
        documents.spans.get("oci-layout"),
    )


def compression_of(path: str) -> str:
    """Return the tool that decompresses a file, empty for an uncompressed file.

    :raises CruntimeError: if the file does not exist, or cannot be read.
    """
    if not os.path.isabs(path):
        raise CruntimeError(
            f"archive must be an absolute path on the node, not {path!r}", reason="option_invalid"
        )
    if os.path.isdir(path):
        raise CruntimeError(
            f"{path} is a directory, not an image archive. To load all archives of a directory, "
            "set preload",
            reason="archive_invalid",
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise CruntimeError(
            f"{path} is not a regular file, so it is not an image archive",
            reason="archive_invalid",
        )
    try:
        with open_regular(path) as stream:
            magic = stream.read(4)
    except FileNotFoundError:
        raise CruntimeError(
            f"{path}: archive not found on this node. Copy it to the node first, or correct the "
            "path",
            reason="file_not_found",
        ) from None
    except OSError as error:
        raise CruntimeError(
            f"Could not read {path}: {error.strerror}", reason="file_unreadable"
        ) from error
    for start, tool in _COMPRESSIONS.items():
        if magic.startswith(start):
            return tool
    return ""


@contextlib.contextmanager
def plain(runner: Runner, path: str, compression: str) -> Iterator[IO[bytes]]:
    """Open an archive as an uncompressed tar.

    :raises CruntimeError: if the tool that decompresses it is not installed, or reports an error.
    """
    if not compression:
        with open_regular(path) as stream:
            yield stream
        return
    if runner.which(compression) is None:
        raise CruntimeError(
            f"{path} is compressed with {compression}, which is not installed on this node. "
            f"Install the package {compression}",
            reason="tool_not_found",
        )
    try:
        with runner.opened(compression, "--decompress", "--stdout", "--", path) as stream:
            yield stream
    except CommandError as error:
        # The caller can run other commands while it reads the stream.
        if error.facts.get("cmd", [""])[0] != compression:
            raise
        raise CommandError(str(error), reason="archive_invalid", **error.facts) from error
