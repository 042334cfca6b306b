# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redact secrets in values of configuration files."""

from __future__ import annotations

import re
from typing import Any, Iterable

HIDDEN = "(not shown)"

_SECRET_NAME = r"[\w-]*(?:auth|cookie|credential|header|pass|secret|token|key\b|keys\b)[\w-]*"
_SECRET_KEY = re.compile(_SECRET_NAME, re.IGNORECASE)
# A password in a URL; a variable, or a field of a query, whose name looks like a secret.
_USER = re.compile(r"(?<=://)\S*@")
_ASSIGNED = re.compile(rf"({_SECRET_NAME}=)[^\s&;]+", re.IGNORECASE)


def redact(keys: Iterable[object], value: Any) -> Any:
    """Return a value without its secrets.

    :param keys: path of the value. If one of them looks like the name of a secret, nothing of the
        value is returned.
    """
    secret = value is not None and any(_is_secret(str(key)) for key in keys)
    return HIDDEN if secret else redact_text(value)


def redact_text(value: Any) -> Any:
    """Remove secrets from a value that has no telling key: users of URLs, assigned variables."""
    if isinstance(value, str):
        return _ASSIGNED.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", value))
    if isinstance(value, list):
        return [redact_text(item) for item in value]
    if isinstance(value, dict):
        return {
            redact_text(key): HIDDEN if _is_secret(key) else redact_text(item)
            for key, item in value.items()
        }
    return value


def _is_secret(key: str) -> bool:
    # The whole key must match: the name of a host is no hint of what is set for it.
    return _SECRET_KEY.fullmatch(key) is not None
