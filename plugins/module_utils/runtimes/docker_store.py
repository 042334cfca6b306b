# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that Docker still finds its images, containers and volumes with a new daemon.json.

Docker has one store for each data root, storage driver and user namespace, and one in containerd.
It shows the content of the store it was started with; the content of the others stays on the
disk, where nobody can use or remove it.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from typing import Any, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.daemon_json import Table
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_SOCKET,
    DOCKER_CONFIG,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

FEATURE = "containerd-snapshotter"

_DEFAULT_ROOT = "/var/lib/docker"
_SNAPSHOTTER = "overlayfs"
#: The storage drivers that are no snapshotters of containerd.
_GRAPH_DRIVERS = frozenset(
    ("aufs", "btrfs", "devicemapper", "fuse-overlayfs", "overlay", "overlay2", "vfs", "zfs")
)
#: The directory of a user namespace within the data root.
_REMAPPED = re.compile(r"\d+\.\d+")
_METADATA = "io.containerd.metadata.v1.bolt/meta.db"
#: As a number of images: containerd holds some, and can't be asked how many.
_UNKNOWN = -1


class Settings(NamedTuple):
    """The settings that choose a store.

    :param driver: the storage driver, empty if Docker chooses it.
    :param in_containerd: whether the images are in containerd, null if Docker decides it.
    :param user: the user whose namespace containers are in, empty for none.
    """

    root: str
    driver: str
    in_containerd: bool | None
    user: str


class Store(NamedTuple):
    """The store that Docker uses, and how much it holds.

    :param root: the data root, without the directory of a user namespace.
    :param is_remapped: whether the data is in the directory of a user namespace.
    """

    root: str
    driver: str
    in_containerd: bool
    is_remapped: bool
    containers: int
    images: int


def read_settings(config: Table, command: Sequence[str]) -> Settings:
    """Read the settings from a daemon.json and the command line of the daemon.

    dockerd does not start with a setting in both places.
    """

    def read(key: str, *flags: str) -> str:
        return str(config.get(key) or _read_flag(command, *flags) or "")

    features = config.get("features")
    feature = features.get(FEATURE) if isinstance(features, dict) else None
    return Settings(
        os.path.realpath(read("data-root", "--data-root", "-g", "--graph") or _DEFAULT_ROOT),
        read("storage-driver", "--storage-driver", "-s"),
        feature if isinstance(feature, bool) else None,
        read("userns-remap", "--userns-remap"),
    )


