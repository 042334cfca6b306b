# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redact secrets in values, in text and in configuration files. Pure functions."""

from __future__ import annotations

import json
import re
from typing import Any, Iterable, Iterator

HIDDEN = "(not shown)"
#: Value that a diff shows after the change of a secret.
CHANGED = "(not shown, changed)"
#: Text that a diff shows in place of a content whose secrets are not on lines of their own.
NOT_SHOWN = "(not shown: contains secrets)\n"

_SHORTEST_SECRET = 4
# The path of a file with a secret is not a secret.
_SECRET_NAME = (
    # Match whole words only. Otherwise the time would grow with the square of the length of a word.
    r"(?<![\w-])[\w-]*(?:auth|cookie|credential|header|pass|secret|token|key\b|keys\b)[\w-]*(?<!file|path)"
)
_SECRET_KEY = re.compile(_SECRET_NAME, re.IGNORECASE)
# A digest follows the name of an image, and a host follows a user.
_HOST = r"@(?!sha\d+:)"
_USERS = (
    (re.compile(rf"(?<=://)\S*{_HOST}"), f"{HIDDEN}@"),
    # The URL of a proxy can lack its scheme.
    (re.compile(rf"(?<![^\s\"'=(,])[^\s\"'=(,/@:]+:[^\s\"'/@]+{_HOST}(?=[\w\[])"), f"{HIDDEN}@"),
)
# In logs, quotes can be escaped.
_QUOTE = r"\\?[\"']"
_VALUE = (
    # Ansible and this collection call the syntax of a parameter key=value.
    r"(?!\\?\"\\?\"|''|value\b)"
    r"(?:\\\"(?:(?!\\\").)+\\\"|\"(?:[^\"\\]|\\.)+\"|'[^']+'|[^\s&;]+)"
)
_ASSIGNMENTS = (
    # Variables, query parameters, settings of INI and TOML, and keys of JSON.
    re.compile(rf"({_SECRET_NAME}(?:{_QUOTE})?\s*=\s*){_VALUE}", re.IGNORECASE),
    re.compile(rf"({_QUOTE}{_SECRET_NAME}{_QUOTE}\s*:\s*){_VALUE}", re.IGNORECASE),
    re.compile(r"(authorization:\s*)\[?(?:(?:basic|bearer)\s+)?[^\s\"']+", re.IGNORECASE),
    # A path that follows a flag is not a secret.
    re.compile(rf"(?<!\S)(?=-)({_SECRET_NAME}\s+)[^\s/-]\S*", re.IGNORECASE),
)
_EMPTY = r"(?:\"\"|''|\[\s*\]|\{\s*\}|null|true|false|~)\s*[,;]?\s*(?:#.*)?$"
_SUBKEYS = r"(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[\w-]+))*"
_SETTINGS = (
    re.compile(
        rf"(?:^|[\s{{,.\"']){_SECRET_NAME}[\"']?{_SUBKEYS}\s*=\s*(?!{_EMPTY}|\s*$)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:^|[{{,#-])\s*(?:[\"']?{_SECRET_NAME}[\"']\s*:|{_SECRET_NAME}:(?=\s|$))\s*(?!{_EMPTY})",
        re.IGNORECASE,
    ),
)
# A commented table can be followed by its commented values.
_TABLE = re.compile(r"[\s#]*\[{1,2}([^\[].*?)\]{1,2}\s*(?:#.*)?")
_TABLE_KEY = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^.\s\"']+)")
_LINE = re.compile(r"(\s*(?:[\w.-]|\"[^\"]*\"|'[^']*')+\s*[=:]\s*)(.*?)(,?)\s*")


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
        for pattern, shown in _USERS:
            value = pattern.sub(shown, value)
        for pattern in _ASSIGNMENTS:
            value = pattern.sub(rf"\1{HIDDEN}", value)
        return value
    if isinstance(value, list):
        return [redact_text(item) for item in value]
    if isinstance(value, dict):
        return {
            redact_text(key): HIDDEN if _is_secret(str(key)) else redact_text(item)
            for key, item in value.items()
        }
    return value


