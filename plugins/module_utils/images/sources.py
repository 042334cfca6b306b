# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get the images of a task from its source: a registry, archives or another image."""

from __future__ import annotations

import functools
import os

from ansible_collections.cruntime.node.plugins.module_utils import image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    Archived,
    platforms_of_this_node,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    normalize,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import plan, preload, transfers
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import ImageIndex, Step
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask


def pull_images(task: ImageTask) -> list[str]:
    """Pull images; return the names of the task."""
    names, options = task.request.names, task.options
    steps = plan.to_pull(names, task.found, options["pull"] or "missing", options["platform"])
    if task.check_mode:
        steps = [step for step in steps if not _is_up_to_date(task, step.name)]
    task.check(steps, ["platform"] if options["platform"] else [])
    if task.apply([step for step in steps if step.verb == "tag"]):
        task.list_images()
    steps = [step for step in steps if step.verb == "pull"]
    failures: list[transfers.Failure] = []
    if steps and not task.check_mode:
        credentials, platform = task.request.credentials, options["platform"]
        failures = transfers.transfer_all(
            functools.partial(_pull, task, credentials=credentials, platform=platform),
            [step.name for step in steps],
            parallel=options["parallel"],
            retries=options["retries"],
            await_registry=functools.partial(transfers.await_registry, credentials=credentials),
        )
        failed = {failure.name for failure in failures}
        # A store can list a new name some time after the pull.
        task.expect([step.name for step in steps if step.name not in failed])
    for step in steps:
        # A pull of an image that is up to date changes nothing.
        if task.check_mode or task.is_new(step.name):
            task.report.add(step)
    transfers.raise_failures(failures, f"of {len(steps)} images could not be pulled")
    return names


def _pull(
    task: ImageTask, name: str, *, credentials: Credentials | None, platform: str | None
) -> None:
    """Pull an image. If it must be signed, pull exactly what is signed."""
    if task.verifier is None:
        task.store.pull(name, credentials, platform)
        return
    signed = task.verifier.resolve(name, credentials)
    task.store.pull(signed, credentials, platform)
    if plan.canonical_name(name) != signed:
        image = ImageIndex(task.store.images(bool(platform))).find(signed)
        if image is None:
            raise CruntimeError(f"{name}: {signed} not found", reason="result_unexpected")
        task.store.tag(image, normalize(name))


def _is_up_to_date(task: ImageTask, name: str) -> bool:
    """Return whether a pull would change nothing, because the registry has the same image."""
    image = task.found.find(name)
    if image is None or image.is_foreign:
        return False
    # Import it only here: the imports of TLS and HTTP are slow, and most tasks do not need them.
    from ansible_collections.cruntime.node.plugins.module_utils.images import registry

    credentials = task.request.credentials
    if plan.is_published(image, registry.read_digest(name, credentials), "", ""):
        return True
    # If an index changed only for other platforms, the image of this node stays the same.
    return plan.is_published(image, *registry.read_pulled(name, credentials), "")


def load_archives(task: ImageTask) -> list[str]:
    """Load images from archives; return the names of the task, or all names in the archives."""
    archives = _read_archives(task, task.options["archive"])
    return _load(task, plan.select_archived(task.request.names, archives))


def _read_archives(task: ImageTask, paths: list[str]) -> list[Archive]:
    """Return the archives with the names that the store can load."""
    archives = [image_archive.read(task.runner, path) for path in paths]
    if task.store.keeps_digests():
        return archives
    for archive in archives:
        for image in archive.images:
            if image.names and all("@" in name for name in image.names):
                task.module.warn(
                    f"{archive.path}: {', '.join(image.names)} is loaded without this name, "
                    f"because {task.store.label} cannot load digests. Pull the image instead"
                )
    return [archive.without_digests() for archive in archives]


