# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, as the distribution project's grammar has them."""

from __future__ import annotations

import re

_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = re.compile(_DOMAIN, re.ASCII)
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_PATH_PART}(?:/{_PATH_PART})*"
    r"(?::[\w][\w.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


def is_reference(text: str) -> bool:
    """Say whether this names an image: C([domain/]path[:tag][@digest])."""
    return _REFERENCE.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Say whether this names a registry's host: C(name[:port])."""
    return _HOST.fullmatch(text) is not None


def normalised(reference: str) -> str:
    """Write a reference in full, as image stores list it: with its registry and its tag."""
    domain, slash, path = reference.partition("/")
    is_domain = domain == "localhost" or "." in domain or ":" in domain or domain != domain.lower()
    if not slash or not is_domain:
        domain, path = "docker.io", reference
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    name = path.rpartition("/")[2]
    tag = "" if ":" in name or "@" in name else ":latest"
    return f"{domain}/{path}{tag}"
