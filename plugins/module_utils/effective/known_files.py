# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember the files in which no key was overridden, until one of them changes.

To print the files as the runtime reads them takes as long as the rest of a no-op run.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.managed_files import STATE_DIR
from ansible_collections.cruntime.node.plugins.module_utils.state_cache import StateCache

# A file that changed less than this before can change again without other times, in nanoseconds.
_UNSAFE_NS = 1_000_000_000


class KnownFiles:
    """Files in which no key of the collection was overridden.

    :param keep: whether new files are saved for the next run.
    """

    def __init__(self, keep: bool, state_dir: str = STATE_DIR) -> None:
        self._cache = StateCache("compared.json", keep, state_dir)

    def contain(self, runtime: str, files: list[list[Any]]) -> bool:
        """Return whether these are the files that C(note) has saved last for a runtime."""
        return bool(files) and self._cache.get(runtime) == files

    def note(self, runtime: str, files: list[list[Any]]) -> None:
        """Save files in which no key is overridden.

        :param files: results of C(identify) from before the files were read.
        """
        newest = max((each[-1] for each in files if len(each) > 1), default=None)
        if newest is not None and newest < time.time_ns() - _UNSAFE_NS:
            self._cache.set(runtime, files)
