# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make images what a task asks for: look once, plan, do what is missing, look again.

Knows no runtime by name.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Iterable

from ansible_collections.cruntime.node.plugins.module_utils import image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive, Archived
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    normalised,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import (
    archive_file,
    context,
    plan,
    preload,
    transfers,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Build,
    ImageStore,
    Published,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import Seen, Step
from ansible_collections.cruntime.node.plugins.module_utils.images.request import (
    Request,
    build_args,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

# How long a store may take to list what it was just given, in seconds.
_LISTING_TIME = 10
# What a step did, for the result.
_DONE = {
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


class Work:
    """One task on one node."""

    def __init__(
        self, store: ImageStore, runner: Runner, request: Request, check_mode: bool
    ) -> None:
        self._store = store
        self._runner = runner
        self._request = request
        self._options = request.options
        self._check_mode = check_mode
        self._actions: list[dict[str, Any]] = []
        # What names will stand for, where that is known in check mode.
        self._to_be: dict[str, str] = {}
        self._touched: dict[str, str] = {}
        # What registries have now, by name.
        self._pushed: dict[str, str] = {}
        # Those of the task, or what its archives name.
        self._names = list(request.names)
        store.check(set())
        self._before = self._seen = Seen(store.images())

    def run(self) -> dict[str, Any]:
        """Do it.

        :raises CruntimeError: something failed; its facts hold what was done before.
        """
        try:
            getattr(self, f"_{self._request.source}")()
            self._prune()
        except CruntimeError as error:
            error.facts = {**self._result(), **error.facts}
            raise
        return self._result()

    # Where images come from

    def _pull(self) -> None:
        steps = plan.to_pull(self._request.names, self._seen, self._options["pull"] or "missing")
        self._check(steps, {"platform"} if self._options["platform"] else set())
        failures = [] if self._check_mode else self._transfer(steps, self._pull_one)
        if steps and not self._check_mode:
            self._look()
        for step in steps:
            # What was up to date was asked for, but nothing came of it.
            if self._check_mode or self._is_new(step.name):
                self._note(step)
        _raise(failures, f"of {len(steps)} images could not be pulled")
        if steps and not self._check_mode:
            self._expect(self._request.names)
        self._finish(self._request.names)

    def _pull_one(self, name: str) -> None:
        self._store.pull(name, self._request.credentials, self._options["platform"])

    def _transfer(
        self, steps: list[Step], transfer: Callable[[str], None]
    ) -> list[transfers.Failure]:
        names = [step.name for step in steps]
        return transfers.transfer_all(
            transfer, names, self._options["parallel"], self._options["retries"]
        )

    def _is_new(self, name: str) -> bool:
        before, after = self._before.find(name), self._seen.find(name)
        return after is not None and (before is None or before.id != after.id)

    def _archive(self) -> None:
        archives = [image_archive.read(self._runner, path) for path in self._options["archive"]]
        self._load(plan.wanted_of(self._request.names, archives))

    def _load(self, wanted: dict[str, tuple[Archive, Archived]]) -> None:
        steps = plan.to_load(wanted, self._seen)
        self._check(steps)
        if self._check_mode:
            self._to_be.update(
                {name: archived.config for name, (dummy, archived) in wanted.items()}
            )
        if self._do(steps):
            self._look()
            # Some stores load an image but not all of its names.
            rest = plan.to_load(wanted, self._seen)
            if all(step.verb == "tag" for step in rest):
                self._do(rest, quiet=True)
            self._expect(
                [name for name in wanted if not image_id(name)],
                {name: archived for name, (dummy, archived) in wanted.items()},
            )
        if steps:
            for name in wanted:
                self._touch(name)
        self._names = self._names or list(wanted)
        self._finish(self._names)

    def _preload(self) -> None:
        path = self._options["preload"]
        missing = [name for name in self._names if self._seen.find(name) is None]
        if self._names and not missing:
            self._finish(self._names)
        elif os.path.isdir(path):
            archives = [image_archive.read(self._runner, each) for each in preload.archives(path)]
            self._load(plan.wanted_of(missing, archives))
        else:
            self._preload_store(path, missing)

    def _preload_store(self, path: str, missing: list[str]) -> None:
        image_archive.compression_of(path)
        if not missing:
            raise CruntimeError(
                "preload: a tarball takes a name: say which of its images are to be there",
                reason="option_invalid",
            )
        steps = [Step("preload", normalised(name)) for name in missing]
        self._check(steps)

        def take(dummy: list[Step]) -> None:
            with preload.unpacked(self._runner, self._store, path) as folder:
                archive = os.path.join(os.path.dirname(folder), "images.tar")
                with self._store.opened(folder) as foreign:
                    held = foreign.names()
                    lacking = [name for name in missing if plan.key(name) not in held]
                    if lacking:
                        raise CruntimeError(
                            f"preload: {path} holds no {', '.join(lacking)}, "
                            f"but {', '.join(sorted(held)) or 'no images'}",
                            reason="image_not_found",
                        )
                    foreign.save([plan.key(name) for name in missing], archive)
                self._store.load(image_archive.read(self._runner, archive))

        if self._do(steps, take):
            self._expect(self._names)
        self._finish(self._names)

    def _source_image(self) -> None:
        steps = plan.to_tag(self._request.names, self._options["source_image"], self._seen)
        self._check(steps)
        if self._do(steps):
            self._expect(self._request.names)
        self._finish(self._request.names)

    def _build(self) -> None:
        given = self._options["build"]
        folder = given["context"]
        dockerfile = os.path.join(folder, given["dockerfile"])
        if not os.path.isdir(folder):
            raise CruntimeError(
                f"there is no folder {folder} on this node to build from", reason="file_not_found"
            )
        if not os.path.isfile(dockerfile):
            raise CruntimeError(
                f"there is no Dockerfile {dockerfile} on this node", reason="file_not_found"
            )
        args = build_args(given)
        digest = context.digest(folder, dockerfile, args, given["options"])
        names = [normalised(name) for name in self._request.names]
        if not self._options["force"] and self._is_built(names, digest):
            return self._finish(names)
        build = Build(
            context=folder,
            dockerfile=dockerfile,
            tags=tuple(names),
            args=args,
            labels={context.LABEL: digest},
            options=tuple(given["options"]),
        )
        steps = [Step("build", name) for name in names]
        self._check(steps)
        if self._do(steps, lambda dummy: self._store.build(build)):
            self._expect(names)
            if not self._is_built(names, digest):
                raise CruntimeError(
                    f"the builder left another image as {names[0]}", reason="result_unexpected"
                )
        return self._finish(names)

    def _is_built(self, names: list[str], digest: str) -> bool:
        ids = {image.id if image else None for image in map(self._seen.find, names)}
        if None in ids or len(ids) != 1:
            return False
        details = self._store.details([each for each in ids if each])
        return any(each.labels.get(context.LABEL) == digest for each in details.values())

    def _absent(self) -> None:
        steps = plan.to_remove(self._request.names, self._seen, self._options["all_tags"])
        removed = [step.known for step in steps if step.verb == "remove"]
        if removed and not self._options["force"]:
            users = self._store.users()
            for image in removed:
                if users.get(image.id):
                    raise CruntimeError(
                        f"{plan.called(image)} is in use by {', '.join(users[image.id])}: "
                        "remove the containers first, or say force",
                        reason="image_in_use",
                    )
        self._check(steps)
        if self._do(steps):
            self._await(
                lambda seen: (
                    not plan.to_remove(self._request.names, seen, self._options["all_tags"])
                ),
                "still lists what was removed",
            )

    # What is done with images that are there

    def _finish(self, names: list[str]) -> None:
        """Pin, save and push. In check mode, images that are to come may not be there yet."""
        self._keep_pins()
        if self._options["pin"] is not None:
            steps = plan.to_pin(names, self._seen, self._options["pin"])
            self._check(steps)
            if self._do(steps):
                self._await(
                    lambda seen: not plan.to_pin(names, seen, self._options["pin"]),
                    "does not pin as it was told",
                )
        if self._options["export_path"]:
            self._save(names, self._options["export_path"])
        if self._options["push"]:
            self._push(names)

    def _keep_pins(self) -> None:
        """Pin again what lost its pin because its name stands for another image now."""
        if not self._store.pins or self._check_mode or self._options["pin"] is not None:
            return
        pinned = [name for image in self._before.images if image.pinned for name in image.repo_tags]
        lost = [name for name in pinned if self._seen.find(name)]
        self._do(plan.to_pin(lost, self._seen, True), quiet=True)

    def _save(self, names: list[str], path: str) -> None:
        if os.path.isdir(path):
            raise CruntimeError(
                f"export_path: {path} is a folder; name a file", reason="option_invalid"
            )
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise CruntimeError(
                f"export_path: there is no folder {folder} on this node", reason="file_not_found"
            )
        if self._is_saved(names, path):
            return
        step = Step("save", path)
        self._check([step])
        self._do([step], lambda dummy: self._write(names, path))

    def _is_saved(self, names: list[str], path: str) -> bool:
        found = {plan.key(name): self._seen.find(name) for name in names}
        images = {name: image for name, image in found.items() if image}
        if len(images) < len(found) or self._predicted(names):
            return False
        try:
            archive = image_archive.read(self._runner, path)
        except CruntimeError:
            return False
        held = _by_tag(archive)
        tags = _tags(names)
        return (
            set(held) == tags
            and all(images[name].is_same(held[name]) for name in tags)
            and all(
                any(image.is_same(archived) for archived in archive.images)
                for image in images.values()
            )
        )

    def _write(self, names: list[str], path: str) -> None:
        try:
            with archive_file.new_archive(path, self._store.scratch_dir) as written:
                self._store.save([plan.key(name) for name in names], written)
                # Check the archive even if the tool succeeded: it must be complete.
                held = set(_by_tag(image_archive.read(self._runner, written)))
                if held != _tags(names):
                    raise CruntimeError(
                        f"export_path: {self._store.label} wrote an archive of "
                        f"{', '.join(sorted(held)) or 'no names'} instead of {', '.join(names)}: "
                        f"{path} is left as it was",
                        reason="result_unexpected",
                    )
        except OSError as error:
            raise CruntimeError(
                f"export_path: {path} can't be written: {error.strerror}", reason="file_unwritable"
            ) from error

    def _push(self, names: list[str]) -> None:
        steps = []
        for name in names:
            image = self._seen.find(name)
            published = None
            if image and not self._predicted([name]):
                published = self._published(name)
            if image and published and plan.is_published(image, *published):
                self._pushed[normalised(name)] = published.digest
            else:
                steps.append(Step("push", normalised(name)))
        self._check(steps)
        failures = [] if self._check_mode else self._transfer(steps, self._push_one)
        failed = {failure.name for failure in failures}
        for step in steps:
            if step.name not in failed:
                self._note(step)
        _raise(failures, f"of {len(steps)} images could not be pushed")

    def _push_one(self, name: str) -> None:
        digest = self._store.push(name, self._request.credentials, self._options["insecure"])
        published = self._published(name)
        # podman takes any answer for success.
        if published and published.digest != digest:
            raise CruntimeError(
                f"{digest} was pushed, but the registry has {published.digest}",
                reason="result_unexpected",
            )
        self._pushed[name] = digest

    def _published(self, name: str) -> Published | None:
        # Not at the top: TLS and HTTP take long to import, and a look at images needs neither.
        from ansible_collections.cruntime.node.plugins.module_utils.images import registry

        return registry.look(name, self._request.credentials, self._options["insecure"])

    def _prune(self) -> None:
        prune = self._request.prune
        if prune is None:
            return
        # No container is made of the image of the pods' sandboxes, but each pod needs it.
        spared = (*self._names, *filter(None, [self._store.sandbox_image()]))
        filters = prune.filters._replace(spared=spared)
        steps = plan.to_prune(self._seen, self._store.users(), filters)
        if prune.age is not None and steps:
            details = self._store.details([step.known.id for step in steps])
            oldest = time.time() - prune.age
            steps = [
                step
                for step in steps
                if step.known.id in details and details[step.known.id].created <= oldest
            ]
        self._check(steps)
        if self._do(steps):
            ids = {step.known.id for step in steps}
            self._await(
                lambda seen: not any(seen.find(each) for each in ids),
                "still lists what was pruned",
            )

    # Doing and telling

    def _check(self, steps: list[Step], further: Iterable[str] = ()) -> None:
        """Check that all of this can be done, and what follows: before anything is touched."""
        if steps:
            following = {
                verb
                for verb, wanted in (
                    ("pin", self._options["pin"]),
                    ("save", self._options["export_path"]),
                    ("push", self._options["push"]),
                )
                if wanted
            }
            self._store.check({step.verb for step in steps}.union(further, following))

    def _do(
        self,
        steps: list[Step],
        how: Callable[[list[Step]], None] | None = None,
        quiet: bool = False,
    ) -> bool:
        """Do steps and note them, or in check mode only note them.

        :param how: does all of them; else each is a method of the store.
        :param quiet: they belong to what was noted before.
        :return: whether anything was done.
        """
        if how is not None and not self._check_mode and steps:
            how(steps)
        for step in steps:
            if how is None and not self._check_mode:
                self._step(step)
            if not quiet:
                self._note(step)
        return bool(steps) and not self._check_mode

    def _step(self, step: Step) -> None:
        store, force = self._store, self._options["force"]
        if step.archive is not None:
            store.load(step.archive, step.name)
            return
        {
            "tag": lambda: store.tag(step.known, step.name),
            "untag": lambda: store.untag(step.known, step.name),
            "remove": lambda: store.remove(step.known, force),
            "pin": lambda: store.pin(step.name, True),
            "unpin": lambda: store.pin(step.name, False),
        }[step.verb]()

    def _note(self, step: Step) -> None:
        """Note what was done, or would be."""
        name = step.archive.path if step.archive else step.name
        self._actions.append({"action": _DONE[step.verb], "name": name})
        if step.verb in ("tag", "untag", "remove"):
            self._to_be[step.name] = step.known.id if step.verb == "tag" else "absent"
        if step.verb in ("pull", "tag", "build", "preload", "untag", "remove"):
            self._touch(step.name)

    def _touch(self, name: str) -> None:
        image = self._before.find(name)
        self._touched.setdefault(name, image.id if image else "absent")

    def _predicted(self, names: list[str]) -> bool:
        """Say whether check mode foresees another image for one of these names."""
        return self._check_mode and any(plan.key(name) in self._touched for name in names)

    def _look(self) -> None:
        self._seen = Seen(self._store.images())

    def _expect(self, names: list[str], archived: dict[str, Archived] | None = None) -> None:
        """Wait until the store lists all of these."""

        def all_there(seen: Seen) -> bool:
            for name in names:
                image = seen.find(name)
                if image is None or (archived and not image.is_same(archived[name])):
                    return False
            return True

        self._await(all_there, f"does not list {', '.join(names)}")

    def _await(self, is_done: Callable[[Seen], bool], words: str) -> None:
        deadline = time.monotonic() + _LISTING_TIME
        while True:
            self._look()
            if is_done(self._seen):
                return
            if time.monotonic() > deadline:
                raise CruntimeError(
                    f"all went well, but after {_LISTING_TIME} seconds {self._store.label} {words}",
                    reason="result_unexpected",
                )
            time.sleep(0.2)

    def _result(self) -> dict[str, Any]:
        found = {name: self._seen.find(name) for name in self._names}
        after = {name: self._after(name) for name in self._touched}
        return {
            "changed": bool(self._actions),
            "actions": self._actions,
            "images": [
                {"name": name, **image.described()} for name, image in found.items() if image
            ],
            "digests": self._pushed,
            "diff": {
                "before_header": "images",
                "after_header": "images",
                "before": _lines(self._touched),
                "after": _lines(after),
            },
        }

    def _after(self, name: str) -> str:
        if self._check_mode:
            return self._to_be.get(name, "not known before the run")
        image = self._seen.find(name)
        return image.id if image else "absent"


def _tags(names: list[str]) -> set[str]:
    """Return those of the names that an archive keeps, in full: no digests, and no IDs."""
    return {plan.key(name) for name in names if not image_id(name) and "@" not in name}


def _by_tag(archive: Archive) -> dict[str, Archived]:
    """Return what an archive holds by its tags; some tools name images by their digests as well."""
    return {name: image for image in archive.images for name in image.names if "@" not in name}


def _raise(failures: list[transfers.Failure], words: str) -> None:
    """Name each image that failed, with its reason.

    :raises CruntimeError: there are some.
    """
    if failures:
        reasons = "; ".join(f"{failure.name}: {failure.cause}" for failure in failures)
        raise CruntimeError(
            f"{len(failures)} {words}: {reasons}",
            reason="transfer_failed",
            failures=[failure._asdict() for failure in failures],
        )


def _lines(ids: dict[str, str]) -> str:
    return "".join(f"{name}: {image}\n" for name, image in sorted(ids.items()))
