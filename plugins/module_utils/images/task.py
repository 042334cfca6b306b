# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the steps of one task to the image store of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.images.base import ImageStore, Verb
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import ImageIndex, Step
from ansible_collections.cruntime.node.plugins.module_utils.images.report import Report
from ansible_collections.cruntime.node.plugins.module_utils.images.request import Request
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.images.signatures import Verifier

# Time that a store can need to list a change, in seconds.
_LISTING_TIME = 10


class ImageTask:
    """One task on one node.

    :raises CruntimeError: if the node has no tool to list images, or if listing fails.
    """

    def __init__(
        self, module: AnsibleModule, store: ImageStore, runner: Runner, request: Request
    ) -> None:
        self.module = module
        self.store = store
        self.runner = runner
        self.request = request
        self.options = request.options
        self.check_mode: bool = module.check_mode
        #: Names of the images to list in the result.
        self.names = list(request.names)
        store.check(set())
        #: Verification of signatures, None if the task does not ask for it.
        self.verifier = self._make_verifier()
        #: Images in the store, as listed last.
        self.found = ImageIndex(store.images(self._any_platform))
        self.report = Report(self.found, self.check_mode)

    @property
    def _any_platform(self) -> bool:
        # Only a task that removes images, or that sets a platform, is about images that the node
        # cannot run.
        return bool(self.options["platform"]) or self.request.source is None

    def _make_verifier(self) -> Verifier | None:
        keys = self.options["verify_keys"]
        if not keys:
            return None
        # Import it only here, because most tasks do not need it.
        from ansible_collections.cruntime.node.plugins.module_utils.images.signatures import (
            Verifier,
        )

        return Verifier(self.runner, keys, self.store.scratch_dir, self.options["timeout"])

    def check(self, steps: list[Step], further: Iterable[Verb] = ()) -> None:
        """Check that the node supports the steps and the rest of the task.

        Call it before the first step, while nothing is changed.

        :raises CruntimeError: if the runtime does not support a step, or a tool is not installed.
        """
        if not steps:
            return
        if self.verifier:
            self.verifier.check()
        needed: set[Verb] = {step.verb for step in steps}.union(further)
        if self.options["pin"]:
            needed.add("pin")
        if self.options["export_path"]:
            needed.add("save")
        if self.options["push"]:
            needed.add("push")
        self.store.check(needed)

    def apply(self, steps: list[Step], action: Callable[[], None] | None = None) -> bool:
        """Perform steps and report them; in check mode, only report them.

        :param action: performs all steps at once. By default, each step is a method of the store.
        :return: whether a step was performed.
        """
        if action is not None and steps and not self.check_mode:
            action()
        for step in steps:
            if action is None and not self.check_mode:
                self.do(step)
            self.report.add(step)
        return bool(steps) and not self.check_mode

    def apply_each(self, steps: list[Step]) -> dict[str, str]:
        """Perform steps, continue after a step that fails, and report the others.

        :return: cause of each failure, by the ID of the image.
        """
        causes: dict[str, str] = {}
        for step in steps:
            try:
                if not self.check_mode:
                    self.do(step)
                self.report.add(step)
            except CommandError as error:
                causes[step.known_image.id] = str(error)
        return causes

    def do(self, step: Step) -> None:
        """Perform one step of a plan without a report: tag, untag, remove, load, pin and unpin.

        :raises CruntimeError: if the step fails.
        """
        store = self.store
        if step.archive is not None:
            return store.load(step.archive, step.name)
        actions: dict[Verb, Callable[[], None]] = {
            "tag": lambda: store.tag(step.known_image, step.name),
            "untag": lambda: store.untag(step.known_image, step.name),
            "remove": lambda: store.remove(step.known_image, self.options["force"]),
            "pin": lambda: store.pin(step.name, True),
            "unpin": lambda: store.pin(step.name, False),
        }
        return actions[step.verb]()

    def list_images(self) -> None:
        """List the images in the store again."""
        self.found = ImageIndex(self.store.images(self._any_platform))

    def is_new(self, name: str) -> bool:
        """Return whether a name has another image than before the task."""
        before, after = self.report.before.find(name), self.found.find(name)
        if before is None or after is None:
            return after is not None
        return before.id != after.id or before.is_foreign != after.is_foreign

    def expect(self, names: list[str], archived: dict[str, Archived] | None = None) -> None:
        """Wait until the store lists all names.

        :param archived: by name, the image that it must have.
        :raises CruntimeError: if the store does not list them in time.
        """

        def is_listed(name: str) -> bool:
            image = self.found.find(name)
            return image is not None and (archived is None or image.is_same(archived[name]))

        self.wait_until(lambda: all(map(is_listed, names)), f"does not list {', '.join(names)}")

    def wait_until(self, is_done: Callable[[], bool], problem: str) -> None:
        """List the images until a condition on them is true.

        :param problem: predicate of the error message.
        :raises CruntimeError: if the condition does not become true in time.
        """

        def is_listed() -> bool:
            self.list_images()
            return is_done()

        if not wait_until(is_listed, _LISTING_TIME):
            raise CruntimeError(
                f"The operation succeeded, but after {_LISTING_TIME} seconds {self.store.label} "
                f"{problem}",
                reason="result_unexpected",
            )

    def result(self) -> dict[str, Any]:
        """Return the result of the module."""
        return self.report.result(self.names, self.found)
