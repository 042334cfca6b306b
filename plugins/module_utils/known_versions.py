# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache the versions of the runtimes until their binaries change.

Starting the daemon's binary takes longer than everything else in a no-op run.
"""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.managed_files import STATE_DIR
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.state_cache import (
    StateCache,
    identify_binary,
)


class KnownVersions:
    """Versions of the runtimes.

    :param keep: whether new versions are saved for the next run.
    """

    def __init__(self, keep: bool, state_dir: str = STATE_DIR) -> None:
        self._cache = StateCache("versions.json", keep, state_dir)

    def of(self, runtime: Runtime) -> str:
        """Return the version of a runtime that is installed.

        :raises CruntimeError: if C(Runtime.version) raises it.
        """
        identity = identify_binary(runtime.binary_path)
        entry = self._cache.get(runtime.name) or {}
        if identity and entry.get("file") == identity:
            known: str = entry["version"]
            return known
        version = runtime.version()
        if identity:
            self._cache.set(runtime.name, {"file": identity, "version": version})
        return version
