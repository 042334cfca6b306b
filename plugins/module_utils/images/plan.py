# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the steps from the current images to the requested images. Pure functions."""

from __future__ import annotations

import fnmatch
from typing import Iterable, NamedTuple, cast

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    normalize,
    spellings,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Image, Verb


class Step(NamedTuple):
    """One change of the store.

    :param name: reference or ID of the image, or the path of an archive.
    :param image: the image to tag, untag or remove.
    :param archive: the archive to load.
    """

    verb: Verb
    name: str
    image: Image | None = None
    archive: Archive | None = None

    @property
    def known_image(self) -> Image:
        """Return the image of a step that always has one."""
        return cast("Image", self.image)


class ImageIndex:
    """Images of a store by ID, tag and digest."""

    def __init__(self, images: Iterable[Image]) -> None:
        self.images = list(images)
        self._by_name: dict[str, Image] = {}
        # By full form, the names that a store has only in another form.
        self._by_full_form: dict[str, list[tuple[str, Image]]] = {}
        for image in self.images:
            for name in (image.id, *image.repo_tags, *image.repo_digests):
                self._by_name[name] = image
                if canonical_name(name) != name:
                    others = self._by_full_form.setdefault(canonical_name(name), [])
                    others.append((name, image))

    def find(self, name: str) -> Image | None:
        """Return the image with a name; None if there is none, or its digest does not match.

        :param name: reference, with or without a digest, or image ID.
        """
        return self._by_name.get(canonical_name(name))

    def find_incomplete(self, name: str) -> Image | None:
        """Return the image that only has another form of a name; None if there is none."""
        others = self._by_full_form.get(canonical_name(name), [])
        return others[0][1] if others else None

    def find_spelled(self, name: str) -> list[tuple[str, Image]]:
        """Return the names in the store that a name can mean, with their images, best first."""
        if image_id(name):
            image = self.find(name)
            return [(image.id, image)] if image else []
        found = []
        for key in map(canonical_name, spellings(name)):
            if key in self._by_name:
                found.append((key, self._by_name[key]))
            found += self._by_full_form.get(key, [])
        return found

    def find_same(self, archived: Archived) -> Image | None:
        """Return the image of an archive that is in the store under any name."""
        return next((image for image in self.images if image.is_same(archived)), None)


def canonical_name(name: str) -> str:
    """Return a name as a store lists it. If it has a digest, the tag is ignored."""
    identity = image_id(name)
    if identity:
        return identity
    repository, _tag, digest = split(normalize(name))
    return f"{repository}@{digest}" if digest else normalize(name)


def to_pull(
    names: list[str], found: ImageIndex, policy: str, platform: str | None = None
) -> list[Step]:
    """Plan to pull missing images, or all images.

    An image that the store has under an incomplete name gets the full name.

    :param policy: missing, always or never.
    :param platform: platform to pull for, None for that of the node.
    :raises CruntimeError: if a missing image must not or cannot be pulled.
    """

    def is_missing(name: str) -> bool:
        image = found.find(name)
        return image is None or (image.is_foreign and not platform)

    missing = [name for name in names if is_missing(name)]
    tagged = []
    if policy != "always":
        incomplete = {name: found.find_incomplete(name) for name in missing}
        tagged = [
            Step("tag", normalize(name), image=image) for name, image in incomplete.items() if image
        ]
        missing = [name for name in missing if not incomplete[name]]
    for name in missing:
        if image_id(name):
            raise CruntimeError(
                f"{name}: image not found, and an ID cannot be pulled. Set a reference instead",
                reason="image_not_found",
            )
    if missing and policy == "never":
        raise CruntimeError(
            f"Images not found, and pull=never is set: {', '.join(missing)}. Load them with "
            "archive or preload, or set pull: missing",
            reason="image_not_found",
        )
    pulled = names if policy == "always" else missing
    return tagged + [Step("pull", normalize(name)) for name in pulled if not image_id(name)]


