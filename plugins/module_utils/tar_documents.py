# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the documents in a tar archive without extracting it, within limits on memory.

In an uncompressed tar, the layers of images are skipped by seeking. The limits are far above the
documents of real images.
"""

from __future__ import annotations

import os
import tarfile
from typing import NamedTuple

_MIB = 1024 * 1024
_MAX_DOCUMENT = 8 * _MIB
_MAX_DOCUMENTS = 64 * _MIB
_MAX_BLOB = _MIB
_MAX_MEMBERS = 100_000
# Types of headers that describe the next header.
_EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
# The method of tarfile that reads a header. It has no public name.
_PROC_MEMBER = vars(tarfile.TarInfo)["_proc_member"]
_ReadError = tarfile.ReadError


class DamagedError(Exception):
    """Error of an incomplete image archive. The message continues after the path of the archive."""


class Documents(NamedTuple):
    """Members of an archive.

    :param contents: contents of the JSON documents, by path.
    :param sizes: size of each file, by path.
    :param spans: start and end of each file with its headers in the uncompressed archive, by path.
    """

    contents: dict[str, bytes]
    sizes: dict[str, int]
    spans: dict[str, tuple[int, int]]


class LimitedMember(tarfile.TarInfo):
    """Member with a limit for its name, because tarfile reads the whole name into memory."""

    def _proc_member(self, tarfile: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size > _MAX_BLOB and self.type in _EXTENSIONS:
            raise _ReadError(f"a name of {self.size} bytes")
        member: LimitedMember = _PROC_MEMBER(self, tarfile)
        return member


def read_documents(tar: tarfile.TarFile) -> Documents:
    """Read all members, and the contents of the members that can be documents.

    :param tar: archive, opened with LimitedMember.
    :raises DamagedError: if the archive is damaged, exceeds a limit, or has a path outside of it.
    """
    documents: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    spans: dict[str, tuple[int, int]] = {}
    links, total = {}, 0
    for count, member in enumerate(tar):
        name = _inside(member.name, f"{member.name!r}, which is outside of it")
        if count >= _MAX_MEMBERS:
            raise DamagedError(f"is not an image archive: it has more than {_MAX_MEMBERS} files")
        if member.issym() or member.islnk():
            base = os.path.dirname(name) if member.issym() else ""
            outside = f"{member.name!r}, a link to {member.linkname!r} outside of it"
            links[name] = _inside(os.path.join(base, member.linkname), outside)
            continue
        sizes[name] = member.size
        blocks = -(-member.size // tarfile.BLOCKSIZE)
        spans[name] = (member.offset, member.offset_data + blocks * tarfile.BLOCKSIZE)
        if member.isfile() and _may_be_document(name, member.size):
            total += member.size
            if total > _MAX_DOCUMENTS:
                raise DamagedError(f"has more than {_MAX_DOCUMENTS // _MIB} MiB of manifests")
            file = tar.extractfile(member)
            content = file.read() if file else b""
            if len(content) != member.size:
                raise DamagedError("is truncated: it ends in the middle of a file")
            if name.startswith("blobs/") and not content.startswith(b"{"):
                # It is a small layer.
                total -= member.size
            elif documents.setdefault(name, content) != content:
                raise DamagedError(f"contains two different files {name}")
    # Old versions of Docker write a shared layer as a link. A document is never a link.
    sizes.update({name: sizes[target] for name, target in links.items() if target in sizes})
    return Documents(documents, sizes, spans)


def _inside(path: str, outside: str) -> str:
    """Return the normalized path of a member.

    :param outside: description of a member outside of the archive, for the error message.
    """
    path = os.path.normpath(path)
    if path.startswith(("/", "../")) or path == "..":
        raise DamagedError(f"contains {outside}")
    return path


def _may_be_document(name: str, size: int) -> bool:
    # The name of a blob is only its digest.
    if name.startswith("blobs/"):
        return size <= _MAX_BLOB
    if size > _MAX_DOCUMENT and name in ("manifest.json", "index.json"):
        raise DamagedError(f"contains a {name} of {size} bytes, which is too large for a manifest")
    return name.endswith(".json") and size <= _MAX_DOCUMENT
