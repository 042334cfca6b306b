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
import functools
import os
import tarfile
from typing import IO, Iterable, Iterator, Literal

from ansible_collections.cruntime.node.plugins.module_utils.archive_stream import (
    NameImage,
    as_docker_archive,
    as_oci_layout,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    Archived,
    parse_images,
    platforms_of_this_node,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner, Stream
from ansible_collections.cruntime.node.plugins.module_utils.tar_documents import (
    DamagedError,
    LimitedMember,
    read_documents,
)

# Largest window that zstd can have, because images are packed with long windows.
_FLAGS = {"zstd": ("--long=31",)}
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
    """

    path: str
    compression: str
    images: tuple[Archived, ...]

    @property
    def is_oci(self) -> bool:
        """Return whether the archive is an OCI layout. It can also be a docker-archive."""
        return bool(self.images[0].target)

    def without_digests(self) -> Archive:
        """Return the archive without the references by digest, which some stores cannot load."""
        images = [
            dataclasses.replace(image, names=tuple(name for name in image.names if "@" not in name))
            for image in self.images
        ]
        return dataclasses.replace(self, images=tuple(images))

    def as_docker(self, stream: Stream, name: str = "") -> Stream:
        """Convert the uncompressed archive to a docker-archive, which all tools can load.

        :param name: name for an image without a name.
        """
        names = functools.partial(name_image, name=name)
        return as_docker_archive(stream, self.images, names)

    def convert(self, stream: Stream, images: Iterable[Archived], names: NameImage) -> Stream:
        """Replace the list of images, and keep the format of the uncompressed archive.

        :param images: images to load.
        """
        return (as_oci_layout if self.is_oci else as_docker_archive)(stream, images, names)


def name_image(image: Archived, name: str) -> tuple[str, ...]:
    """Return the names with which an image is loaded.

    :param name: name for an image without a name; empty if it gets none.
    """
    return image.names or tuple(filter(None, [name]))


def read(runner: Runner, path: str, platform: str | None = None) -> Archive:
    """Return the images of an archive.

    :param platform: platform to select from a multi-platform image; None for that of this node.
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
        platforms = [platform] if platform else platforms_of_this_node()
        images = parse_images(documents, platforms)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CruntimeError(
            f"{path} is not a complete tar archive: {error}. Copy the whole archive again",
            reason="archive_invalid",
        ) from error
    except DamagedError as error:
        raise CruntimeError(f"{path} {error}", reason="archive_invalid") from error
    return Archive(path, compression, tuple(images))


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
        flags = ("--decompress", "--stdout", *_FLAGS.get(compression, ()))
        with runner.opened(compression, *flags, "--", path) as stream:
            yield stream
    except CommandError as error:
        # The caller can run other commands while it reads the stream.
        if error.facts.get("cmd", [""])[0] != compression:
            raise
        raise CommandError(str(error), reason="archive_invalid", **error.facts) from error
