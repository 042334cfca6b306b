# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about images, from what is wanted and what was seen. Pure."""

from __future__ import annotations

import fnmatch
from typing import Iterable, NamedTuple, cast

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive, Archived
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    normalised,
    spellings,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Image


class Step(NamedTuple):
    """One change to the store.

    :param verb: what to do: pull, load, preload, build, tag, untag, remove, pin, unpin, save or
        push.
    :param name: what it is about, as a reference, an image ID or a path.
    :param image: the image that it is about, where that is known before.
    :param archive: what to load.
    """

    verb: str
    name: str
    image: Image | None = None
    archive: Archive | None = None

    @property
    def known(self) -> Image:
        """The image, of a step that can't be without."""
        return cast("Image", self.image)


class Seen:
    """What a store listed, by everything that an image can be called."""

    def __init__(self, images: Iterable[Image]) -> None:
        self.images = list(images)
        self._by_name: dict[str, Image] = {}
        for image in self.images:
            for name in (image.id, *image.repo_tags, *image.repo_digests):
                self._by_name[name] = image

    def find(self, name: str) -> Image | None:
        """Return the image that this name stands for; a digest that does not match is no match.

        :param name: a reference, maybe with a digest, or an image ID.
        """
        return self._by_name.get(key(name))

    def find_spelled(self, name: str) -> tuple[str, Image] | None:
        """Return an image by any spelling of its name, and that spelling."""
        keys = [image_id(name)] if image_id(name) else [key(each) for each in spellings(name)]
        return next(((each, self._by_name[each]) for each in keys if each in self._by_name), None)

    def find_same(self, archived: Archived) -> Image | None:
        """Return the image that an archive holds, whatever its name here."""
        return next((image for image in self.images if image.is_same(archived)), None)


def key(name: str) -> str:
    """Return the one way in which a store lists a name: with a digest, its tag does not count."""
    identity = image_id(name)
    if identity:
        return identity
    repository, _tag, digest = split(normalised(name))
    return f"{repository}@{digest}" if digest else normalised(name)


def to_pull(names: list[str], seen: Seen, policy: str) -> list[Step]:
    """Pull what is missing, or all.

    :param policy: missing, always or never.
    :raises CruntimeError: what is missing can't or may not be pulled.
    """
    missing = [name for name in names if seen.find(name) is None]
    for name in missing:
        if image_id(name):
            raise CruntimeError(
                f"there is no image {name} on this node, and an ID can't be pulled: "
                "name it by a reference",
                reason="image_not_found",
            )
    if missing and policy == "never":
        raise CruntimeError(
            f"not on this node, and pull is never: {', '.join(missing)}", reason="image_not_found"
        )
    wanted = names if policy == "always" else missing
    return [Step("pull", normalised(name)) for name in wanted if not image_id(name)]


def wanted_of(names: list[str], archives: list[Archive]) -> dict[str, tuple[Archive, Archived]]:
    """Say which image of which archive each name is to stand for.

    :param names: those wanted; none for all that the archives name.
    :raises CruntimeError: the archives have no such image.
    """
    held = {
        name: (archive, image)
        for archive in archives
        for image in archive.images
        for name in image.names
    }
    unnamed = [
        (archive, image) for archive in archives for image in archive.images if not image.names
    ]
    paths = ", ".join(archive.path for archive in archives)
    if not names:
        return {**held, **{image.config: (archive, image) for archive, image in unnamed}}
    if len(names) == len(unnamed) == 1 and not held:
        return {key(names[0]): unnamed[0]}
    lacking = [name for name in names if key(name) not in held]
    if lacking:
        raise CruntimeError(
            f"{paths} holds no {', '.join(lacking)}, but {', '.join(sorted(held)) or 'no names'}",
            reason="image_not_found",
        )
    return {key(name): held[key(name)] for name in names}


