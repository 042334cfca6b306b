# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of YAML as the words that tools take."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError


def as_word(what: str, value: object) -> str:
    """Write a value as a word.

    :param what: names the value, in a message.
    :raises CruntimeError: it is null, which is no word.
    """
    if value is None:
        raise CruntimeError(
            f"{what} has no value; give the value that it must have", reason="option_invalid"
        )
    # Python has words of its own for these.
    return str(value).lower() if isinstance(value, bool) else str(value)
