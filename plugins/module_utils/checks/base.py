# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of changed files before they are applied.

Only a run that changes a node needs them. The module that looks for changes does not import them.
"""

from __future__ import annotations

import glob
import os
from typing import Generic, Iterable, TypeVar

from ansible_collections.cruntime.node.plugins.module_utils.dropped import Dropped
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

#: Prefix of the names of the drop-ins that this collection writes.
OURS = "50-cruntime"

AnyRuntime = TypeVar("AnyRuntime", bound=Runtime)


class Checks(Generic[AnyRuntime]):
    """Checks of the changed files of one runtime.

    :param runtime: the runtime as the spec configures it.
    """

    #: Glob patterns of the drop-ins that the runtime reads in addition to its configuration file.
    drop_in_patterns: tuple[str, ...] = ()

    def __init__(self, runner: Runner, runtime: AnyRuntime) -> None:
        self._runner = runner
        self._runtime = runtime

    def check_changes(self, changes: Iterable[Change], units: dict[str, Unit]) -> None:
        """Check that the changes hide no data, and that the next start of the runtime succeeds.

        :raises CruntimeError: if a check fails. Nothing was changed.
        """

    def validate(self, staged: dict[str, str], version: str, units: dict[str, Unit]) -> None:
        """Validate staged files with the runtime's own binary.

        :param staged: by live path, the path of the new file.
        :raises CruntimeError: if the binary refuses a file. The message has its error output.
        """

    def find_dropped(
        self, changes: Iterable[Change], foreign: dict[str, Change], staged: dict[str, str]
    ) -> list[Dropped]:
        """Return the settings of this runtime's files that are lost when files are replaced.

        :param changes: changed files, before they are applied.
        :param foreign: by path, the changed files that others wrote.
        :param staged: by live path, the path of the new file.
        :raises CruntimeError: if a file can't be compared.
        """
        return []

    def find_drop_ins(self, units: dict[str, Unit]) -> list[str]:
        """Return the foreign drop-ins of the runtime: of its configuration and of its units."""
        found = [path for pattern in self.drop_in_patterns for path in glob.glob(pattern)]
        found += [path for name in self._runtime.services for path in units[name].drop_ins]
        return sorted(path for path in found if not os.path.basename(path).startswith(OURS))
