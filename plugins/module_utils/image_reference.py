# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse image references. The grammar is that of the distribution project."""

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

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)


def is_reference(text: str) -> bool:
    """Return whether a text is an image reference: C([domain/]path[:tag][@digest])."""
    return _REFERENCE.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Return whether a text is the host of a registry: C(name[:port])."""
    return _HOST.fullmatch(text) is not None


def normalised(reference: str) -> str:
    """Return the fully qualified reference, with registry and tag, as image stores list it."""
    domain, _slash, path = reference.partition("/")
    if not _has_domain(reference):
        domain, path = "docker.io", reference
    elif domain == "index.docker.io":
        # This is a former name of Docker Hub.
        domain = "docker.io"
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    name = path.rpartition("/")[2]
    tag = "" if ":" in name or "@" in name else ":latest"
    return f"{domain}/{path}{tag}"


def image_id(text: str) -> str | None:
    """Return an image ID as C(sha256:HEX); None if the text is not an ID."""
    match = _ID.fullmatch(text)
    return f"sha256:{match.group(1)}" if match else None


def full_id(text: str) -> str:
    """Return an image ID with its algorithm, which CRI-O omits."""
    return image_id(text) or text


def split(reference: str) -> tuple[str, str, str]:
    """Return the repository, tag and digest of a reference; empty if it has none."""
    name, _at, digest = reference.partition("@")
    head, slash, tail = name.rpartition("/")
    path, _colon, tag = tail.partition(":")
    return f"{head}{slash}{path}", tag, digest


def registry_of(reference: str) -> str:
    """Return the host of the registry of a reference."""
    return normalised(reference).partition("/")[0]


def trim_docker_io(name: str) -> str:
    """Return a reference without the host of Docker Hub, as Docker prints it."""
    return name[len("docker.io/") :] if name.startswith("docker.io/") else name


def spellings(name: str) -> list[str]:
    """Return the fully qualified references that a short name can have in a store, best first.

    podman adds C(localhost/) to the short name of an image that it built or loaded.
    """
    found = [name]
    if "/" not in name:
        found.append(f"localhost/library/{name}")
    if not _has_domain(name):
        found.append(f"localhost/{name}")
    return [normalised(each) for each in found]


def _has_domain(reference: str) -> bool:
    domain, slash, _path = reference.partition("/")
    is_domain = domain == "localhost" or "." in domain or ":" in domain or domain != domain.lower()
    return bool(slash) and is_domain
