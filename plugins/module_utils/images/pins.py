# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin and unpin images, which exempts them from the kubelet's garbage collection."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.images import plan
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask


def set_pins(task: ImageTask, names: list[str]) -> None:
    """Pin or unpin images if the task requests it. Otherwise keep the pins of all names."""
    pinned = task.options["pin"]
    if pinned is None:
        return _restore_pins(task)
    steps = plan.to_pin(names, task.found, pinned)
    task.check(steps)
    if task.apply(steps):
        task.wait_until(
            lambda: not plan.to_pin(names, task.found, pinned),
            f"does not list all images as {'pinned' if pinned else 'unpinned'}",
        )
    return None


def _restore_pins(task: ImageTask) -> None:
    """Pin names that lost their pin because they have another image now."""
    if not task.store.pins or task.check_mode:
        return
    before = task.report.before.images
    names = [name for image in before if image.pinned for name in image.repo_tags]
    for step in plan.to_pin([name for name in names if task.found.find(name)], task.found, True):
        task.do(step)