def to_load(wanted: dict[str, tuple[Archive, Archived]], seen: Seen) -> list[Step]:
    """Load the archives whose images are not all there; only tag what is there but unnamed."""
    steps: dict[str, Step] = {}
    for name, (archive, archived) in wanted.items():
        present = seen.find(name)
        if (present and present.is_same(archived)) or (image_id(name) and seen.find_same(archived)):
            continue
        same = seen.find_same(archived)
        if same:
            steps[name] = Step("tag", name, image=same)
        else:
            unnamed = "" if archived.names or image_id(name) else name
            steps[archive.path] = Step("load", unnamed, archive=archive)
    loads = {path for path, step in steps.items() if step.verb == "load"}
    return [
        step
        for name, step in steps.items()
        if step.verb == "load" or wanted[name][0].path not in loads
    ]


def to_tag(names: list[str], source: str, seen: Seen) -> list[Step]:
    """Let names stand for the image that another name stands for.

    :raises CruntimeError: that one is not there.
    """
    found = seen.find_spelled(source)
    if found is None:
        raise CruntimeError(
            f"there is no image {source} on this node to tag", reason="image_not_found"
        )
    image = found[1]
    return [
        Step("tag", normalised(name), image=image)
        for name in names
        if (seen.find(name) or Image("")).id != image.id
    ]


def to_remove(names: list[str], seen: Seen, all_tags: bool) -> list[Step]:
    """Take names away, and the images that are left without any.

    :param all_tags: remove an image with its other names too. An ID stands for all of them.
    """
    untag: dict[str, tuple[Image, list[str]]] = {}
    remove: dict[str, Image] = {}
    for name in names:
        found = seen.find_spelled(name)
        if found is None:
            continue
        spelling, image = found
        if all_tags or image_id(name) or spelling not in image.repo_tags:
            remove[image.id] = image
        else:
            untag.setdefault(image.id, (image, []))[1].append(spelling)
    steps = []
    for image, spelled in untag.values():
        if set(spelled) >= set(image.repo_tags):
            remove[image.id] = image
        elif image.id not in remove:
            steps += [Step("untag", name, image=image) for name in dict.fromkeys(spelled)]
    return steps + [Step("remove", called(image), image=image) for image in remove.values()]


class Filters(NamedTuple):
    """Which unused images are pruned.

    :param include: patterns of references; none for all.
    :param exclude: patterns of references that stay.
    :param untagged: only those without a tag.
    :param spared: names of images that stay: no patterns, for the host C([fd00::1]) looks like one.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    untagged: bool = False
    spared: tuple[str, ...] = ()


def to_prune(seen: Seen, users: dict[str, list[str]], filters: Filters) -> list[Step]:
    """Remove what no container uses, nobody pinned and no filter keeps."""
    spared = {image.id for image in map(seen.find, filters.spared) if image}
    return [
        Step("remove", called(image), image=image)
        for image in seen.images
        if not users.get(image.id)
        and not image.pinned
        and image.id not in spared
        and not (filters.untagged and image.repo_tags)
        and not _matches(image, filters.exclude)
        and (not filters.include or _matches(image, filters.include))
    ]


def is_published(image: Image, digest: str, config: str, fingerprint: str) -> bool:
    """Say whether what a registry has is this image.

    :param digest: of its manifest, or of its index for several platforms, one of which is here.
    :param config: of its configuration: the manifest may have been made for the registry.
    :param fingerprint: where the ID here is that of an index, and one of its manifests is there.
    """
    known = {image.id, *(split(name)[2] for name in image.repo_digests)}
    return (
        digest in known
        or config == image.id
        or bool(image.fingerprint and fingerprint == image.fingerprint)
    )


def to_pin(names: list[str], seen: Seen, pinned: bool) -> list[Step]:
    """Pin images, or let go of them."""
    return [
        Step("pin" if pinned else "unpin", key(name))
        for name in names
        if (seen.find(name) or Image("")).pinned is not pinned
    ]


def called(image: Image) -> str:
    """Return the name of an image that says most."""
    return next(iter((*image.repo_tags, *image.repo_digests)), image.id)


def _matches(image: Image, patterns: tuple[str, ...]) -> bool:
    names = (image.id, *image.repo_tags, *image.repo_digests)
    # A pattern may be a name, and short for it too.
    return any(
        fnmatch.fnmatchcase(name, pattern) or name == key(pattern)
        for name in names
        for pattern in patterns
    )
