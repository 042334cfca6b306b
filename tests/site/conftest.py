# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixture of the browser, which the tests of the report page use too."""

from __future__ import annotations

from ansible_collections.cruntime.node.tests.unit.playbooks.conftest import browser

__all__ = ["browser"]
