# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert values of YAML to arguments of tools."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError


def to_string(what: str, value: object) -> str:
    """Return a value as a string.

    :param what: name of the value for a message.
    :raises CruntimeError: if the value is null.
    """
    if value is None:
        raise CruntimeError(f"{what} must not be null. Set a value", reason="option_invalid")
    # YAML and the tools spell booleans in lower case.
    return str(value).lower() if isinstance(value, bool) else str(value)
