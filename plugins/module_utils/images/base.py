# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface of the image stores, and the types that they return."""

from __future__ import annotations

import calendar
import dataclasses
import re
import time
from typing import AbstractSet, Any, ContextManager, Literal, NamedTuple, TypedDict

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.runner import (
    ENVIRONMENT,
    Runner,
)
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime

#: Time that a second runtime has to start, in seconds.
START_TIME = 60
# Variables that the command of a builder reads, and those of all programs in Go or of the loader.
_OF_BUILDERS = re.compile(
    r"(?:BUILDAH|BUILDCTL|BUILDKIT|BUILDX|CNI|CONTAINER|CONTAINERD|CONTAINERS|DOCKER|LC|LD|NERDCTL"
    r"|OTEL|REGISTRY|SSH|SSL|STORAGE|SYSTEMD|XDG)_\w*"
    r"|GO(?:COVERDIR|DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK)"
    r"|\w*_PROXY|HOME|LANG|NETAVARK\w*|PATH|TERM|TMPDIR|TZ|USER",
    re.IGNORECASE,
)
#: One kind of change to images, or C(platform): a pull for another platform.
Verb = Literal[
    "pull",
    "platform",
    "load",
    "preload",
    "build",
    "tag",
    "untag",
    "remove",
    "pin",
    "unpin",
    "save",
    "push",
]


@dataclasses.dataclass(frozen=True)
class Image:
    """Image in a store; the same fields for every runtime.

    :param id: C(sha256:HEX) as the runtime reports it.
    :param repo_tags: fully qualified references, such as C(docker.io/library/busybox:1).
    :param repo_digests: fully qualified references by digest.
    :param size: size in bytes.
    :param pinned: whether the image is exempt from the kubelet's garbage collection.
    :param fingerprint: set if the ID is the digest of a manifest that the store generated, see
        C(image_manifests.fingerprint).
    :param targets: digests of the manifests or image indexes of the image, if the store reports
        them besides the ID.
    :param is_foreign: whether the image is only for other platforms than that of the node.
    """

    id: str
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    size: int = 0
    pinned: bool = False
    fingerprint: str = ""
    targets: tuple[str, ...] = ()
    is_foreign: bool = False

    def is_same(self, archived: Archived) -> bool:
        """Return whether an image of an archive is this image."""
        if self.id in (archived.config, archived.target) or archived.target in self.targets:
            return True
        return bool(self.fingerprint) and self.fingerprint == archived.fingerprint

    @property
    def result(self) -> dict[str, Any]:
        """Return the image as the modules return it."""
        return {
            "id": self.id,
            "repo_tags": list(self.repo_tags),
            "repo_digests": list(self.repo_digests),
            "size": self.size,
            "pinned": self.pinned,
        }


class Details(NamedTuple):
    """Properties of an image that the list of images does not have.

    :param created: time of the build, in seconds since the epoch; 0 if it is unknown.
    """

    labels: dict[str, str]
    created: float


class Credentials(NamedTuple):
    """User name and password for a registry."""

    username: str
    password: str


class Limits(TypedDict):
    """Directory that no other user can read, and time in seconds, for a tool."""

    scratch_dir: str
    timeout: float


class Published(NamedTuple):
    """Image in a registry.

    :param digest: digest of the manifest or image index.
    :param config: digest of the configuration; empty for an image index.
    :param fingerprint: see C(image_manifests.fingerprint); empty for an image index.
    """

    digest: str
    config: str
    fingerprint: str


class Build(NamedTuple):
    """Parameters of a build.

    :param args: build arguments, which stay in the history of the image.
    :param labels: labels of the image.
    :param options: further arguments for the command of the builder.
    :param credentials: credentials for the registry of the tags or of the base images.
    """

    context: str
    dockerfile: str
    tags: tuple[str, ...]
    args: dict[str, str]
    labels: dict[str, str]
    options: tuple[str, ...]
    credentials: Credentials | None = None

    def pass_args(self) -> tuple[list[str], dict[str, str]]:
        """Return the words and the variables with which a command gets the build arguments.

        A value is in a variable, because all users can read the words. But a variable that the
        command itself reads, such as C(PATH), must keep its value.
        """
        words, variables = [], {}
        for name, value in self.args.items():
            if name in ENVIRONMENT or _OF_BUILDERS.fullmatch(name):
                words += ["--build-arg", f"{name}={value}"]
            else:
                words += ["--build-arg", name]
                variables[name] = value
        return words, variables


class SourceStore:
    """Image store that no runtime of the node uses, from which images are copied."""

    def names(self) -> list[str]:
        """Return the fully qualified references of the images."""
        raise NotImplementedError

    def save(self, names: list[str], path: str) -> None:
        """Write an archive of images to a path at which no file exists yet."""
        raise NotImplementedError


