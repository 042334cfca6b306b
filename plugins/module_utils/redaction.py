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
# Users and passwords in URLs, and variables or query parameters whose names look like secrets.
_USER = re.compile(r"(?<=://)\S*@")
_ASSIGNED = re.compile(rf"({_SECRET_NAME}=)[^\s&;]+", re.IGNORECASE)


def redact(keys: Iterable[object], value: Any) -> Any:
    """Return a value with its secrets redacted.

    :param keys: path of the value. If one of the keys looks like the name of a secret, the whole
        value is redacted.
    """
    secret = value is not None and any(_is_secret(str(key)) for key in keys)
    return HIDDEN if secret else redact_text(value)


def redact_text(value: Any) -> Any:
    """Redact secrets in text: users in URLs, and assigned variables. Its key is ignored."""
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


def redact_user(proxy: str | None) -> str | None:
    """Redact the user of a proxy, whose URL can lack its scheme; None stays."""
    if proxy is None:
        return None
    return re.sub(r"^([a-z0-9]+://)?.*@", rf"\1{HIDDEN}@", proxy, flags=re.IGNORECASE | re.DOTALL)


def _is_secret(key: str) -> bool:
    # Match the whole key: a host name as a key does not mean that its value is a secret.
    return _SECRET_KEY.fullmatch(key) is not None
