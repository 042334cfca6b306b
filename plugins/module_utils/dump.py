# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse TOML that a program wrote: the output of C(containerd config dump), and rendered files.

The parser supports only the syntax that TOML encoders write: no multi-line strings and no dates.
"""

from __future__ import annotations

import re
from typing import Any

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'([^'\n]*)'")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    '"': '"',
    "\\": "\\",
}


def parse(text: str) -> dict[str, Any]:
    """Parse TOML.

    :raises ValueError: if the text is not TOML, or has syntax that programs do not write.
    """
    try:
        return _Reader(text).read()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> dict[str, Any]:
        root: dict[str, Any] = {}
        table = root
        while self._skip_blank() < len(self._text):
            if self._take("[["):
                keys = self._keys()
                self._expect("]]")
                table = {}
                _open(root, keys[:-1]).setdefault(keys[-1], []).append(table)
            elif self._take("["):
                table = _open(root, self._keys())
                self._expect("]")
            else:
                self._pair(table)
        return root

    def _pair(self, table: dict[str, Any]) -> None:
        keys = self._keys()
        self._expect("=")
        table = _open(table, keys[:-1])
        if keys[-1] in table:
            raise self._error(f"{keys[-1]} has two values")
        table[keys[-1]] = self._value()

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self._take("."):
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        self._skip_blank()
        if self._text[self._at : self._at + 1] in ('"', "'"):
            return self._string()
        return self._match(_BARE_KEY).group()

    def _value(self) -> Any:
        self._skip_blank()
        first = self._text[self._at : self._at + 1]
        if first in ('"', "'"):
            return self._string()
        if self._take("["):
            items: list[Any] = []
            self._items("]", lambda: items.append(self._value()))
            return items
        if self._take("{"):
            table: dict[str, Any] = {}
            self._items("}", lambda: self._pair(table))
            return table
        word = self._match(_WORD).group()
        if word in ("true", "false"):
            return word == "true"
        for kind in (int, float):
            try:
                return kind(word)
            except ValueError:
                continue
        raise self._error(f"{word} is not a value")

    def _items(self, end: str, read: Any) -> None:
        while not self._take(end):
            read()
            if not self._take(","):
                self._expect(end)
                return

    def _string(self) -> str:
        if self._text[self._at] == "'":
            return self._match(_LITERAL).group(1)
        literal = self._match(_BASIC).group()[1:-1]
        try:
            return _ESCAPE.sub(_unescape, literal)
        except (KeyError, OverflowError, ValueError) as error:
            raise self._error(f"{literal!r} has an unknown escape") from error

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._error("syntax that is not supported")
        self._at = match.end()
        return match

    def _take(self, word: str) -> bool:
        self._skip_blank()
        found = self._text.startswith(word, self._at)
        if found:
            self._at += len(word)
        return found

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._error(f"{word} is missing")

    def _skip_blank(self) -> int:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _error(self, problem: str) -> ValueError:
        line = self._text.count("\n", 0, self._at) + 1
        return ValueError(f"line {line}: {problem}")


def _open(table: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """Return the table of these keys, or the last table if it is a list of tables."""
    for key in keys:
        inner = table.setdefault(key, {})
        table = inner[-1] if isinstance(inner, list) and inner else inner
        if not isinstance(table, dict):
            raise ValueError(f"{key} is not a table")
    return table


def _unescape(match: re.Match[str]) -> str:
    short, long, character = match.groups()
    return _ESCAPED[character] if character else chr(int(short or long, 16))
