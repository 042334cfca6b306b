# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List and remove the namespaces in the store of containerd. Each of its clients has one.

Docker can also keep its images and containers there, and does so by default from version 29 on.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import bolt
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

#: Path of the metadata within a data root.
METADATA = "io.containerd.metadata.v1.bolt/meta.db"
# The levels are VERSION, namespace, kind and object; blobs and snapshots have one more before the
# object.
_DEPTH = 5
_TIMEOUT = 300


class Namespace(NamedTuple):
    """Content of one namespace, as numbers of objects."""

    name: str
    images: int
    containers: int
    snapshots: int
    blobs: int

    @property
    def is_empty(self) -> bool:
        return not any(self[1:])

    def __str__(self) -> str:
        counts = zip(self._fields[1:], self[1:])
        return f"{self.name} ({', '.join(f'{count} {kind}' for kind, count in counts if count)})"


def read_namespaces(root: str) -> list[Namespace]:
    """Return the namespaces in a data root of containerd. containerd need not run.

    :raises CruntimeError: if the metadata cannot be read.
    """
    path = os.path.join(root, METADATA)
    try:
        tree = bolt.read_tree(path, _DEPTH)
    except FileNotFoundError:
        return []
    # v1 is the only layout. It has a value next to the buckets.
    buckets = (tree.get(b"v1") or {}).items()
    return [_count(name.decode(errors="replace"), bucket) for name, bucket in buckets if bucket]


def _count(name: str, bucket: bolt.Tree) -> Namespace:
    def inner(*keys: bytes) -> bolt.Tree:
        found = bucket
        for key in keys:
            found = found.get(key) or {}
        return found

    snapshots = sum(len(keys or {}) for keys in inner(b"snapshots").values())
    counts = (len(inner(b"images")), len(inner(b"containers")), snapshots)
    return Namespace(name, *counts, len(inner(b"content", b"blob")))


def remove_namespace(runner: Runner, address: str, name: str) -> None:
    """Remove a namespace and everything in it. containerd must run.

    :param address: socket of containerd.
    :raises CommandError: if something is still in use, or containerd does not respond.
    """

    def ctr(*words: str) -> list[str]:
        argv = ("ctr", "--address", address, "--namespace", name, *words)
        return runner.output(*argv, timeout=_TIMEOUT).split()

    # Leases protect content without an image or container. The garbage collection of containerd
    # removes all content without a reference.
    for listed, removed in (
        (("containers", "list", "--quiet"), ("containers", "rm")),
        (("leases", "list", "--quiet"), ("leases", "rm", "--sync")),
        (("images", "list", "--quiet"), ("images", "rm", "--sync")),
        (("content", "list", "--quiet"), ("content", "rm")),
    ):
        found = ctr(*listed)
        if found:
            ctr(*removed, *found)
    ctr("namespaces", "rm", name)
