# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of the modules. Each module documents its support for them."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of all modules, and of modules that only read."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode, and then predicts changes without making them.
  diff_mode:
    description: In diff mode, returns the state before and after each change.
  idempotent:
    description: A second run with the same options changes nothing.
  platform:
    description: Linux distributions that use systemd.
    support: full
    platforms: posix
"""

    # Attributes of modules that only read.
    READ_ONLY = r"""
attributes:
  check_mode:
    support: full
    details: Changes nothing, in check mode or not.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
    details: Changes nothing.
"""

    ACTION_GROUP = r"""
attributes:
  action_group:
    description: >-
      Use C(group/cruntime.node.cruntime) in C(module_defaults) to set options for the whole group.
    support: full
    membership: [cruntime.node.cruntime]
"""