def select_archived(
    names: list[str], archives: list[Archive]
) -> dict[str, tuple[Archive, Archived]]:
    """Return the image that each name must have, with its archive.

    :param names: requested names, empty for all names in the archives.
    :raises CruntimeError: if the archives do not contain an image.
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
        return {canonical_name(names[0]): unnamed[0]}
    missing = [name for name in names if canonical_name(name) not in held]
    if missing:
        raise CruntimeError(
            f"{paths}: image not found in the archive: {', '.join(missing)}. It contains "
            f"{', '.join(sorted(held)) or 'no names'}",
            reason="image_not_found",
        )
    return {canonical_name(name): held[canonical_name(name)] for name in names}


def to_load(archived: dict[str, tuple[Archive, Archived]], found: ImageIndex) -> list[Step]:
    """Plan to load archives with missing images, and to tag images that only lack a name.

    :param archived: by name, the image that it must have, with its archive.
    """
    steps: dict[str, Step] = {}
    for name, (archive, image) in archived.items():
        present, same = found.find(name), found.find_same(image)
        if (present and present.is_same(image)) or (image_id(name) and same):
            continue
        if same:
            steps[name] = Step("tag", name, image=same)
        else:
            new_name = "" if image.names or image_id(name) else name
            steps[archive.path] = Step("load", new_name, archive=archive)
    loads = {path for path, step in steps.items() if step.verb == "load"}
    return [
        step
        for name, step in steps.items()
        if step.verb == "load" or archived[name][0].path not in loads
    ]


def to_tag(names: list[str], source: str, found: ImageIndex) -> list[Step]:
    """Plan to add names to an image.

    :param source: a name of the image.
    :raises CruntimeError: if the image is not in the store.
    """
    spelled = found.find_spelled(source)
    if not spelled:
        raise CruntimeError(
            f"source_image: {source} not found on this node. Load or pull it first",
            reason="image_not_found",
        )
    image = spelled[0][1]
    return [
        Step("tag", normalize(name), image=image)
        for name in names
        if (found.find(name) or Image("")).id != image.id
    ]


def to_remove(names: list[str], found: ImageIndex, all_tags: bool) -> list[Step]:
    """Plan to remove names, and images that have no further name.

    :param all_tags: whether to remove the other names of an image too. An ID removes all names.
    """
    untag: dict[str, tuple[Image, list[str]]] = {}
    remove: dict[str, Image] = {}
    for name in names:
        for spelling, image in found.find_spelled(name):
            if all_tags or image_id(name) or spelling not in image.repo_tags:
                remove[image.id] = image
            else:
                untag.setdefault(image.id, (image, []))[1].append(spelling)
    steps = []
    for image, names_of in untag.values():
        if set(names_of) >= set(image.repo_tags):
            remove[image.id] = image
        elif image.id not in remove:
            steps += [Step("untag", name, image=image) for name in dict.fromkeys(names_of)]
    return steps + [Step("remove", display_name(image), image=image) for image in remove.values()]


class Filters(NamedTuple):
    """Selection of the unused images to prune.

    :param include: patterns of references, empty for all images.
    :param exclude: patterns of references to keep.
    :param untagged: whether to prune only images without a tag.
    :param spared: names of images to keep. They are not patterns, because a host such as
        C([fd00::1]) looks like a pattern.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    untagged: bool = False
    spared: tuple[str, ...] = ()


def to_prune(found: ImageIndex, users: dict[str, list[str]], filters: Filters) -> list[Step]:
    """Plan to remove unused images that are not pinned and match the filters.

    :param users: by image ID, the containers that use an image.
    """
    spared = {image.id for image in map(found.find, filters.spared) if image}
    return [
        Step("remove", display_name(image), image=image)
        for image in found.images
        if not users.get(image.id)
        and not image.pinned
        and image.id not in spared
        and not (filters.untagged and image.repo_tags)
        and not _matches(image, filters.exclude)
        and (not filters.include or _matches(image, filters.include))
    ]


def is_published(image: Image, digest: str, config: str, fingerprint: str) -> bool:
    """Return whether a registry has an image.

    :param digest: digest of the manifest or image index in the registry.
    :param config: digest of the configuration, because a push can generate another manifest.
    :param fingerprint: fingerprint, because the store can have the image index and the registry
        only one of its manifests.
    """
    known = {image.id, *image.targets, *(split(name)[2] for name in image.repo_digests)}
    return (
        digest in known
        or config == image.id
        or bool(image.fingerprint and fingerprint == image.fingerprint)
    )


def to_pin(names: list[str], found: ImageIndex, pinned: bool) -> list[Step]:
    """Plan to pin or unpin images."""
    return [
        Step("pin" if pinned else "unpin", canonical_name(name))
        for name in names
        if (found.find(name) or Image("")).pinned is not pinned
    ]


def display_name(image: Image) -> str:
    """Return the most readable name of an image."""
    return next(iter((*image.repo_tags, *image.repo_digests)), image.id)


def _matches(image: Image, patterns: tuple[str, ...]) -> bool:
    names = (image.id, *image.repo_tags, *image.repo_digests)
    # A pattern can also be a short name.
    return any(
        fnmatch.fnmatchcase(name, pattern) or name == canonical_name(pattern)
        for name in names
        for pattern in patterns
    )
