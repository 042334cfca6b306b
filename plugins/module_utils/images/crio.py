# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O's image store, which is podman's too: crictl does what a CRI can, podman the rest."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import tempfile
from typing import Any, Callable, Iterator, cast

from ansible_collections.cruntime.node.plugins.module_utils import image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalised,
    registry_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import auth_file
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Build,
    Credentials,
    Foreign,
    Image,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.cri import CriStore
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio, Storage

_SAVE = ("save", "--quiet", "--format", "docker-archive", "--multi-image-archive")
_BY_PODMAN = {
    "load": "loading images",
    "preload": "loading images",
    "tag": "tagging images",
    "untag": "removing one of an image's names",
    "save": "saving images",
    "push": "pushing images",
    "platform": "pulling for another platform",
}


class CrioStore(CriStore):
    @property
    def root(self) -> str:
        return self._storage.root

    @functools.cached_property
    def _storage(self) -> Storage:
        return cast(Crio, self._runtime).storage()

    def check(self, wanted: set[str]) -> None:
        super().check(wanted)
        for what, words in _BY_PODMAN.items():
            if what in wanted:
                self._need("podman", what=words)
        if "build" in wanted:
            self._need("podman", "buildah", what="building images")
        if wanted & {"pin", "unpin"}:
            raise self._cannot(
                "pin or unpin a single image",
                "its configuration lists what is pinned; "
                "give the option pinned_images to cruntime_enable",
            )

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        if platform is None:
            super().pull(name, credentials, platform)
            return
        with self._auth(name, credentials) as given:
            self._podman("pull", "--quiet", "--platform", platform, name, **given)

    def load(self, archive: Archive, name: str = "") -> None:
        with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
            words = self._podman("load", "--quiet", stdin=archive.as_docker(stream))
        if name:
            # It says: Loaded image: sha256:HEX
            self._podman("tag", words.strip().rpartition(" ")[2], name)

    def tag(self, image: Image, name: str) -> None:
        self._podman("tag", image.id, name)

    def save(self, names: list[str], path: str) -> None:
        self._podman(*_SAVE, "--output", path, *names)

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        with tempfile.TemporaryDirectory(dir=self._scratch_dir) as folder:
            path = os.path.join(folder, "digest")
            verify = ("--tls-verify=false",) if insecure else ()
            with self._auth(name, credentials) as given:
                self._podman("push", "--quiet", "--digestfile", path, *verify, name, **given)
            with open(path, encoding="ascii") as file:
                return file.read().strip()

    def build(self, build: Build) -> None:
        tool = self._need("podman", "buildah", what="building images")
        self._podman(
            "build",
            # Else each step stays as an image of its own, which the kubelet would see.
            "--layers=false",
            *(word for tag in build.tags for word in ("--tag", tag)),
            *("--file", build.dockerfile),
            *(word for name in build.args for word in ("--build-arg", name)),
            *(word for item in build.labels.items() for word in ("--label", "=".join(item))),
            *build.options,
            build.context,
            env=build.args,
            tool=tool,
        )

    def untag(self, image: Image, name: str) -> None:
        self._podman("untag", image.id, name)

    def remove(self, image: Image, force: bool) -> None:
        try:
            super().remove(image, force)
        except CommandError as error:
            if not force or "in use" not in str(error):
                raise
            # CRI-O keeps what its containers use, whatever one says: the names go.
            self._podman("untag", image.id)

    @contextlib.contextmanager
    def opened(self, folder: str) -> Iterator[Foreign]:
        # podman's own records, of containers and of where it once was; they refuse another folder.
        for path in (os.path.join(folder, name) for name in ("db.sql", "libpod/bolt_state.db")):
            if os.path.exists(path):
                os.remove(path)
        yield _Foreign(self._tool, folder)

    @contextlib.contextmanager
    def _auth(self, name: str, credentials: Credentials | None) -> Iterator[dict[str, Any]]:
        """Yield what the tool must be given to be that user."""
        if credentials is None:
            yield {}
            return
        with auth_file.written(self._scratch_dir, registry_of(name), credentials) as file:
            yield {"env": {"REGISTRY_AUTH_FILE": file.path}, "descriptors": (file.descriptor,)}

    def _podman(self, *words: str, tool: str = "podman", **given: Any) -> str:
        """Run podman or buildah on the store that CRI-O has, which need not be their own."""
        store = self._storage
        return self._tool(
            tool,
            *("--root", store.root, "--runroot", store.runroot, "--storage-driver", store.driver),
            # With any of these, the tools leave out the options in storage.conf.
            *(word for option in store.options for word in ("--storage-opt", option)),
            *words,
            **given,
        )

    def _tool(self, tool: str, *words: str, **given: Any) -> str:
        result = self._runner.run(tool, *words, timeout=self._timeout, **given)
        if result.rc != 0:
            raise result.failure(f"{tool} {' '.join(words)}", cause=parse_failure(result.words))
        return result.out


class _Foreign(Foreign):
    def __init__(self, run: Callable[..., str], folder: str) -> None:
        run_root = os.path.join(os.path.dirname(folder), "run")
        flags = ("--root", folder, "--runroot", run_root, "--storage-driver", "overlay")
        self._podman = functools.partial(run, "podman", *flags)

    @parsing("podman images")
    def names(self) -> list[str]:
        listed = json.loads(self._podman("images", "--format", "json"))
        return [normalised(name) for item in listed for name in item.get("Names") or ()]

    def save(self, names: list[str], path: str) -> None:
        self._podman(*_SAVE, "--output", path, *names)


def parse_failure(words: str) -> str:
    """Pick podman's reason out of its warnings."""
    return words.rpartition("Error: ")[2]
