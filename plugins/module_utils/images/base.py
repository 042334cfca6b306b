# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every image store can be asked and told, and what it lists."""

from __future__ import annotations

import calendar
import dataclasses
import time
from typing import Any, Callable, ContextManager, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive, Archived
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime

# How long a second runtime may take to start, in seconds.
_START_TIME = 60


@dataclasses.dataclass(frozen=True)
class Image:
    """An image that is there; the same fields for every runtime.

    :param id: C(sha256:HEX), as the runtime itself counts.
    :param repo_tags: its full references, such as C(docker.io/library/busybox:1).
    :param repo_digests: its full references by digest.
    :param size: in bytes.
    :param pinned: whether the kubelet's garbage collection spares it.
    :param fingerprint: where the ID is that of a manifest which the store made up, see
        C(image_archive.fingerprint).
    """

    id: str
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    size: int = 0
    pinned: bool = False
    fingerprint: str = ""

    def is_same(self, archived: Archived) -> bool:
        """Say whether an archive holds just this image."""
        if self.id in (archived.config, archived.target):
            return True
        return bool(self.fingerprint) and self.fingerprint == archived.fingerprint

    def described(self) -> dict[str, Any]:
        """The image as the modules return it."""
        return {
            "id": self.id,
            "repo_tags": list(self.repo_tags),
            "repo_digests": list(self.repo_digests),
            "size": self.size,
            "pinned": self.pinned,
        }


class Details(NamedTuple):
    """What only a closer look at an image tells.

    :param created: when it was made, in seconds since the epoch; 0 where nobody knows.
    """

    labels: dict[str, str]
    created: float


class Credentials(NamedTuple):
    """Who this node is to a registry."""

    username: str
    password: str


class Published(NamedTuple):
    """An image in a registry.

    :param digest: of its manifest, or of whatever else is in its place.
    :param config: digest of its configuration; empty for an index of several platforms.
    :param fingerprint: see C(image_archive.fingerprint); empty likewise.
    """

    digest: str
    config: str
    fingerprint: str


class Build(NamedTuple):
    """How to build an image.

    :param args: build arguments, which stay in the image's history.
    :param labels: what the image is to be labelled with.
    :param options: further words for the builder's command line.
    """

    context: str
    dockerfile: str
    tags: tuple[str, ...]
    args: dict[str, str]
    labels: dict[str, str]
    options: tuple[str, ...]


class Foreign:
    """A store that is not in use: where images are taken from."""

    def names(self) -> list[str]:
        """Return the full references in it."""
        raise NotImplementedError

    def save(self, names: list[str], path: str) -> None:
        """Write an archive of images; nothing is at the path yet."""
        raise NotImplementedError


class ImageStore:
    """The images of one runtime. Each method is one look, or one change to one image.

    Names are full references. All methods raise CommandError with the tool's own words when
    the tool fails, and CruntimeError when this runtime can't do it.

    :param scratch_dir: a folder that nobody else reads, for what holds a password.
    :param timeout: for pulling, loading, saving, pushing, building and removing one image, in
        seconds.
    """

    #: Whether images are pinned by their names, one by one: else no task can pin or unpin any.
    pins = False

    def __init__(self, runner: Runner, runtime: Runtime, scratch_dir: str, timeout: int) -> None:
        self._runner = runner
        self._runtime = runtime
        self._scratch_dir = scratch_dir
        self._timeout = timeout

    @property
    def scratch_dir(self) -> str:
        """A directory that no other user can read or write."""
        return self._scratch_dir

    @property
    def label(self) -> str:
        """The runtime's own spelling, for messages."""
        return self._runtime.label

    @property
    def default_root(self) -> str:
        """Return the default directory of images."""
        return self._runtime.identity.data_root

    @property
    def root(self) -> str:
        """Where the runtime keeps its images now."""
        raise NotImplementedError

    def images(self) -> list[Image]:
        """List what is there."""
        raise NotImplementedError

    def details(self, ids: list[str]) -> dict[str, Details]:
        """Return what the list does not tell, by image ID."""
        raise NotImplementedError

    def users(self) -> dict[str, list[str]]:
        """Return the containers, running or not, that use an image, by its ID."""
        raise NotImplementedError

    def sandbox_image(self) -> str:
        """Return the name of the image that pods are made of; empty where the runtime has none."""
        return self._runtime.settings().get("sandbox_image", "")

    def check(self, wanted: set[str]) -> None:
        """Find out whether this node can do all of this, before anything is touched.

        :param wanted: verbs of C(plan.Step), and C(platform) for pulling for another one.
        :raises CruntimeError: a tool is missing, or the runtime has no such thing.
        """

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        raise NotImplementedError

    def load(self, archive: Archive, name: str = "") -> None:
        """Load all images of an archive.

        :param name: for its one image, where it names none.
        """
        raise NotImplementedError

    def tag(self, image: Image, name: str) -> None:
        """Let a name stand for an image, whatever it stood for before."""
        raise NotImplementedError

    def save(self, names: list[str], path: str) -> None:
        """Write an archive of images; nothing is at the path yet."""
        raise NotImplementedError

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        """Push an image and return the digest of what the registry has now."""
        raise NotImplementedError

    def build(self, build: Build) -> None:
        raise NotImplementedError

    def untag(self, image: Image, name: str) -> None:
        """Remove one name of an image that has others."""
        raise NotImplementedError

    def remove(self, image: Image, force: bool) -> None:
        """Remove an image with all its names."""
        raise NotImplementedError

    def pin(self, name: str, pinned: bool) -> None:
        """Pin an image, or let go of it; only where there are C(pins)."""
        raise NotImplementedError

    def opened(self, folder: str) -> ContextManager[Foreign]:
        """Open a store like this one, which lies in a folder.

        :raises CruntimeError: it can't be opened.
        """
        raise NotImplementedError

    def _need(self, *tools: str, what: str) -> str:
        """Return the first of these tools that the node has.

        :raises CruntimeError: it has none.
        """
        for tool in tools:
            if self._runner.which(tool):
                return tool
        raise CruntimeError(
            f"{what} on {self.label} takes {' or '.join(tools)}, and this node has "
            f"{'neither' if len(tools) > 1 else 'no ' + tools[0]}: install the package first",
            reason="tool_not_found",
        )

    def _cannot(self, what: str, why: str) -> CruntimeError:
        return CruntimeError(f"{self.label} can't {what}: {why}", reason="option_unsupported")


def wait_until(answers: Callable[[], bool], what: str) -> None:
    """Wait for a daemon that was just started.

    :raises CruntimeError: it does not answer in time.
    """
    deadline = time.monotonic() + _START_TIME
    while not answers():
        if time.monotonic() > deadline:
            raise CruntimeError(
                f"{what} gave no answer within {_START_TIME} seconds", reason="no_response"
            )
        time.sleep(0.2)


def parse_time(text: str | None) -> float:
    """Read C(2024-01-01T00:00:00.5Z), as Go writes times; 0 for none."""
    try:
        return float(calendar.timegm(time.strptime((text or "")[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0


def gone(error: CommandError) -> bool:
    """Say whether a tool failed because there is no such image: somebody else was faster."""
    words = str(error).lower()
    return "no such image" in words or "image not known" in words or "not found" in words
