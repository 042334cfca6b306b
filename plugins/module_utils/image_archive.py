# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read archives of images: docker-archives and OCI layouts, plain or compressed.

Nothing is unpacked or imported: only the documents that describe the images are read.
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
    """Archive that can be read.

    :param compression: tool that decompresses it, empty for a plain tar.
    :param docker: whether it is a docker-archive. It can be an OCI layout too.
    """

    path: str
    compression: str
    docker: bool
    images: tuple[Archived, ...]

    def as_docker(self, stream: Stream) -> Stream:
        """Turn the plain tar into a docker-archive, which all versions of Docker and podman read.

        An OCI layout only lacks the manifest.json, so this file is added at its beginning.
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
    """Stream of some bytes and then of another stream."""

    def __init__(self, first: bytes, rest: Stream) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        return self._first.read(size) or self._rest.read(size)


def read(runner: Runner, path: str) -> Archive:
    """Read which images an archive contains.

    :raises CruntimeError: if the file does not exist, is damaged, or is not an archive of images.
    """
    compression = compression_of(path)
    try:
        # A pipe can't seek.
        mode: Literal["r|", "r:"] = "r|" if compression else "r:"
        with plain(runner, path, compression) as stream, tarfile.open(
            fileobj=stream, mode=mode, tarinfo=LimitedMember
        ) as tar:
            documents = read_documents(tar)
        images = parse_images(documents)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CruntimeError(
            f"{path} is no whole tar archive: {error}", reason="archive_invalid"
        ) from error
    except DamagedError as error:
        raise CruntimeError(f"{path} {error}", reason="archive_invalid") from error
    return Archive(path, compression, "manifest.json" in documents.contents, tuple(images))


def compression_of(path: str) -> str:
    """Return the tool that decompresses a file, empty for a plain file.

    :raises CruntimeError: if the file does not exist, or can't be read.
    """
    if not os.path.isabs(path):
        raise CruntimeError(
            f"an archive is an absolute path on the node, not {path!r}", reason="option_invalid"
        )
    if os.path.isdir(path):
        raise CruntimeError(
            f"{path} is a directory, not an archive of images", reason="archive_invalid"
        )
    if os.path.exists(path) and not os.path.isfile(path):
        raise CruntimeError(
            f"{path} is not a regular file, so it is not an archive of images",
            reason="archive_invalid",
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
    """Open an archive as a plain tar.

    :raises CruntimeError: if the tool that decompresses it is not installed, or reports an error.
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
    try:
        with runner.opened(compression, "--decompress", "--stdout", "--", path) as stream:
            yield stream
    except CommandError as error:
        # The caller can run other commands while it reads the stream.
        if error.facts.get("cmd", [""])[0] != compression:
            raise
        raise CommandError(str(error), reason="archive_invalid", **error.facts) from error