def read_info(info: dict[str, Any]) -> Store:
    """Read the store from the answer of a running Docker."""
    root, name = os.path.split(info["DockerRootDir"])
    is_remapped = _REMAPPED.fullmatch(name) is not None
    return Store(
        os.path.realpath(root if is_remapped else info["DockerRootDir"]),
        info["Driver"],
        ["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or []),
        is_remapped,
        info["Containers"],
        info["Images"],
    )


def find_store(runner: Runner, settings: Settings, major: int) -> Store:
    """Find the store that a stopped Docker would use, and its content on the disk."""
    directory = _directory_of(settings.root, bool(settings.user))
    prior = _list_prior_drivers(directory)
    in_containerd = _is_in_containerd(settings, major, prior)
    driver = settings.driver or (_SNAPSHOTTER if in_containerd else "".join(prior[:1]) or "vfs")
    store = Store(settings.root, driver, in_containerd, bool(settings.user), 0, 0)
    return store._replace(
        containers=len(_list_containers(directory, driver)),
        images=(
            _count_containerd_images(runner, settings.root)
            if in_containerd
            else len(_list_images(directory, driver))
        ),
    )


def check(store: Store, before: Settings | None, after: Settings, major: int) -> None:
    """Check that the new settings choose the same store, or that nothing would be hidden.

    :param before: null if the old settings are not known.
    :param major: the first part of the version that Docker is started with next.
    :raises CruntimeError: if the new settings hide something.
    """
    directory = _directory_of(store.root, store.is_remapped)
    new_directory = _directory_of(after.root, store.is_remapped)
    prior = _list_prior_drivers(new_directory)
    in_containerd = _is_in_containerd(after, major, prior)
    driver = after.driver or _choose_driver(store, in_containerd, prior)
    same_driver = (in_containerd, driver) == (store.in_containerd, store.driver)
    user_changed = bool(after.user) != store.is_remapped or (
        before is not None and before.user != after.user
    )
    moved = after.root != store.root or user_changed
    if same_driver and not moved:
        return
    if same_driver and not user_changed and _is_copied(directory, new_directory, store.driver):
        return
    hidden = {
        "container": store.containers,
        # containerd keeps them elsewhere.
        "image": 0 if same_driver and store.in_containerd else store.images,
        "volume": len(_list_volumes(directory)) if moved else 0,
    }
    if not any(hidden.values()):
        return
    changed = _list_changed(before, after)
    raise CruntimeError(
        f"{DOCKER_CONFIG}: {' and '.join(changed)} can't be changed: Docker would no longer show "
        f"{_join(_count(number, word) for word, number in hidden.items() if number)} that it has "
        f"in {_describe(store.root, store.driver, store.in_containerd)}, and start with "
        f"{_describe(after.root, driver, in_containerd)}. Remove them first, or keep this store: "
        f"{_join(_list_ways(store, after, same_driver, user_changed))}"
    )


def _is_in_containerd(settings: Settings, major: int, prior: list[str]) -> bool:
    if settings.in_containerd is not None and major >= 23:
        return settings.in_containerd
    if major < 29:
        return False
    return settings.driver not in _GRAPH_DRIVERS if settings.driver else not prior


def _choose_driver(store: Store, in_containerd: bool, prior: list[str]) -> str:
    """Return the driver that Docker chooses; empty if this can't be told."""
    if in_containerd:
        return _SNAPSHOTTER
    return store.driver if prior == [store.driver] else ""


def _list_prior_drivers(root: str) -> list[str]:
    """Return the drivers of which Docker finds data; it does not look for vfs."""
    return [
        driver
        for driver in sorted(_GRAPH_DRIVERS - {"vfs"})
        if _list_directory(os.path.join(root, driver))
    ]


def _is_copied(directory: str, new_directory: str, driver: str) -> bool:
    """Return whether a new directory holds all that the old one does."""
    return all(
        set(old) <= set(new)
        for old, new in (
            (_list_containers(directory, driver), _list_containers(new_directory, driver)),
            (_list_images(directory, driver), _list_images(new_directory, driver)),
            (_list_volumes(directory), _list_volumes(new_directory)),
        )
    )


def _directory_of(root: str, is_remapped: bool) -> str:
    """Return the directory of the data, which a user namespace has within the data root."""
    names = _list_directory(root) if is_remapped else []
    remapped = next(filter(_REMAPPED.fullmatch, names), "")
    return os.path.join(root, remapped) if remapped else root


def _list_containers(directory: str, driver: str) -> list[str]:
    containers = os.path.join(directory, "containers")
    return [
        name
        for name in _list_directory(containers)
        if _driver_of(os.path.join(containers, name)) in ("", driver)
    ]


def _driver_of(container: str) -> str:
    """Return the driver of a container, empty if it can't be told."""
    try:
        with open(os.path.join(container, "config.v2.json"), "rb") as handle:
            driver = json.load(handle).get("Driver", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return driver if isinstance(driver, str) else ""


def _list_images(directory: str, driver: str) -> list[str]:
    return _list_directory(os.path.join(directory, "image", driver, "imagedb/content/sha256"))


def _list_volumes(directory: str) -> list[str]:
    volumes = os.path.join(directory, "volumes")
    return [name for name in _list_directory(volumes) if os.path.isdir(os.path.join(volumes, name))]


def _list_directory(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _count_containerd_images(runner: Runner, root: str) -> int:
    ask = ("ctr", "--address", CONTAINERD_SOCKET, "--namespace", "moby", "images", "ls", "--quiet")
    try:
        return len(runner.output(*ask, timeout=10).split())
    except CommandError:
        # Docker starts a containerd of its own if no other one runs.
        directories = ("/var/lib/containerd", os.path.join(root, "containerd/daemon"))
        known = any(_mentions_docker(os.path.join(path, _METADATA)) for path in directories)
        return _UNKNOWN if known else 0


def _mentions_docker(path: str) -> bool:
    """Return whether the database of containerd has a namespace of Docker, or had one."""
    try:
        with open(path, "rb") as handle, mmap.mmap(
            handle.fileno(), 0, access=mmap.ACCESS_READ
        ) as content:
            return content.find(b"moby") >= 0
    except (OSError, ValueError):
        return False


def _list_changed(before: Settings | None, after: Settings) -> list[str]:
    keys = {
        "root": "data-root",
        "driver": "storage-driver",
        "in_containerd": f"features.{FEATURE}",
        "user": "userns-remap",
    }
    old, new = before._asdict() if before else {}, after._asdict()
    return [key for name, key in keys.items() if old.get(name) != new[name]]


def _list_ways(store: Store, after: Settings, same_driver: bool, user_changed: bool) -> list[str]:
    """Return what to set for Docker to keep its store."""
    ways = []
    if after.root != store.root:
        ways.append(f"set storage.root to {store.root}")
    if user_changed:
        ways.append("leave userns-remap as it is")
    if same_driver:
        return ways
    if store.in_containerd:
        if after.driver not in ("", store.driver):
            ways.append("leave out storage.driver")
        ways.append(f"set features.{FEATURE} to true in extra_config")
    else:
        if after.in_containerd:
            ways.append(f"leave out features.{FEATURE}")
        ways.append(f"set storage.driver to {store.driver}")
    return ways


def _describe(root: str, driver: str, in_containerd: bool) -> str:
    where = " of containerd" if in_containerd else ""
    return f"{root} with the storage driver {driver or 'that it chooses by itself'}{where}"


def _count(number: int, word: str) -> str:
    if number == _UNKNOWN:
        return f"{word}s (containerd is stopped and can't be asked how many)"
    return f"{number} {word}{'' if number == 1 else 's'}"


def _join(words: Any) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else str(last)


def _read_flag(command: Sequence[str], *flags: str) -> str | None:
    for position, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name in flags:
            return value if equals else "".join(command[position + 1 : position + 2])
    return None
