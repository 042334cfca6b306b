# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export the images of a task to an archive on the node, unless it already has them."""

from __future__ import annotations

import os
import stat

from ansible_collections.cruntime.node.plugins.module_utils import atomic, image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import image_id
from ansible_collections.cruntime.node.plugins.module_utils.images import archive_file
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import Step, canonical_name
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask


def export_images(task: ImageTask, names: list[str], path: str) -> None:
    """Write images to an archive.

    :raises CruntimeError: if the archive cannot be written, or is incomplete.
    """
    if os.path.isdir(path):
        raise CruntimeError(
            f"export_path: {path} is a directory. Set the path of a file", reason="option_invalid"
        )
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise CruntimeError(
            f"export_path: directory {directory} not found on this node. Create it first",
            reason="file_not_found",
        )
    mode = int(task.options["export_mode"], 8) if task.options["export_mode"] else None
    if _is_exported(task, names, path) and mode in (None, stat.S_IMODE(os.lstat(path).st_mode)):
        return
    steps = [Step("save", path)]
    task.check(steps)
    saved, kept = _list_saved(task, names), _list_kept(task, names)
    for name in saved:
        if "@" in name and name not in kept:
            task.module.warn(
                f"export_path: {path} has the image {name} without this name, because "
                f"{task.store.label} cannot write digests. Set name to a tag of the image"
            )
    task.apply(steps, lambda: _write(task, names, path, mode))


def _is_exported(task: ImageTask, names: list[str], path: str) -> bool:
    """Return whether an archive has exactly these images under these names."""
    found = {canonical_name(name): task.found.find(name) for name in names}
    images = {name: image for name, image in found.items() if image}
    if len(images) < len(found) or task.report.is_predicted(names):
        return False
    try:
        archive = image_archive.read(task.runner, path, task.options["platform"])
    except CruntimeError:
        return False
    archived, kept = _archived_by_name(archive), _list_kept(task, names)
    return (
        # Some tools add the digests to the names.
        {name for name in archived if "@" not in name} <= kept <= archived.keys()
        and all(images[name].is_same(archived[name]) for name in kept)
        and all(any(map(image.is_same, archive.images)) for image in images.values())
    )


def _write(task: ImageTask, names: list[str], path: str, mode: int | None) -> None:
    platform = task.options["platform"]
    try:
        with archive_file.new_archive(task.module, path, task.store.scratch_dir, mode) as written:
            task.store.save(_list_saved(task, names), written, platform)
            # Check the archive even if the tool succeeded: it must be complete.
            archived = _archived_by_name(_read_written(task, path, written))
            missing = _list_kept(task, names) - archived.keys()
            if missing:
                raise CruntimeError(
                    f"export_path: {path} was not changed: {task.store.label} wrote an archive "
                    f"without {', '.join(sorted(missing))}. Remove artifacts, which are not "
                    "images, from name",
                    reason="image_incomplete",
                    incomplete=missing,
                )
    except CruntimeError as error:
        if "incomplete" in error.facts:
            incomplete = error.facts["incomplete"]
            error.facts["incomplete"] = [n for n in names if canonical_name(n) in incomplete]
        raise
    except OSError as error:
        raise atomic.describe_error(path, error) from error


def _read_written(task: ImageTask, path: str, written: str) -> Archive:
    """Read an archive that was just written.

    :param path: path that the archive will have, for the error message.
    """
    try:
        return image_archive.read(task.runner, written, task.options["platform"])
    except CruntimeError as error:
        problem = str(error).replace(written, "")
        raise CruntimeError(
            f"export_path: {path} was not changed: the archive that {task.store.label} wrote"
            f"{problem}",
            reason="result_unexpected",
        ) from error


def _list_saved(task: ImageTask, names: list[str]) -> list[str]:
    """Return the names to save: all, without digests of images that have another of the names."""
    kept = _list_kept(task, names)
    named = {image.id for image in map(task.found.find, kept) if image}

    def is_needed(name: str) -> bool:
        image = task.found.find(name)
        return name in kept or image is None or image.id not in named

    return [name for name in dict.fromkeys(map(canonical_name, names)) if is_needed(name)]


def _list_kept(task: ImageTask, names: list[str]) -> set[str]:
    """Return the fully qualified references that an archive of the store keeps."""
    keeps_digests = task.store.keeps_digests(task.options["platform"])
    return {
        canonical_name(name)
        for name in names
        if not image_id(name) and (keeps_digests or "@" not in name)
    }


def _archived_by_name(archive: Archive) -> dict[str, Archived]:
    return {name: image for image in archive.images for name in image.names}
