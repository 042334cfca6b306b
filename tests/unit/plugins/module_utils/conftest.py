# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit tests of the node's half share."""

from __future__ import annotations

import pathlib

import pytest

TRANSCRIPTS = pathlib.Path(__file__).parent / "transcripts"


@pytest.fixture
def transcript():
    """Read what a real tool printed."""
    return lambda name: (TRANSCRIPTS / name).read_text(encoding="utf-8")
