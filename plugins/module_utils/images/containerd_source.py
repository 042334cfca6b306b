# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a data root of containerd, which no containerd uses, as a source of images."""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Iterator

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import image_id
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    START_TIME,
    SourceStore,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

# Configuration of a second containerd without a CRI and with separate sockets.
_CONFIG = """version = 2
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", \
"io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{socket}"
"""


@contextlib.contextmanager
def opened(runner: Runner, directory: str, namespace: str, timeout: int) -> Iterator[SourceStore]:
    """Start a second containerd, and yield the images of a namespace.

    :param directory: the data root. Files of the second containerd are written next to it.
    :param timeout: time to export images, in seconds.
    :raises CruntimeError: if the second containerd does not start.
    """
    base = os.path.dirname(directory)
    socket, config = os.path.join(base, "containerd.sock"), os.path.join(base, "config.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(_CONFIG.format(root=directory, state=os.path.join(base, "state"), socket=socket))

    def is_responding() -> bool:
        return runner.run("ctr", "--address", socket, "version", timeout=20).rc == 0

    with runner.started("containerd", "--config", config):
        if not wait_until(is_responding, START_TIME):
            raise CruntimeError(
                f"preload: the containerd that reads {directory} did not respond within "
                f"{START_TIME} seconds",
                reason="no_response",
            )
        yield _Source(
            lambda *words: runner.output(
                *("ctr", "--address", socket, "--namespace", namespace, *words), timeout=timeout
            )
        )


class _Source(SourceStore):
    """Images of one namespace."""

    def __init__(self, ctr: Callable[..., str]) -> None:
        self._ctr = ctr

    def names(self) -> list[str]:
        # Some clients add the IDs and digests of their images to the names.
        listed = self._ctr("images", "list", "--quiet").split()
        return [name for name in listed if "@" not in name and not image_id(name)]

    def save(self, names: list[str], path: str) -> None:
        # With its transfer service, ctr 2.x can end before the archive is complete.
        local = ["--local"] if "--local" in self._ctr("images", "export", "--help") else []
        self._ctr("images", "export", *local, path, *names)
