# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disable the deadlines of Hypothesis, because tests are slow on a busy machine."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("cruntime", deadline=None)
hypothesis.settings.load_profile("cruntime")
