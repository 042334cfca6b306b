# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that CRI-O still finds its images and containers with a new configuration."""

from __future__ import annotations

import json
import os
import re
from typing import NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.checks import hidden_data
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CRIO
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular

#: The keys of the CRI-O configuration that choose a store.
_KEYS = ("root", "storage_driver")
# If no driver is set, CRI-O uses the first one of which it finds data.
_DRIVERS = ("overlay", "aufs", "btrfs", "zfs", "vfs")


class Store(NamedTuple):
    """Store of CRI-O: a root directory and a storage driver."""

    root: str
    driver: str


def check(old: Store, new: Store) -> None:
    """Check that the store is unchanged or empty.

    :raises CruntimeError: if the new store hides something.
    """
    if (os.path.realpath(old.root), old.driver) == (os.path.realpath(new.root), new.driver):
        return
    containers, images = _list(old, "containers"), _list(old, "images")
    hidden = {
        "container": len(containers - _list(new, "containers")),
        "image": len(images - _list(new, "images")),
    }
    if not any(hidden.values()):
        return
    raise hidden_data.refuse(
        "CRI-O",
        CRIO.config_path,
        [key for key, was, becomes in zip(_KEYS, old, new) if was != becomes],
        hidden=hidden,
        stores=(_describe(old), _describe(new)),
        ways=[
            f"set storage.{option} to {was}"
            for option, was, becomes in zip(Store._fields, old, new)
            if was != becomes
        ],
    )


def parse(config: str, escaped: bool) -> Store:
    """Parse C(crio config) or C(crio status config): return the store that CRI-O starts with.

    :param escaped: whether strings are escaped as in TOML; C(crio config) does not escape them.
    """
    found = re.findall(r'^[# \t]*(root|storage_driver) = (".*")$', config, re.MULTILINE)
    # The first keys belong to CRI-O itself. Runtime handlers can have keys of the same names.
    values = {
        key: str(json.loads(text)) if escaped else text[1:-1] for key, text in reversed(found)
    }
    root = values.get("root", CRIO.data_root)
    return Store(root, values.get("storage_driver") or _choose_driver(root))


def _choose_driver(root: str) -> str:
    return next(filter(lambda name: os.path.isdir(os.path.join(root, name)), _DRIVERS), _DRIVERS[0])


def _list(store: Store, kind: str) -> set[str]:
    """Return the IDs of the images or containers of a store, including those of podman."""
    path = os.path.join(store.root, f"{store.driver}-{kind}", f"{kind}.json")
    try:
        return {entry["id"] for entry in json.loads(read_regular(path))}
    except (OSError, ValueError, LookupError, TypeError, CruntimeError):
        return set()


def _describe(store: Store) -> str:
    return f"{store.root} with the storage driver {store.driver}"
