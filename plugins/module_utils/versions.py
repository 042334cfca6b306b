# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic versions without a library, because nodes have only the standard library.

The order is defined in https://semver.org, section 11.
"""

from __future__ import annotations

import functools
import re
from typing import Any

_SEMVER = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


@functools.total_ordering
class Version:
    """Version that can be compared. Build metadata is ignored.

    :param text: version such as C(1.7.24), C(v2.1.0-rc.1) or C(20.10.24+dfsg1).
    :raises ValueError: if the text is not a semantic version.
    """

    def __init__(self, text: str) -> None:
        match = _SEMVER.fullmatch(text)
        if match is None:
            raise ValueError(f"not a semantic version: {text!r}")
        self.text = text
        self.major, self.minor, self.patch = (int(part) for part in match.group(1, 2, 3))
        self.prerelease = match.group(4) or ""

    @property
    def _key(self) -> tuple[Any, ...]:
        # A release is newer than its pre-releases. Numbers sort before words.
        identifiers = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in self.prerelease.split(".")
            if part
        )
        return (self.major, self.minor, self.patch, not self.prerelease, identifiers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Version({self.text!r})"


def installed_version(text: str) -> Version:
    """Parse a version of a package (C(1.5.4~ds1)), or of Docker before 20.10 (C(19.03.15)).

    :raises ValueError: if the text is not a version.
    """
    return Version(re.sub(r"(^|\.)0+(?=\d)", r"\1", text.partition("~")[0]))
