# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check and normalize registries and their mirrors for all runtimes."""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.plugin_utils import formats
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import (
    check_host,
    check_path,
    check_url,
    is_printable,
    split_url,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import File, Refusal, Spec

#: Entry for all registries without their own entry.
DEFAULT = "_default"
DOCKER_HUB = "docker.io"
#: Default capabilities of a mirror.
PULLS = {"pull", "resolve"}

# Names of the links to certificates, with their options.
_CERTIFICATES = {
    "ca.crt": "ca_file",
    "client.cert": "client_cert_file",
    "client.key": "client_key_file",
}
# Name of a header in RFC 9110.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
# Part between the host and the tag of an image reference.
_REPOSITORY = re.compile(r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*", re.ASCII)
# Headers that the HTTP client of the runtime sets itself. A second one would change the request.
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
            yield f"{option}: {name} already has an entry. Merge the entries"
        names.add(name)
        yield from _check_tls(option, entry)
        yield from _check_credentials(option, entry)
        yield from _check_mirrors(option, entry["mirrors"])


def normalize(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with normalized names and URLs."""
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
    """Yield the host with port of each registry and mirror, with its TLS options."""
    for entry in entries:
        yield server(entry), entry
        for mirror in entry["mirrors"]:
            yield split_url(mirror["url"])[1], mirror


def server(entry: dict[str, Any]) -> str:
    """Return the host with port of a registry."""
    location: str = entry["rewrite"] or entry["registry"]
    return location.partition("/")[0]


def find_host(registry: str) -> str:
    """Return the host to which containerd sends the requests for a registry."""
    return "registry-1.docker.io" if registry == DOCKER_HUB else registry


def find_hosts(entry: dict[str, Any]) -> Spec:
    """Return the variables of the hosts.toml of a registry: its server, and the mirrors before it.

    An insecure server has plain HTTP.
    """
    scheme = "http" if entry["insecure"] else "https"
    server = f"{scheme}://{find_host(entry['registry'])}"
    return {
        "server": None if entry["registry"] == DEFAULT else server,
        "own": entry,
        "hosts": entry["mirrors"],
        # The template needs it only for containerd 1.x.
        "has_ipv6": False,
    }


def place_hosts(directory: str, entry: dict[str, Any], variables: Spec, since: str = "") -> File:
    """Return the hosts.toml of a registry. containerd's resolver reads it at every pull.

    :param since: first version of the runtime that reads the file, empty for all versions.
    """
    return File(
        f"{directory}/{entry['registry']}/hosts.toml",
        "containerd/hosts.toml.j2",
        variables,
        format=formats.TOML,
        restart=False,
        # A header can contain a token.
        secret=any(mirror["headers"] for mirror in entry["mirrors"]),
        since=since,
    )


def with_credentials(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["username"] is not None]


def link_certificates(directory: str, entries: list[dict[str, Any]]) -> Iterator[File]:
    """Yield a link to each certificate, in a directory per host.

    Docker and the containers libraries read certificates there.
    """
    for path, targets in _find_certificates(directory, entries).items():
        yield File(path, link=targets[0], restart=False)


def list_certificates(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with only their certificates, without secrets."""

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
                f"{targets[1]}, but this runtime supports one per host. Set the same path in all "
                "entries",
            )


def _find_certificates(directory: str, entries: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the different targets of each link to a certificate, by the path of the link."""
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
        yield (
            f"{option} must be a host, optionally with a path as in image references, not {place!r}"
        )


def _check_default(option: str, entry: dict[str, Any]) -> Iterator[str]:
    if entry["insecure"]:
        yield f"{option}: insecure cannot be set for all registries. Add an entry for each registry"
    if entry["username"] is not None:
        yield (
            f"{option}: credentials cannot be set for all registries. Add an entry for each "
            "registry"
        )
    if not entry["mirrors"]:
        yield f"{option}: an entry for all other registries requires mirrors"


def _check_tls(option: str, tls: dict[str, Any]) -> Iterator[str]:
    for name in ("ca_file", "client_cert_file", "client_key_file"):
        if tls[name] is not None:
            yield from check_path(f"{option}.{name}", tls[name])
    if (tls["client_cert_file"] is None) != (tls["client_key_file"] is None):
        yield f"{option} requires both client_cert_file and client_key_file, or neither"
    if tls["insecure"] and tls["ca_file"]:
        yield f"{option}: ca_file and insecure are mutually exclusive. Set only one of them"


def _check_credentials(option: str, entry: dict[str, Any]) -> Iterator[str]:
    """Check a user name and a password without showing them in messages."""
    username, password = entry["username"], entry["password"]
    if (username is None) != (password is None):
        yield f"{option} requires both username and password, or neither"
    if username is None or password is None:
        return
    for name, value in (("username", username), ("password", password)):
        if not value or not is_printable(value):
            yield f"{option}.{name} must be a string without control characters"
    if ":" in username:
        yield f"{option}.username must not contain a colon"


def _check_mirrors(option: str, mirrors: list[dict[str, Any]]) -> Iterator[str]:
    urls = set()
    for number, mirror in enumerate(mirrors):
        here = f"{option}.mirrors[{number}]"
        yield from check_url(f"{here}.url", mirror["url"])
        if _url(mirror["url"]) in urls:
            yield f"{here}: {mirror['url']} is already a mirror of this registry"
        urls.add(_url(mirror["url"]))
        if not mirror["capabilities"]:
            yield f"{here}.capabilities must not be empty. Add a capability or remove the mirror"
        yield from _check_tls(here, mirror)
        has_certificates = mirror["ca_file"] or mirror["client_cert_file"]
        if has_certificates and mirror["url"].startswith("http://"):
            yield f"{here}: certificates require a url with https"
        yield from _check_headers(f"{here}.headers", mirror["headers"])


def _check_headers(option: str, headers: dict[str, Any]) -> Iterator[str]:
    names = set()
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            yield f"{option}: {name!r} is not a valid header name"
            continue
        if name.lower() in _RESERVED_HEADERS:
            yield f"{option}: {name} cannot be set, because the runtime sets it"
        if name.lower() in names:
            yield f"{option}: {name} is set twice; header names are case-insensitive"
        names.add(name.lower())
        if not isinstance(value, str) or not is_printable(value):
            yield f"{option}: {name} must be a string without control characters"
