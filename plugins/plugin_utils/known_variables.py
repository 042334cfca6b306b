# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the variables of the roles and playbooks, and find names that are close to them."""

from __future__ import annotations

from typing import Iterable

#: Variables of the playbooks and of the roles.
VARIABLES = (
    *("cruntime_batch", "cruntime_canary", "cruntime_expected_hosts", "cruntime_hosts"),
    "cruntime_max_fail_percentage",
    "report_dir",
    *("runtime_crictl_archive", "runtime_crictl_checksum", "runtime_extra_packages"),
    *("runtime_hold", "runtime_image_dir", "runtime_image_remote_src", "runtime_images"),
    *("runtime_keep_data", "runtime_kernel_modules", "runtime_package_dir"),
    *("runtime_package_remote_src", "runtime_packages", "runtime_repositories", "runtime_spec"),
    *("runtime_kubelet_sysctls", "runtime_state", "runtime_sysctls", "runtime_version"),
    *("switch_drain_flags", "switch_drain_tasks", "switch_install", "switch_keep_data"),
    *("switch_kubeconfig", "switch_node_name", "switch_old_packages", "switch_ready_timeout"),
    *("switch_spec", "switch_transfer_images", "switch_uncordon_tasks"),
)
# In a short word, two edits make another word: store and state.
_SHORT = 7


def find_misspelt(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find names that are close to a variable of this collection, but differ from it.

    :param names: names of variables, of which some can be the user's own.
    :return: sorted pairs of a name and the variable that it is close to.
    """
    found = []
    for name in sorted(set(names).difference(VARIABLES)):
        prefix, _underscore, word = name.partition("_")
        same_prefix = [known for known in VARIABLES if known.startswith(f"{prefix}_")]
        # Only the rest is compared, because the prefix would make all names close to each other.
        edits = {known: _count_edits(word, known[len(prefix) + 1 :]) for known in same_prefix}
        closest = min(edits, key=edits.__getitem__, default="")
        if closest and edits[closest] <= (1 if len(word) <= _SHORT else 2):
            found.append((name, closest))
    return found


def _count_edits(word: str, other: str) -> int:
    """Count the edits between two words: an insertion, a removal, a change, or a swap of letters.

    This is the optimal string alignment distance.
    """
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word):
        two_above, above, row = above, row, [i + 1]
        for j, another in enumerate(other):
            edits = min(above[j + 1] + 1, row[j] + 1, above[j] + (letter != another))
            if i and j and letter == other[j - 1] and word[i - 1] == another:
                edits = min(edits, two_above[j - 1] + 1)
            row.append(edits)
    return row[-1]
