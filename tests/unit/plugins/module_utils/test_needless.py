# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of files that need no restart, because no value changes."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import needless
from ansible_collections.cruntime.node.plugins.module_utils.contents import Link
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import find_changed
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
)

UNIT = b"# Old\n[Service]\nEnvironment=A=1\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (UNIT, b"[Service]\n\n ; New\n  Environment=A=1", True),
        (UNIT, b"[Service]\nEnvironment=A=2\n", False),
        (UNIT, b"Environment=A=1\n[Service]\n", False),
        (UNIT, b"[Service]\nEnvironment=A=1 # New\n", False),
        (None, b"", False),
        (UNIT, None, False),
        (Link("/x"), Link("/x"), False),
    ],
)
def test_files_with_the_same_lines(before, after, expected):
    assert needless.has_same_lines(before, after) is expected


A, B = ("a",), ("b", "c")


@pytest.mark.parametrize(
    ("before", "after", "running", "changed"),
    [
        ({A: 1, B: "x"}, {A: 1, B: "x"}, {}, set()),
        ({A: 1}, {A: 2}, {}, {A}),
        # The process already uses the new value.
        ({A: 1}, {A: 2, B: True}, {A: 2, B: True}, set()),
        ({A: 1}, {A: 2}, {A: 1}, {A}),
        # A value that is not set is not compared with the default that the process reports.
        ({A: 1}, {}, {A: 1}, {A}),
        ({A: 0, B: []}, {}, {}, set()),
        ({}, {A: 1}, {}, {A}),
    ],
)
def test_values_that_the_process_must_read(before, after, running, changed):
    equivalences = Equivalences("docker", "29.8.1")
    assert find_changed(before, after, running, equivalences) == changed