class ImageStore:
    """Image store of a runtime. Each method is one query, or one change of one image.

    Names are fully qualified references. All methods raise CommandError if a tool fails, and
    CruntimeError if the runtime does not support a change.

    :param scratch_dir: directory that no other user can read, for files with a password.
    :param timeout: time to pull, load, save, push, build or remove one image, in seconds.
    """

    #: Whether a task can pin and unpin single images.
    pins = False
    #: Whether the store loads images for other platforms from an archive.
    loads_other_platforms = True

    def __init__(self, runner: Runner, runtime: Runtime, scratch_dir: str, timeout: int) -> None:
        self._runner = runner
        self._runtime = runtime
        self._scratch_dir = scratch_dir
        self._timeout = timeout

    @property
    def scratch_dir(self) -> str:
        """Return a directory that no other user can read or write."""
        return self._scratch_dir

    @property
    def _limits(self) -> Limits:
        """Return the directory and the time for a tool that builds an image."""
        return {"scratch_dir": self._scratch_dir, "timeout": self._timeout}

    @property
    def label(self) -> str:
        """Return the name of the runtime for messages."""
        return self._runtime.label

    @property
    def default_root(self) -> str:
        """Return the default directory of images."""
        return self._runtime.identity.data_root

    @property
    def root(self) -> str:
        """Return the directory of the images."""
        raise NotImplementedError

    def keeps_digests(self, platform: str | None = None) -> bool:
        """Return whether the archives that the store writes and loads can have names by digest.

        :param platform: platform of a multi-platform image that is written; None for all.
        """
        return False

    def images(self, any_platform: bool = False) -> list[Image]:
        """List all images.

        :param any_platform: whether images are also listed that are only for other platforms than
            that of the node. Some stores always list them.
        """
        raise NotImplementedError

    def details(self, ids: list[str]) -> dict[str, Details]:
        """Return the details of images, by image ID."""
        raise NotImplementedError

    def users(self) -> dict[str, list[str]]:
        """Return the containers in any state that use an image, by image ID."""
        raise NotImplementedError

    def sandbox_images(self) -> set[str]:
        """Return the names of the sandbox (pause) images of existing pods and of new pods."""
        configured = self._runtime.settings().get("sandbox_image")
        return {configured} if configured else set()

    def check(self, needed: AbstractSet[Verb]) -> None:
        """Check whether the node supports some changes, before anything is changed.

        :raises CruntimeError: if a tool is not installed, or the runtime does not support it.
        """

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        """Pull an image."""
        raise NotImplementedError

    def load(self, archive: Archive, name: str = "") -> None:
        """Load all images of an archive.

        :param name: name for the only image, if the archive has no name for it.
        """
        raise NotImplementedError

    def tag(self, image: Image, name: str) -> None:
        """Add a name to an image, and remove it from another image."""
        raise NotImplementedError

    def save(self, names: list[str], path: str, platform: str | None = None) -> None:
        """Write an archive of images to a path at which no file exists yet.

        :param platform: platform to save of a multi-platform image; None for that of this node.
        """
        raise NotImplementedError

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        """Push an image; return the digest in the registry."""
        raise NotImplementedError

    def build(self, build: Build) -> None:
        """Build an image."""
        raise NotImplementedError

    def untag(self, image: Image, name: str) -> None:
        """Remove one name of an image that has others."""
        raise NotImplementedError

    def remove(self, image: Image, force: bool) -> None:
        """Remove an image with all its names.

        :param force: whether to remove the image even if a container uses it.
        """
        raise NotImplementedError

    def pin(self, name: str, pinned: bool) -> None:
        """Pin or unpin an image. Only a store with C(pins) supports it."""
        raise NotImplementedError

    def open_source(self, directory: str) -> ContextManager[SourceStore]:
        """Open a store of the same kind in another directory.

        :raises CruntimeError: if the store cannot be opened.
        """
        raise NotImplementedError

    def _require_tool(self, *tools: str, what: str) -> str:
        """Return the first of some tools that is installed.

        :raises CruntimeError: if none of them is installed.
        """
        for tool in tools:
            if self._runner.which(tool):
                return tool
        raise CruntimeError(
            f"{' or '.join(tools)} not found on this node: required for {what} with {self.label}. "
            f"Install {' or '.join(tools)}",
            reason="tool_not_found",
        )

    def _unsupported(self, what: str, cause: str) -> CruntimeError:
        return CruntimeError(f"{self.label} cannot {what}: {cause}", reason="option_unsupported")


def parse_time(text: str | None) -> float:
    """Parse a time as Go prints it, such as C(2024-01-01T00:00:00.5Z); 0 if it is invalid."""
    try:
        return float(calendar.timegm(time.strptime((text or "")[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0
