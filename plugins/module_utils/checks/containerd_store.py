# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that containerd still finds its images and containers with a new configuration."""

from __future__ import annotations

import json
import os
import re
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.checks import hidden_data
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

_BLOBS = "io.containerd.content.v1.content/blobs/sha256"


def check(runner: Runner, socket_path: str, path: str, new_config: str) -> None:
    """Check that the root is unchanged or empty. Images of all clients count.

    The snapshotter can change: containerd still lists the images, and unpacks them again.

    :param path: the configuration file.
    :param new_config: output of C(config dump) for the new configuration.
    :raises CruntimeError: if the new root hides something.
    """
    try:
        root = parse_root(runner.output("containerd", "--config", path, "config", "dump"))
    except CommandError:
        # containerd does not start with the current files, so its root is not known.
        return
    new_root = parse_root(new_config)
    if os.path.realpath(root) == os.path.realpath(new_root):
        return
    blobs = _list_blobs(root)
    hidden = _count(runner, socket_path, blobs)
    copied = blobs and set(blobs) <= set(_list_blobs(new_root))
    if copied or not any(hidden.values()):
        return
    raise hidden_data.refuse(
        "containerd",
        path,
        ["root"],
        hidden=hidden,
        stores=(root, new_root),
        ways=[f"set storage.root to {root}"],
    )


def parse_root(dump: str) -> str:
    """Parse C(containerd config dump): return the directory of all data."""
    match = re.search(r"^root = (?:'(.*)'|(\".*\"))$", dump, re.MULTILINE)
    if match is None:
        return CONTAINERD.data_root
    literal, basic = match.groups()
    return literal if basic is None else str(json.loads(basic))


def _count(runner: Runner, socket_path: str, blobs: list[str]) -> dict[str, int]:
    ask = ("ctr", "--address", socket_path, "--connect-timeout", "5s")

    def count(kind: str) -> Iterator[int]:
        for namespace in namespaces:
            words = ("--namespace", namespace, kind, "ls", "--quiet")
            names = runner.output(*ask, *words, timeout=10).split()
            # The CRI plugin also stores each image under its ID.
            yield len([name for name in names if not name.startswith("sha256:")] or names)

    try:
        namespaces = runner.output(*ask, "namespaces", "ls", "--quiet", timeout=10).split()
        return {"container": sum(count("containers")), "image": sum(count("images"))}
    except CommandError:
        return {"image": hidden_data.UNKNOWN if blobs else 0}


def _list_blobs(root: str) -> list[str]:
    try:
        return os.listdir(os.path.join(root, _BLOBS))
    except OSError:
        return []
