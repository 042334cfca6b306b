# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass the password of a registry to Docker or podman in a file that is not on a disk.

The file is in the memory of this process. If the process is killed, only a broken link is left.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials

# Name of Docker Hub in such files.
_HUB = "https://index.docker.io/v1/"


class AuthFile(NamedTuple):
    """C(config.json) in its own directory.

    :param descriptor: file descriptor that a tool must inherit to read the file.
    """

    path: str
    descriptor: int


@contextlib.contextmanager
def written(scratch_dir: str, hosts: Iterable[str], credentials: Credentials) -> Iterator[AuthFile]:
    """Write the file for registries.

    :param hosts: hosts of the registries.
    """
    token = base64.b64encode(":".join(credentials).encode()).decode()
    auths = {_HUB if host == "docker.io" else host: {"auth": token} for host in hosts}
    descriptor = os.memfd_create("config.json")
    try:
        os.write(descriptor, json.dumps({"auths": auths}).encode())
        with tempfile.TemporaryDirectory(dir=scratch_dir) as directory:
            path = os.path.join(directory, "config.json")
            os.symlink(f"/proc/self/fd/{descriptor}", path)
            yield AuthFile(path, descriptor)
    finally:
        os.close(descriptor)
