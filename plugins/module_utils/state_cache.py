# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what a run found out in a file, so that the next run need not find it out again."""

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


class StateCache:
    """JSON file with one entry for each runtime.

    :param name: name of the file in the state directory.
    :param keep: whether new entries are saved for the next run.
    """

    def __init__(self, name: str, keep: bool, state_dir: str = STATE_DIR) -> None:
        self._keep = keep
        self._path = os.path.join(state_dir, name)
        self._entries: dict[str, Any] = {}
        # Without a valid file, everything is found out again.
        with contextlib.suppress(OSError, CruntimeError):
            self._entries = json_object(read_regular(self._path)) or {}

    def get(self, runtime: str) -> Any:
        """Return the entry of a runtime, None if there is none."""
        return self._entries.get(runtime)

    def set(self, runtime: str, entry: Any) -> None:
        """Save the entry of a runtime. An entry that cannot be saved is not an error."""
        if not self._keep or self._entries.get(runtime) == entry:
            return
        # Import it only here: entries rarely change.
        from ansible_collections.cruntime.node.plugins.module_utils import atomic

        self._entries[runtime] = entry
        with contextlib.suppress(OSError):
            atomic.make_directories(os.path.dirname(self._path))
            atomic.write_file(self._path, json.dumps(self._entries).encode(), 0o644)


def identify(path: str) -> list[Any]:
    """Return values that change if a file or a directory changes, only the path without a file.

    A link is followed. The ctime is set by the kernel only.
    """
    try:
        found = os.stat(path)
    except OSError:
        return [path]
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return [path, found.st_dev, found.st_ino, found.st_size, *times]


def identify_binary(binary: str | None) -> list[Any]:
    """Return values that identify this content of a file; empty for a script.

    A script can start any binary, so its version can change without a change of the script.
    """
    if binary is None or not os.access(binary, os.R_OK):
        return []
    with open_regular(binary) as handle:
        if handle.read(4) != b"\x7fELF":
            return []
    return identify(binary)
