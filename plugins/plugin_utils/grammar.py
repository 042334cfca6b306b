# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check values of options: paths, words, hosts and URLs.

Each check yields the problems of a value, because the error message has all problems of a spec.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import is_host
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_URL_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/\[\]-]|%[0-9A-Fa-f]{2})*", re.ASCII)


class SpecError(Exception):
    """Error of a spec that ends the task.

    :param problems: sentences with the option and the value. Secrets are redacted.
    :param reason: a key of C(reasons.REASONS).
    """

    def __init__(self, *problems: str, reason: str = "option_invalid") -> None:
        self.problems = redact_text(list(problems))
        super().__init__("; ".join(self.problems))
        self.reason = reason


def is_printable(text: str) -> bool:
    """Return whether a string has no control character and no surrogate."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def check_path(option: str, path: str) -> Iterator[str]:
    if not path.startswith("/") or not is_printable(path):
        yield f"{option} must be an absolute path without control characters, not {path!r}"


def check_word(option: str, word: str) -> Iterator[str]:
    if not _WORD.fullmatch(word):
        yield (
            f"{option} must begin with a letter or digit and contain only letters, digits and "
            f". _ -, not {word!r}"
        )


def check_host(option: str, host: str) -> Iterator[str]:
    port = split_port(host)[1]
    if not is_host(host) or (port is not None and not 0 < port < 65536):
        yield f"{option} must be a host name or address, optionally with :port, not {host!r}"


def split_port(host: str) -> tuple[str, int | None]:
    """Split C(host:port). An IPv6 address with a port is in brackets."""
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit():
        # Limit the length: a number with six digits is not a valid port.
        return name, int(port[:6])
    return host, None


def check_url(
    option: str, url: str, schemes: tuple[str, ...] = ("http", "https"), secret: bool = False
) -> Iterator[str]:
    """Check the URL of a server.

    :param secret: whether the URL can contain a user and a password, and no message shows it.
    """
    shown = "" if secret or "@" in url else f", not {url!r}"
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in schemes:
        beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
        yield f"{option} must begin with {beginnings}{shown}"
        return
    if "?" in rest or "#" in rest:
        yield f"{option} must not have a query or a fragment{shown}"
        return
    if not _URL_CHARACTERS.fullmatch(rest):
        yield (
            f"{option} must contain only characters that are valid in a URL, and other characters "
            f"percent-encoded, for example %20 for a blank{shown}"
        )
        return
    user, at, host = rest.partition("/")[0].rpartition("@")
    if at and not (secret and user):
        yield f"{option} must not contain a user or a password"
        return
    yield from check_host(f"the host in {option}", host)


def split_url(url: str) -> tuple[str, str, str]:
    """Split a checked URL into scheme, host with port, and path."""
    scheme, _mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme, host, slash + path
