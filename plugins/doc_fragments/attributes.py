# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the attributes of modules mean; each module says how far it has them."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes as every module has them, and as those have that only read."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and predict what would change, without changing it.
  diff_mode:
    description: Returns what changes, or in check mode would change, before and after.
  idempotent:
    description: A second run with the same options changes nothing.
  platform:
    description: Linux distributions that systemd runs.
    support: full
    platforms: posix
"""

    # What only reads.
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
      Can be given options for a whole play by C(group/cruntime.node.cruntime) in
      C(module_defaults).
    support: full
    membership: [cruntime.node.cruntime]
"""
