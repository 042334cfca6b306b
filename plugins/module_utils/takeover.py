# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the settings that are lost when foreign files are replaced."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import dropped
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.dropped import Dropped
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRICTL_CONFIG

_CRICTL_REMEDY = "If they are needed, use flags or environment variables of crictl"


class Takeover(NamedTuple):
    """The settings that this run drops, and warnings about them."""

    dropped: list[Dropped]
    warnings: list[str]


NOTHING = Takeover([], [])


def inspect(checks: Checks[Any], changes: Iterable[Change], staged: dict[str, str]) -> Takeover:
    """Compare the replaced files with the new files.

    :param changes: changed files, before they are applied.
    :param staged: by live path, the path of the new file.
    """
    changes = list(changes)
    foreign = {change.path: change for change in changes if _is_foreign(change)}
    found: list[Dropped] = []
    warnings = []
    if CRICTL_CONFIG in foreign:
        found += _find_in_crictl(foreign[CRICTL_CONFIG])
    try:
        found += checks.find_dropped(changes, foreign, staged)
    except CruntimeError as error:
        warnings.append(
            f"Could not determine the settings that are lost when {' and '.join(sorted(foreign))} "
            f"are replaced: {error}. Compare the backups with the new files"
        )
    return Takeover(found, dropped.warn(found) + warnings)


def _is_foreign(change: Change) -> bool:
    return isinstance(change.before, bytes) and not change.owned


def _find_in_crictl(change: Change) -> list[Dropped]:
    before, after = (
        dropped.parse_crictl(text.decode("utf-8", errors="replace"))
        for text in (change.before, change.after)
        if isinstance(text, bytes)
    )
    lost: dict[tuple[str, ...], str] = {
        (key,): value
        for key, value in before.items()
        if not key.endswith("-endpoint") and after.get(key) != value
    }
    return dropped.describe(lost, change.target, _CRICTL_REMEDY)
