# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove images: those of a task, or the unused ones."""

from __future__ import annotations

import time

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import plan
from ansible_collections.cruntime.node.plugins.module_utils.images.request import Prune
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask


def remove_images(task: ImageTask) -> None:
    """Remove names, and images that have no further name.

    :raises CruntimeError: if a container uses an image, unless force is set.
    """

    def list_steps() -> list[plan.Step]:
        return plan.to_remove(task.request.names, task.found, task.options["all_tags"])

    steps = list_steps()
    removed = [step.known_image for step in steps if step.verb == "remove"]
    users = task.store.users() if removed and not task.options["force"] else {}
    for image in removed:
        if users.get(image.id):
            raise CruntimeError(
                f"{plan.display_name(image)}: The image is in use by {', '.join(users[image.id])}. "
                "Remove the containers first, or set force",
                reason="image_in_use",
            )
    task.check(steps)
    if task.apply(steps):
        task.wait_until(lambda: not list_steps(), "still lists images that were removed")


def prune_images(task: ImageTask, prune: Prune) -> None:
    """Remove unused images, except images of the task and the sandbox image."""
    # No container uses the sandbox image, but each pod needs it.
    spared = (*task.names, *filter(None, [task.store.sandbox_image()]))
    filters = prune.filters._replace(spared=spared)
    steps = plan.to_prune(task.found, task.store.users(), filters)
    if prune.age is not None and steps:
        details = task.store.details([step.known_image.id for step in steps])
        oldest = time.time() - prune.age
        steps = [
            step
            for step in steps
            if step.known_image.id in details and details[step.known_image.id].created <= oldest
        ]
    task.check(steps)
    if task.apply(steps):
        ids = {step.known_image.id for step in steps}
        task.wait_until(
            lambda: not any(map(task.found.find, ids)), "still lists images that were pruned"
        )
