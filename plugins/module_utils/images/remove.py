# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the images of a task, or unused images."""

from __future__ import annotations

import math
import re
import time

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import plan
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Details
from ansible_collections.cruntime.node.plugins.module_utils.images.request import Prune
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask

# Errors of CRI-O and Docker.
_IN_USE = re.compile(r"\bin use\b|\bbeing used\b|\bis using\b|\bused by\b")


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
                f"{plan.display_name(image)} is used by the containers "
                f"{', '.join(users[image.id])}. Remove them first, or set force: true",
                reason="image_in_use",
            )
    task.check(steps)
    if task.apply(steps):
        task.wait_until(lambda: not list_steps(), "still lists images that were removed")


def prune_images(task: ImageTask, prune: Prune) -> None:
    """Remove unused images, except images of the task and the sandbox images.

    :raises CruntimeError: if some of them could not be removed. The others are removed.
    """
    # No container uses a sandbox image, but each pod needs it.
    spared = (*task.names, *task.store.sandbox_images())
    filters = prune.filters._replace(spared=spared)
    steps = plan.to_prune(task.found, task.store.users(), filters)
    if steps and (prune.age is not None or prune.labels):
        details = task.store.details([step.known_image.id for step in steps])
        oldest = math.inf if prune.age is None else time.time() - prune.age
        steps = [
            step
            for step in steps
            if _is_selected(details.get(step.known_image.id), oldest, prune.labels)
        ]
    task.check(steps)
    causes = task.apply_each(steps)
    ids = {step.known_image.id for step in steps} - causes.keys()
    if ids and not task.check_mode:
        task.wait_until(
            lambda: not any(map(task.found.find, ids)), "still lists images that were pruned"
        )
    if causes:
        _report_kept(task, [step for step in steps if step.known_image.id in causes], causes)


def _is_selected(
    details: Details | None, oldest: float, labels: tuple[tuple[str, str | None], ...]
) -> bool:
    """Return whether an image was created before a time, and has all labels."""
    if details is None or details.created > oldest:
        return False
    return all(
        key in details.labels and value in (None, details.labels[key]) for key, value in labels
    )


def _report_kept(task: ImageTask, steps: list[plan.Step], causes: dict[str, str]) -> None:
    """Warn of images that are in use, and raise an error for the others.

    A container can start to use an image during the task, or belong to another tool.
    """
    used = [step for step in steps if _IN_USE.search(causes[step.known_image.id])]
    for step in used:
        task.module.warn(f"prune: {step.name} is kept: {causes[step.known_image.id]}")
    failed = [step for step in steps if step not in used]
    if failed:
        listed = "; ".join(f"{step.name}: {causes[step.known_image.id]}" for step in failed)
        raise CruntimeError(
            f"prune: images could not be removed: {listed}",
            reason="command_failed",
        )
