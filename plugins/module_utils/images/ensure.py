# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the images of a node to the state that a task requests.

The order is: list the images once, plan, do the missing steps, list the images again. No runtime
is named here.
"""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images.build import build_image
from ansible_collections.cruntime.node.plugins.module_utils.images.export import export_images
from ansible_collections.cruntime.node.plugins.module_utils.images.pins import set_pins
from ansible_collections.cruntime.node.plugins.module_utils.images.push import push_images
from ansible_collections.cruntime.node.plugins.module_utils.images.remove import (
    prune_images,
    remove_images,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.request import Source
from ansible_collections.cruntime.node.plugins.module_utils.images.sources import (
    load_archives,
    preload_images,
    pull_images,
    tag_image,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask

# Each function gets the images of a task, and returns their names.
_SOURCES: dict[Source, Callable[[ImageTask], list[str]]] = {
    "pull": pull_images,
    "archive": load_archives,
    "source_image": tag_image,
    "build": build_image,
    "preload": preload_images,
}


def ensure(task: ImageTask) -> dict[str, Any]:
    """Do a task and return the result of the module.

    :raises CruntimeError: if a step failed. The facts of the error have the steps before it.
    """
    try:
        if task.request.source is None:
            remove_images(task)
        else:
            task.names = _SOURCES[task.request.source](task)
            _finish(task)
        if task.request.prune is not None:
            prune_images(task, task.request.prune)
    except CruntimeError as error:
        error.facts = {**task.result(), **error.facts}
        raise
    return task.result()


def _finish(task: ImageTask) -> None:
    """Pin, export and push the images. In check mode, some of them do not exist yet."""
    set_pins(task, task.names)
    if task.options["export_path"]:
        export_images(task, task.names, task.options["export_path"])
    if task.options["push"]:
        push_images(task, task.names)
