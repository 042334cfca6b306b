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
from typing import Iterator, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials


class AuthFile(NamedTuple):
    """C(config.json) in its own directory.

    :param descriptor: file descriptor that a tool must inherit to read the file.
    """

    path: str
    descriptor: int


@contextlib.contextmanager
def written(scratch_dir: str, registry: str, credentials: Credentials) -> Iterator[AuthFile]:
    """Write the file for one registry."""
    token = base64.b64encode(":".join(credentials).encode()).decode()
    descriptor = os.memfd_create("config.json")
    try:
        os.write(descriptor, json.dumps({"auths": {registry: {"auth": token}}}).encode())
        with tempfile.TemporaryDirectory(dir=scratch_dir) as directory:
            path = os.path.join(directory, "config.json")
            os.symlink(f"/proc/self/fd/{descriptor}", path)
            yield AuthFile(path, descriptor)
    finally:
        os.close(descriptor)