def redact_log(text: str, secrets: Iterable[str]) -> str:
    """Redact a log.

    :param secrets: known secrets.
    """
    # Replace the longest secrets first, because a secret can be a part of another one.
    for secret in sorted(set(secrets), key=len, reverse=True):
        if is_distinct(secret):
            text = text.replace(secret, HIDDEN)
    return str(redact_text(text))


def is_distinct(secret: str) -> bool:
    """Return whether a secret can be searched in text. A shorter one could be a part of any word.

    A path is not a secret, and a message needs it.
    """
    return (
        len(secret) >= _SHORTEST_SECRET
        and secret.lower() not in ("true", "false")
        and not secret.startswith("/")
    )


def redact_user(proxy: str | None) -> str | None:
    """Redact the user of a proxy, whose URL can lack its scheme; None stays."""
    if proxy is None:
        return None
    return re.sub(r"^([a-z0-9]+://)?.*@", rf"\1{HIDDEN}@", proxy, flags=re.IGNORECASE | re.DOTALL)


def has_secrets(text: str) -> bool:
    """Return whether the text of a configuration file contains secrets."""
    return redact_file(text) != text


def redact_file(text: str, other: str = "") -> str:
    """Return the text of a configuration file (TOML, JSON, INI or flat YAML) with redacted secrets.

    :param other: the content with which a diff compares the text. A secret that it does not have is
        marked as changed.
    :return: C(NOT_SHOWN) if a secret is not on one line.
    """
    lines = _split(text)
    hidden = list(_find_secrets(lines))
    if "PRIVATE KEY-----" in text:
        return NOT_SHOWN
    if not hidden:
        return text
    if '"""' in text or "'''" in text:
        return NOT_SHOWN
    known = set(_split(other))
    for number in hidden:
        line = lines[number]
        shown = _hide(line, HIDDEN if not other or line in known else CHANGED)
        if shown is None:
            return NOT_SHOWN
        lines[number] = shown
    return "\n".join(lines)


def list_secrets(keys: tuple[object, ...], value: Any) -> Iterator[str]:
    """Yield each secret in a value.

    :param keys: path of the value.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from list_secrets((*keys, key), item)
    elif isinstance(value, list):
        for item in value:
            yield from list_secrets(keys, item)
    elif not isinstance(value, bool) and redact(keys, value) == HIDDEN:
        yield str(value)
    elif isinstance(value, str):
        logins = [match.group()[:-1] for each, _shown in _USERS for match in each.finditer(value)]
        yield from logins
        yield from (login.partition(":")[2] for login in logins)
        for pattern in _ASSIGNMENTS:
            yield from (
                match.group()[match.end(1) - match.start() :] for match in pattern.finditer(value)
            )


def _is_secret(key: str) -> bool:
    # Match the whole key: a host name as a key does not mean that its value is a secret.
    return _SECRET_KEY.fullmatch(key) is not None


def _split(text: str) -> list[str]:
    """Return the lines of a file. Each value of JSON gets its own line."""
    try:
        data = json.loads(text, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    # TOML has further line separators in strings, so splitlines would split strings.
    return text.split("\n")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. A parser would ignore the first value of a duplicate key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("duplicate key")
    return found


def _find_secrets(lines: Iterable[str]) -> Iterator[int]:
    """Yield the numbers of the lines that contain a secret."""
    is_secret_table = False
    for number, line in enumerate(lines):
        table = _TABLE.fullmatch(line)
        if table:
            keys = ("".join(key) for key in _TABLE_KEY.findall(table.group(1)))
            is_secret_table = any(map(_is_secret, keys))
        if (
            (is_secret_table and not table and "=" in line)
            or redact_text(line) != line
            or any(pattern.search(line) for pattern in _SETTINGS)
        ):
            yield number


def _hide(line: str, shown: str) -> str | None:
    """Return a line without its value, None if the value can continue on the next line."""
    if _TABLE.fullmatch(line):
        return str(redact_text(line))
    match = _LINE.fullmatch(line)
    if match is None:
        # A comment, or an item of a list.
        return None if _is_open(line) else f"# {shown}"
    key, value, comma = match.groups()
    if not value or _is_open(value):
        return None
    return f'{redact_text(key)}"{shown}"{comma}'


def _is_open(value: str) -> bool:
    return value.endswith("\\") or any(
        value.count(one) != value.count(other) for one, other in ("[]", "{}")
    )
