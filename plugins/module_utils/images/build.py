# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the image of a task, unless it was built from the same files before."""

from __future__ import annotations

import os

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import normalize
from ansible_collections.cruntime.node.plugins.module_utils.images import context
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Build
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.images.request import build_args
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask


def build_image(task: ImageTask) -> list[str]:
    """Build an image; return the names of the task."""
    options = task.options["build"]
    directory = options["context"]
    dockerfile = os.path.join(directory, options["dockerfile"])
    if not os.path.isdir(directory):
        raise CruntimeError(
            f"build.context: {directory}: directory not found on this node. Copy it to the node "
            "first, or correct the path",
            reason="file_not_found",
        )
    if not os.path.isfile(dockerfile):
        raise CruntimeError(
            f"build.dockerfile: {dockerfile}: file not found on this node. Copy it to the node "
            "first, or correct the path",
            reason="file_not_found",
        )
    args = build_args(options)
    digest = context.digest(directory, dockerfile, args, options["options"])
    names = [normalize(name) for name in task.request.names]
    if not task.options["force"] and _is_built(task, names, digest):
        return task.request.names
    build = Build(
        context=directory,
        dockerfile=dockerfile,
        tags=tuple(names),
        args=args,
        labels={context.LABEL: digest},
        options=tuple(options["options"]),
        credentials=task.request.credentials,
    )
    steps = [Step("build", name) for name in names]
    task.check(steps)
    if task.apply(steps, lambda: task.store.build(build)):
        task.expect(names)
        if not _is_built(task, names, digest):
            raise CruntimeError(
                f"{names[0]}: The builder succeeded, but the name has another image",
                reason="result_unexpected",
            )
    return task.request.names


def _is_built(task: ImageTask, names: list[str], digest: str) -> bool:
    """Return whether all names have one image, which was built with this digest."""
    ids = {image.id if image else None for image in map(task.found.find, names)}
    if None in ids or len(ids) != 1:
        return False
    details = task.store.details([each for each in ids if each])
    return any(each.labels.get(context.LABEL) == digest for each in details.values())
