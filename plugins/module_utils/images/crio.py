# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image store of CRI-O, through the CRI, or through podman if the CRI has no such call."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import tempfile
from typing import AbstractSet, Any, Callable, Iterator, cast

from ansible_collections.cruntime.node.plugins.module_utils import image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    full_id,
    normalize,
    registry_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import auth_file, builders
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Build,
    Credentials,
    Image,
    SourceStore,
    Verb,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.cri import CriStore
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio, Storage

_SAVE = ("save", "--quiet", "--format", "docker-archive", "--multi-image-archive")
_BY_PODMAN: dict[Verb, str] = {
    "load": "loading images",
    "preload": "loading images",
    "tag": "tagging images",
    "untag": "removing a name of an image",
    "save": "saving images",
    "push": "pushing images",
    "platform": "pulling for another platform",
}


class CrioStore(CriStore):
    """Images of CRI-O."""

    @property
    def root(self) -> str:
        return self._storage.root

    @functools.cached_property
    def _storage(self) -> Storage:
        return cast(Crio, self._runtime).storage()

    def users(self) -> dict[str, list[str]]:
        users = super().users()
        if self._runner.which("podman"):
            # podman shares the store, and CRI-O does not list its containers.
            for image, names in parse_users(
                self._podman("ps", "--all", "--format", "json")
            ).items():
                users.setdefault(image, []).extend(names)
        return users

    def check(self, needed: AbstractSet[Verb]) -> None:
        for what, words in _BY_PODMAN.items():
            if what in needed:
                self._require_tool("podman", what=words)
        if "build" in needed:
            self._require_tool("podman", "buildah", what="building images")
        if needed & {"pin", "unpin"}:
            raise self._unsupported(
                "pin or unpin a single image",
                "its configuration lists the pinned images. Set the option pinned_images of "
                "cruntime_enable",
            )

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        if platform is None:
            super().pull(name, credentials, platform)
            return
        with self._auth(name, credentials) as given:
            self._podman("pull", "--quiet", "--platform", platform, name, **given)

    def load(self, archive: Archive, name: str = "") -> None:
        with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
            self._podman("load", "--quiet", stdin=archive.as_docker(stream, name))

    def tag(self, image: Image, name: str) -> None:
        self._podman("tag", image.id, name)

    def save(self, names: list[str], path: str, platform: str | None = None) -> None:
        # The store has only one platform of each image.
        self._podman(*_SAVE, "--output", path, *names)

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        with tempfile.TemporaryDirectory(dir=self._scratch_dir) as directory:
            path = os.path.join(directory, "digest")
            verify = ("--tls-verify=false",) if insecure else ()
            with self._auth(name, credentials) as given:
                self._podman("push", "--quiet", "--digestfile", path, *verify, name, **given)
            with open(path, encoding="ascii") as file:
                return file.read().strip()

    def build(self, build: Build) -> None:
        tool = self._require_tool("podman", "buildah", what="building images")
        # Without this flag, each step leaves an image, which the kubelet would list.
        command = (tool, *self._store_words, "build", "--layers=false")
        builders.run_like_docker(self._runner, *command, build=build, **self._limits)

    def untag(self, image: Image, name: str) -> None:
        self._podman("untag", image.id, name)

    def remove(self, image: Image, force: bool) -> None:
        try:
            super().remove(image, force)
        except CommandError as error:
            if not force or "in use" not in str(error):
                raise
            # CRI-O does not remove an image that is in use, so remove only its tags.
            self._podman("untag", image.id)

    @contextlib.contextmanager
    def open_source(self, directory: str) -> Iterator[SourceStore]:
        # Remove the databases of podman, because with them podman rejects another directory.
        for path in (os.path.join(directory, name) for name in ("db.sql", "libpod/bolt_state.db")):
            if os.path.exists(path):
                os.remove(path)
        yield _Source(self._tool, directory)

    @contextlib.contextmanager
    def _auth(self, name: str, credentials: Credentials | None) -> Iterator[dict[str, Any]]:
        """Yield the arguments of the runner that log a tool in to a registry."""
        if credentials is None:
            yield {}
            return
        with auth_file.written(self._scratch_dir, [registry_of(name)], credentials) as file:
            yield {"env": {"REGISTRY_AUTH_FILE": file.path}, "descriptors": (file.descriptor,)}

    def _podman(self, *words: str, **given: Any) -> str:
        """Run podman on the store of CRI-O."""
        return self._tool("podman", *self._store_words, *words, **given)

    @property
    def _store_words(self) -> tuple[str, ...]:
        """Return the arguments of podman and buildah for the store of CRI-O."""
        store = self._storage
        return (
            *("--root", store.root, "--runroot", store.runroot, "--storage-driver", store.driver),
            # With one of these options, the tools ignore the options in storage.conf.
            *(word for option in store.options for word in ("--storage-opt", option)),
        )

    def _tool(self, tool: str, *words: str, **given: Any) -> str:
        result = self._runner.run(tool, *words, timeout=self._timeout, **given)
        if result.rc != 0:
            raise result.failure(
                f"{tool} {' '.join(words)}", cause=parse_failure(result.error_text)
            )
        return result.out


class _Source(SourceStore):
    """Store in another directory, through podman."""

    def __init__(self, run: Callable[..., str], directory: str) -> None:
        run_root = os.path.join(os.path.dirname(directory), "run")
        flags = ("--root", directory, "--runroot", run_root, "--storage-driver", "overlay")
        self._podman = functools.partial(run, "podman", *flags)

    @parsing("podman images")
    def names(self) -> list[str]:
        listed = json.loads(self._podman("images", "--format", "json"))
        return [normalize(name) for item in listed for name in item.get("Names") or ()]

    def save(self, names: list[str], path: str) -> None:
        self._podman(*_SAVE, "--output", path, *names)


@parsing("podman ps")
def parse_users(text: str) -> dict[str, list[str]]:
    """Parse C(podman ps): the containers that use an image, by image ID."""
    users: dict[str, list[str]] = {}
    for item in json.loads(text):
        name = next(iter(item.get("Names") or ()), "")
        users.setdefault(full_id(item["ImageID"]), []).append(f"{name} ({item['Id'][:12]})")
    return users


def parse_failure(output: str) -> str:
    """Return the error message in the output of podman, without the warnings."""
    return output.rpartition("Error: ")[2]
