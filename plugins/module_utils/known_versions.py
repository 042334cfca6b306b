# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache the versions of the runtimes until their binaries change.

Starting the daemon's binary takes longer than everything else in a no-op run.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.contents import json_object
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import STATE_DIR
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import (
    open_regular,
    read_regular,
)
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime


class KnownVersions:
    """Versions of the runtimes.

    :param keep: whether new versions are saved for the next run.
    """

    def __init__(self, keep: bool, state_dir: str = STATE_DIR) -> None:
        self._keep = keep
        self._path = os.path.join(state_dir, "versions.json")
        self._entries: dict[str, dict[str, Any]] = {}
        # If the file is invalid, the binaries are run again.
        with contextlib.suppress(OSError, CruntimeError):
            self._entries = json_object(read_regular(self._path)) or {}

    def of(self, runtime: Runtime) -> str:
        """Return the version of a runtime that is installed.

        :raises CruntimeError: if C(Runtime.version) raises it.
        """
        identity = _identity(runtime.binary_path)
        entry = self._entries.get(runtime.name, {})
        if identity and entry.get("file") == identity:
            known: str = entry["version"]
            return known
        version = runtime.version()
        if self._keep and identity:
            self._entries[runtime.name] = {"file": identity, "version": version}
            self._save()
        return version

    def _save(self) -> None:
        # Import it only here: a version is written once for each binary.
        from ansible_collections.cruntime.node.plugins.module_utils import atomic

        with contextlib.suppress(OSError):
            atomic.make_directories(os.path.dirname(self._path))
            atomic.write_file(self._path, json.dumps(self._entries).encode(), 0o644)


def _identity(binary: str | None) -> list[Any]:
    """Return values that identify this content of a file; empty for a script.

    A script can start any binary, so its version can change without a change of the script.
    """
    if binary is None or not os.access(binary, os.R_OK):
        return []
    with open_regular(binary) as handle:
        if handle.read(4) != b"\x7fELF":
            return []
        found = os.fstat(handle.fileno())
    # The ctime is set by the kernel only.
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return [binary, found.st_dev, found.st_ino, found.st_size, *times]
