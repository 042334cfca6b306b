# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that Docker still finds its images, containers and volumes with a new daemon.json.

Docker has one store for each data root, storage driver and user namespace, and one in containerd.
Docker lists only the content of the store with which it was started. The content of other stores
stays on the disk, where Docker can neither use nor remove it.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import docker_storage
from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    docker_disk,
    hidden_data,
)
from ansible_collections.cruntime.node.plugins.module_utils.docker_storage import Settings
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

_SNAPSHOTTER = "overlayfs"
#: The key of daemon.json for each setting.
_KEYS = (
    "data-root",
    "storage-driver",
    f"features.{docker_storage.FEATURE}",
    "userns-remap",
    "containerd-namespace",
)


class Store(NamedTuple):
    """Store that Docker uses, with the numbers of its containers and images.

    :param root: the data root, without the directory of a user namespace.
    :param is_remapped: whether the data is in the directory of a user namespace.
    """

    root: str
    driver: str
    in_containerd: bool
    is_remapped: bool
    containers: int
    images: int


def read_store(info: dict[str, Any]) -> Store:
    """Read the store from C(GET /info)."""
    root, is_remapped = docker_storage.split_root(info["DockerRootDir"])
    return Store(
        docker_storage.resolve(root),
        info["Driver"],
        docker_storage.reports_containerd(info),
        is_remapped,
        info["Containers"],
        info["Images"],
    )


def find_store(runner: Runner, settings: Settings, major: int) -> Store:
    """Find the store that a stopped Docker would use, and its content on the disk."""
    directory = docker_storage.find_directory(settings.root, bool(settings.user))
    prior = docker_storage.list_prior_drivers(directory)
    in_containerd = docker_storage.is_in_containerd(settings, major, prior)
    driver = settings.driver or (_SNAPSHOTTER if in_containerd else "".join(prior[:1]) or "vfs")
    if in_containerd:
        images = docker_disk.count_containerd_images(runner, settings.root, settings.namespace)
    else:
        images = len(docker_disk.list_images(directory, driver))
    containers = len(docker_disk.list_containers(directory, driver))
    return Store(settings.root, driver, in_containerd, bool(settings.user), containers, images)


def check(path: str, store: Store, before: Settings | None, after: Settings, major: int) -> None:
    """Check that the new settings choose the same store, or that nothing would be hidden.

    :param path: the configuration file.
    :param before: None if the old settings are not known.
    :param major: the major version with which Docker starts next.
    :raises CruntimeError: if the new settings hide something.
    """
    old = before or after
    # For an unchanged root, use the root of the store: a variable of the unit can have set it.
    root = after.root if before is None or before.root != after.root else store.root
    if before is None:
        user_changed = bool(after.user) != store.is_remapped
    else:
        user_changed = before.user != after.user
    directory = docker_storage.find_directory(store.root, store.is_remapped)
    new_directory = docker_storage.find_directory(root, store.is_remapped)
    in_containerd, driver = _choose_driver(store, before, after, new_directory, major)
    kept = (in_containerd, driver) == (store.in_containerd, store.driver)
    kept = kept and not (in_containerd and old.namespace != after.namespace)
    moved = root != store.root or user_changed
    copied = not user_changed and docker_disk.is_copied(directory, new_directory, store.driver)
    if kept and (copied or not moved):
        return
    hidden = {
        "container": store.containers,
        # With another data root, Docker still finds the images in containerd.
        "image": 0 if kept and store.in_containerd else store.images,
        "volume": len(docker_disk.list_volumes(directory)) if moved and not copied else 0,
    }
    if not any(hidden.values()):
        return
    changed = [
        key
        for key, was, becomes in zip(_KEYS, before or [None] * len(_KEYS), after)
        if was != becomes
    ]
    raise hidden_data.refuse(
        "Docker",
        path,
        changed,
        hidden=hidden,
        stores=(
            _describe(store.root, store.driver, store.in_containerd),
            _describe(root, driver, in_containerd),
        ),
        ways=_list_ways(store, old, after._replace(root=root), kept, user_changed),
    )


def _choose_driver(
    store: Store, before: Settings | None, after: Settings, directory: str, major: int
) -> tuple[bool, str]:
    """Return Docker's choice: whether images are in containerd, and the storage driver.

    :param directory: where Docker finds data when it starts.
    :return: the driver is empty if it cannot be determined.
    """
    prior = docker_storage.list_prior_drivers(directory)
    in_containerd = docker_storage.is_in_containerd(after, major, prior)
    if after.driver:
        return in_containerd, after.driver
    is_same = before is not None and before.root == after.root and not before.driver
    if is_same and in_containerd == store.in_containerd:
        return in_containerd, store.driver
    if in_containerd:
        return True, _SNAPSHOTTER
    return False, store.driver if prior == [store.driver] else ""


def _list_ways(
    store: Store, old: Settings, after: Settings, kept: bool, user_changed: bool
) -> Iterable[str]:
    """Return the settings with which Docker keeps its store."""
    if after.root != store.root:
        yield f"set storage.root to {store.root}"
    if user_changed:
        yield "keep the value of userns-remap"
    if kept:
        return
    if not store.in_containerd:
        if after.in_containerd:
            yield f"do not set features.{docker_storage.FEATURE}"
        yield f"set storage.driver to {store.driver}"
        return
    if old.namespace != after.namespace:
        yield f"set containerd-namespace to {old.namespace}"
    if after.driver not in ("", store.driver):
        yield "do not set storage.driver"
    yield f"set features.{docker_storage.FEATURE} to true in extra_config"


def _describe(root: str, driver: str, in_containerd: bool) -> str:
    where = " of containerd" if in_containerd else ""
    choice = f"the storage driver {driver}" if driver else "its default storage driver"
    return f"{root} with {choice}{where}"
