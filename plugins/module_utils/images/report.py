# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the actions of a task on images, and report them as the result of the module."""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.images.base import Verb
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import (
    ImageIndex,
    Step,
    canonical_name,
)

# The action of each step in the result.
_ACTIONS: dict[Verb, str] = {
    "pull": "pulled",
    "load": "loaded",
    "tag": "tagged",
    "build": "built",
    "preload": "preloaded",
    "untag": "untagged",
    "remove": "removed",
    "pin": "pinned",
    "unpin": "unpinned",
    "save": "saved",
    "push": "pushed",
}
_ABSENT = "absent"


class Report:
    """Actions of a task, and the image of each name that they change.

    :param before: images in the store before the task.
    :param check_mode: whether the actions are only predicted.
    """

    def __init__(self, before: ImageIndex, check_mode: bool) -> None:
        self.before = before
        #: By name, the digest in the registry.
        self.digests: dict[str, str] = {}
        self._check_mode = check_mode
        self._actions: list[dict[str, str]] = []
        # By name, the image before the task and, if check mode can predict it, after the task.
        self._changed: dict[str, str] = {}
        self._predicted: dict[str, str] = {}

    def add(self, step: Step) -> None:
        """Record a step that was done, or that check mode predicts."""
        name = step.archive.path if step.archive else step.name
        self._actions.append({"action": _ACTIONS[step.verb], "name": name})
        if step.verb in ("pull", "tag", "build", "preload", "untag", "remove"):
            self.add_change(step.name)
        if step.verb == "tag":
            self.predict(step.name, step.known_image.id)
        elif step.verb in ("untag", "remove"):
            self.predict(step.name, _ABSENT)

    def add_change(self, name: str) -> None:
        """Record that a step changes the image of a name."""
        image = self.before.find(name)
        self._changed.setdefault(name, image.id if image else _ABSENT)

    def predict(self, name: str, image: str) -> None:
        """Record the ID of the image that a name will have."""
        self._predicted[name] = image

    def is_predicted(self, names: Iterable[str]) -> bool:
        """Return whether check mode predicts another image for one of the names."""
        return self._check_mode and any(canonical_name(name) in self._changed for name in names)

    def result(self, names: Iterable[str], after: ImageIndex) -> dict[str, Any]:
        """Return the result of the module.

        :param names: names of the images to list.
        :param after: images in the store now.
        """
        found = {name: after.find(name) for name in names}
        return {
            "changed": bool(self._actions),
            "actions": self._actions,
            "images": [{"name": name, **image.result} for name, image in found.items() if image],
            "digests": self.digests,
            "diff": {
                "before_header": "images",
                "after_header": "images",
                "before": _lines(self._changed),
                "after": _lines({name: self._after(name, after) for name in self._changed}),
            },
        }

    def _after(self, name: str, after: ImageIndex) -> str:
        if self._check_mode:
            return self._predicted.get(name, "not known before the run")
        image = after.find(name)
        return image.id if image else _ABSENT


def _lines(ids: dict[str, str]) -> str:
    return "".join(f"{name}: {image}\n" for name, image in sorted(ids.items()))
