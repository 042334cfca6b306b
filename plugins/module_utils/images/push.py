# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push the images of a task that a registry does not have yet."""

from __future__ import annotations

import functools

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import normalize
from ansible_collections.cruntime.node.plugins.module_utils.images import plan, transfers
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask


def push_images(task: ImageTask, names: list[str]) -> None:
    """Push images.

    :raises CruntimeError: if some of them could not be pushed.
    """
    steps = [Step("push", normalize(name)) for name in names if not _is_pushed(task, name)]
    task.check(steps)
    failures: list[transfers.Failure] = []
    if not task.check_mode:
        failures = transfers.transfer_all(
            lambda name: _push(task, name),
            [step.name for step in steps],
            parallel=task.options["parallel"],
            retries=task.options["retries"],
            await_registry=functools.partial(
                transfers.await_registry, credentials=task.request.credentials
            ),
        )
    failed = {failure.name for failure in failures}
    for step in steps:
        if step.name not in failed:
            task.report.add(step)
    transfers.raise_failures(failures, f"of {len(steps)} images could not be pushed")


def _is_pushed(task: ImageTask, name: str) -> bool:
    """Return whether the registry has the image of a name; if so, report the digest."""
    image = task.found.find(name)
    if image is None or task.report.is_predicted([name]):
        return False
    # Import it only here: the imports of TLS and HTTP are slow, and most tasks do not need them.
    from ansible_collections.cruntime.node.plugins.module_utils.images import registry

    published = registry.look_up(name, task.request.credentials, task.options["insecure"])
    if published is None or not plan.is_published(image, *published):
        return False
    task.report.digests[normalize(name)] = published.digest
    return True


def _push(task: ImageTask, name: str) -> None:
    from ansible_collections.cruntime.node.plugins.module_utils.images import registry

    credentials, insecure = task.request.credentials, task.options["insecure"]
    digest = task.store.push(name, credentials, insecure)
    registry.check_pushed(name, digest, credentials, insecure)
    task.report.digests[name] = digest
