# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of registries, in the file that Docker and podman read, which is on no disk.

It is memory of this process. However that ends, nothing is left but a link that leads nowhere.
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
    """A C(config.json), in a folder of its own.

    :param descriptor: what a tool must inherit to read it.
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
        with tempfile.TemporaryDirectory(dir=scratch_dir) as folder:
            path = os.path.join(folder, "config.json")
            os.symlink(f"/proc/self/fd/{descriptor}", path)
            yield AuthFile(path, descriptor)
    finally:
        os.close(descriptor)
