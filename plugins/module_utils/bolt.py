# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a bbolt database, in which containerd keeps its metadata.

The file can be read while containerd runs, is stopped or is no longer installed: a transaction
never writes to a page that the last completed transaction uses.

Format: go.etcd.io/bbolt, C(page.go) and C(bucket.go) of its package C(internal/common).
"""

from __future__ import annotations

import os
import struct
from typing import Dict, NamedTuple, Union

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular

#: The keys of a bucket, each with its nested bucket, or with None if the key has a value.
Tree = Dict[bytes, Union["Tree", None]]

_MAGIC = 0xED0CDAED
_VERSION = 2
# Of a page: id, flags, count, overflow; then a meta page: magic, version, size of a page, flags,
# page and sequence of the root bucket, freelist, high-water mark, transaction, checksum.
_PAGE = struct.Struct("=QHHI")
_META = struct.Struct("=IIIIQQQQQQ")
_BRANCH, _LEAF, _META_PAGE = 0x01, 0x02, 0x04
_BRANCH_ELEMENT = struct.Struct("=IIQ")
_LEAF_ELEMENT = struct.Struct("=IIII")
_BUCKET = struct.Struct("=QQ")
_IS_BUCKET = 0x01
_PAGE_SIZES = (4096, 8192, 16384, 65536)
# Maximum number of attempts to read a file that changes while it is read.
_TRIES = 10
_MAX_DEPTH = 64


class _Meta(NamedTuple):
    page_size: int
    root: int
    transaction: int


class _Unreadable(Exception):
    """The file is not a bbolt database, or a transaction ended while the file was read."""


def read_tree(path: str, depth: int) -> Tree:
    """Return the buckets and keys of a database.

    :param depth: number of levels of buckets to read; deeper buckets are returned empty.
    :raises OSError: if open(2) fails.
    :raises CruntimeError: if the file is not a bbolt database, or is damaged.
    """
    cause = ""
    for _try in range(_TRIES):
        try:
            with open_regular(path) as handle:
                descriptor = handle.fileno()
                meta = _read_meta(descriptor)
                tree = _Database(descriptor, meta.page_size).bucket(meta.root, depth)
                if _read_meta(descriptor).transaction == meta.transaction:
                    return tree
                cause = "it changes continuously"
        except (_Unreadable, struct.error, RecursionError, OverflowError) as error:
            cause = str(error)
    raise CruntimeError(
        f"{path}: unreadable database: {cause}. Start the daemon that it belongs to, or move the "
        "file away if it is damaged",
        reason="file_unreadable",
    )


def _read_meta(descriptor: int) -> _Meta:
    """Return the newer of the two meta pages; a damaged page is ignored."""
    found = []
    # The second meta page begins after one page. The page size is in the first page, which can be
    # damaged.
    for offset in (0, *_PAGE_SIZES):
        data = os.pread(descriptor, _PAGE.size + _META.size, offset)
        if len(data) < _PAGE.size + _META.size:
            continue
        flags = _PAGE.unpack_from(data)[1]
        body = data[_PAGE.size :]
        magic, version, size, _flags, root, _sequence, _free, _high, transaction, checksum = (
            _META.unpack(body)
        )
        is_meta = flags & _META_PAGE and (magic, version) == (_MAGIC, _VERSION)
        if is_meta and checksum == _digest(body[:-8]) and offset in (0, size):
            found.append(_Meta(size, root, transaction))
    if not found:
        raise _Unreadable("it has no valid meta page")
    return max(found, key=lambda meta: meta.transaction)


def _digest(data: bytes) -> int:
    """Return the FNV-1a checksum of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


class _Database:
    def __init__(self, descriptor: int, page_size: int) -> None:
        self._descriptor = descriptor
        self._page_size = page_size

    def bucket(self, root: int, depth: int) -> Tree:
        """Return the bucket that begins at a page."""
        tree: Tree = {}
        self._read_page(self._page(root), tree, depth, 0)
        return tree

    def _page(self, number: int) -> bytes:
        head = os.pread(self._descriptor, _PAGE.size, number * self._page_size)
        found, _flags, _count, overflow = _PAGE.unpack(head)
        if found != number or overflow > 1 << 20:
            raise _Unreadable(f"its page {number} is damaged")
        size = (overflow + 1) * self._page_size
        return os.pread(self._descriptor, size, number * self._page_size)

    def _read_page(self, page: bytes, tree: Tree, depth: int, level: int) -> None:
        _number, flags, count, _overflow = _PAGE.unpack_from(page)
        if level > _MAX_DEPTH:
            raise _Unreadable("its pages have a cycle")
        if flags & _BRANCH:
            for index in range(count):
                offset = _PAGE.size + index * _BRANCH_ELEMENT.size
                child = _BRANCH_ELEMENT.unpack_from(page, offset)[2]
                self._read_page(self._page(child), tree, depth, level + 1)
        elif flags & _LEAF:
            for index in range(count):
                offset = _PAGE.size + index * _LEAF_ELEMENT.size
                kind, position, key_size, value_size = _LEAF_ELEMENT.unpack_from(page, offset)
                start = offset + position
                key = page[start : start + key_size]
                value = page[start + key_size : start + key_size + value_size]
                tree[key] = self._inner(value, depth - 1) if kind & _IS_BUCKET else None
        else:
            raise _Unreadable("one of its pages has an unknown type")

    def _inner(self, value: bytes, depth: int) -> Tree:
        """Return a bucket within a bucket. A small bucket is stored in the value itself."""
        if depth <= 0:
            return {}
        root = _BUCKET.unpack_from(value)[0]
        if root:
            return self.bucket(root, depth)
        tree: Tree = {}
        self._read_page(value[_BUCKET.size :], tree, depth, 0)
        return tree
