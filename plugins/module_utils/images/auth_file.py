# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of registries, in the file that Docker and podman read; gone when they are done."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials


@contextlib.contextmanager
def written(scratch_dir: str, registry: str, credentials: Credentials) -> Iterator[str]:
    """Yield the path of a C(config.json), in a folder of its own, for one registry."""
    token = base64.b64encode(":".join(credentials).encode()).decode()
    with tempfile.TemporaryDirectory(dir=scratch_dir) as folder:
        path = os.path.join(folder, "config.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            json.dump({"auths": {registry: {"auth": token}}}, file)
        yield path
