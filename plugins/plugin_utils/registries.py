# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries and their mirrors, as every runtime has them."""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import (
    check_host,
    check_path,
    check_url,
    is_printable,
    split_url,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import File, Refusal

#: Stands for every registry that has no entry of its own.
DEFAULT = "_default"
DOCKER_HUB = "docker.io"
#: What a mirror is asked for where its capabilities are not given.
PULLS = {"pull", "resolve"}

# Names of the links to certificates, with the options that they are for.
_CERTIFICATES = {
    "ca.crt": "ca_file",
    "client.cert": "client_cert_file",
    "client.key": "client_key_file",
}
# A header's name, by RFC 9110.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
# What stands between host and tag of an image's name.
_REPOSITORY = re.compile(r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*", re.ASCII)
# The runtime's HTTP client writes these itself; a second one would change what is asked.
_RESERVED_HEADERS = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def check(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the problems of the option registries."""
    names = set()
    for number, entry in enumerate(entries):
        option = f"registries[{number}]"
        name = _name(entry["registry"])
        if name == DEFAULT:
            yield from _check_default(option, entry)
        elif entry["rewrite"] is None:
            yield from check_host(f"{option}.registry", name)
        else:
            yield from _check_place(f"{option}.registry", name)
            yield from _check_place(f"{option}.rewrite", entry["rewrite"])
        if name in names:
            yield f"{option}: {name} has an entry already; write one"
        names.add(name)
        yield from _check_tls(option, entry)
        yield from _check_credentials(option, entry)
        yield from _check_mirrors(option, entry["mirrors"])


def normalised(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write each name and URL in its one form."""
    return [
        dict(
            entry,
            registry=_name(entry["registry"]),
            mirrors=[dict(mirror, url=_url(mirror["url"])) for mirror in entry["mirrors"]],
        )
        for entry in entries
    ]


def _name(registry: str) -> str:
    return DEFAULT if registry == "*" else registry.lower()


def _url(url: str) -> str:
    scheme, host, path = split_url(url)
    return f"{scheme}://{host.lower()}{path.rstrip('/')}"


def servers(entries: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk registries and mirrors: each host with port, with its TLS options."""
    for entry in entries:
        yield server(entry), entry
        for mirror in entry["mirrors"]:
            yield split_url(mirror["url"])[1], mirror


def server(entry: dict[str, Any]) -> str:
    """Name the host with port that a registry is asked at."""
    location: str = entry["rewrite"] or entry["registry"]
    return location.partition("/")[0]


def with_credentials(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["username"] is not None]


def link_certificates(directory: str, entries: list[dict[str, Any]]) -> Iterator[File]:
    """Yield a link to each certificate, in a directory per host.

    Docker and the containers libraries read certificates there.
    """
    for path, targets in _find_certificates(directory, entries).items():
        yield File(path, link=targets[0], restart=False)


def list_certificates(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with their certificates only, and without their secrets."""

    def keep(tls: dict[str, Any]) -> dict[str, Any]:
        return {option: tls[option] for option in _CERTIFICATES.values()}

    return [
        {
            "registry": entry["registry"],
            **keep(entry),
            "mirrors": [keep(mirror) for mirror in entry["mirrors"]],
        }
        for entry in entries
    ]


def refuse_certificates(entries: list[dict[str, Any]]) -> Iterator[Refusal]:
    """Yield a refusal for each host that has different certificates in several entries."""
    for path, targets in _find_certificates("", entries).items():
        if len(targets) > 1:
            host, name = path.strip("/").split("/")
            yield Refusal(
                "registries",
                f"registries: {host} has two different {_CERTIFICATES[name]}s, {targets[0]} and "
                f"{targets[1]}, but this runtime supports one for each host",
            )


def _find_certificates(directory: str, entries: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the different targets of each link to a certificate, by its path."""
    found: dict[str, list[str]] = {}
    for host, tls in servers(entries):
        for name, option in _CERTIFICATES.items():
            targets = found.setdefault(f"{directory}/{host}/{name}", []) if tls[option] else []
            if tls[option] and tls[option] not in targets:
                targets.append(tls[option])
    return found


def _check_place(option: str, place: str) -> Iterator[str]:
    host, slash, path = place.partition("/")
    yield from check_host(f"the host in {option}", host)
    if not _REPOSITORY.fullmatch(slash + path):
        yield f"{option} must be a host, and maybe a path as in images' names, not {place!r}"


def _check_default(option: str, entry: dict[str, Any]) -> Iterator[str]:
    if entry["insecure"]:
        yield f"{option}: all registries at once can't be insecure; name those that are"
    if entry["username"] is not None:
        yield f"{option}: one password for all registries is none; name each of them"
    if not entry["mirrors"]:
        yield f"{option}: an entry for all other registries needs mirrors"


def _check_tls(option: str, tls: dict[str, Any]) -> Iterator[str]:
    for name in ("ca_file", "client_cert_file", "client_key_file"):
        if tls[name] is not None:
            yield from check_path(f"{option}.{name}", tls[name])
    if (tls["client_cert_file"] is None) != (tls["client_key_file"] is None):
        yield f"{option} needs both client_cert_file and client_key_file, or neither"
    if tls["insecure"] and tls["ca_file"]:
        yield f"{option} can't be verified by a ca_file and insecure; set one of the two"


def _check_credentials(option: str, entry: dict[str, Any]) -> Iterator[str]:
    """Check a user and a password; the messages show neither."""
    username, password = entry["username"], entry["password"]
    if (username is None) != (password is None):
        yield f"{option} needs both username and password, or neither"
    if username is None or password is None:
        return
    for name, value in (("username", username), ("password", password)):
        if not value or not is_printable(value):
            yield f"{option}.{name} must be text without control characters"
    if ":" in username:
        yield f"{option}.username must not hold a colon, which would end it"


def _check_mirrors(option: str, mirrors: list[dict[str, Any]]) -> Iterator[str]:
    urls = set()
    for number, mirror in enumerate(mirrors):
        here = f"{option}.mirrors[{number}]"
        yield from check_url(f"{here}.url", mirror["url"])
        if _url(mirror["url"]) in urls:
            yield f"{here}: {mirror['url']} is a mirror of this registry already"
        urls.add(_url(mirror["url"]))
        if not mirror["capabilities"]:
            yield f"{here}.capabilities must name one at least; or leave the mirror out"
        yield from _check_tls(here, mirror)
        has_certificates = mirror["ca_file"] or mirror["client_cert_file"]
        if has_certificates and mirror["url"].startswith("http://"):
            yield f"{here} has certificates, but its url is plain http"
        yield from _check_headers(f"{here}.headers", mirror["headers"])


def _check_headers(option: str, headers: dict[str, Any]) -> Iterator[str]:
    names = set()
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            yield f"{option}: {name!r} is no name of a header"
            continue
        if name.lower() in _RESERVED_HEADERS:
            yield f"{option}: {name} is written by the runtime itself"
        if name.lower() in names:
            yield f"{option}: {name} is there twice; upper and lower case are the same"
        names.add(name.lower())
        if not isinstance(value, str) or not is_printable(value):
            yield f"{option}: {name} must be text without control characters"