def preload_images(task: ImageTask) -> list[str]:
    """Load images from a directory of archives, or from a tarball of a whole store.

    :return: the names of the task, or all names in the archives if the task has none.
    """
    path, names = task.options["preload"], task.request.names
    missing = [name for name in names if task.found.find(name) is None]
    if names and not missing:
        return names
    if os.path.isdir(path):
        archives = _read_archives(task, preload.archives(path))
        loaded = _load(task, plan.select_archived(missing, archives))
        return names or loaded
    _preload_store(task, path, missing)
    return names


def tag_image(task: ImageTask) -> list[str]:
    """Add names to an image; return the names of the task."""
    names = task.request.names
    steps = plan.to_tag(names, task.options["source_image"], task.found)
    task.check(steps)
    if task.apply(steps):
        task.expect(names)
    return names


def _load(task: ImageTask, archived: dict[str, tuple[Archive, Archived]]) -> list[str]:
    """Load images that are missing.

    :param archived: by name, the image to load and its archive.
    :return: the names of the task, or all names in the archives if the task has none.
    """
    steps = plan.to_load(archived, task.found)
    task.check(steps)
    if not task.store.loads_other_platforms:
        _check_platforms(task, archived)
    images = {name: image for name, (_archive, image) in archived.items()}
    if task.check_mode:
        for name, image in images.items():
            task.report.predict(name, image.config)
    if task.verifier and steps:
        for archive in {archive.path: archive for archive, _image in archived.values()}.values():
            task.verifier.check_archive(archive)
    if task.apply(steps):
        task.list_images()
        # Some stores load an image but not all of its names.
        rest = plan.to_load(archived, task.found)
        if all(step.verb == "tag" for step in rest):
            for step in rest:
                task.do(step)
        task.expect([name for name in images if not image_id(name)], images)
    stored = [_stored_name(task, name, image) for name, image in images.items()]
    if steps:
        for name in stored:
            task.report.add_change(name)
    return task.request.names or stored


def _stored_name(task: ImageTask, name: str, archived: Archived) -> str:
    """Return the name of an archived image in the store, where an unnamed image has another ID."""
    same = task.found.find_same(archived) if image_id(name) else None
    return same.id if same else name


def _check_platforms(task: ImageTask, archived: dict[str, tuple[Archive, Archived]]) -> None:
    """Check that images of archives are for this node.

    :raises CruntimeError: if an image is for another platform.
    """
    ours = platforms_of_this_node()
    for name, (archive, image) in archived.items():
        if image.platform not in ("", *ours):
            raise CruntimeError(
                f"{archive.path}: {name} is for {image.platform}, and {task.store.label} loads "
                f"only images for {ours[0]}. Use an archive for this platform, or set name to "
                "other images of the archive",
                reason="archive_invalid",
            )


def _preload_store(task: ImageTask, path: str, missing: list[str]) -> None:
    image_archive.compression_of(path)
    if not missing:
        raise CruntimeError(
            f"preload: name is required, because {path} is a tarball of a store. Set name to the "
            "images to load from it",
            reason="option_invalid",
        )
    steps = [Step("preload", normalize(name)) for name in missing]
    task.check(steps)
    if task.apply(steps, lambda: _copy_from_store(task, path, missing)):
        task.expect(task.request.names)


def _copy_from_store(task: ImageTask, path: str, names: list[str]) -> None:
    """Copy images from a tarball of a store.

    :raises CruntimeError: if the store in the tarball does not have all names.
    """
    with preload.unpacked(task.runner, task.store, path) as directory:
        archive = os.path.join(os.path.dirname(directory), "images.tar")
        with task.store.open_source(directory) as source:
            found = source.names()
            missing = [name for name in names if plan.canonical_name(name) not in found]
            if missing:
                raise CruntimeError(
                    f"preload: {path}: image not found: {', '.join(missing)}. It contains "
                    f"{', '.join(sorted(found)) or 'no images'}",
                    reason="image_not_found",
                )
            source.save([plan.canonical_name(name) for name in names], archive)
        task.store.load(image_archive.read(task.runner, archive))
