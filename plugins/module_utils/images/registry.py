# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up an image in its registry, without a pull."""

from __future__ import annotations

import contextlib
import glob
import json
import re
import ssl

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CruntimeError,
    RequestError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    INDEXES,
    fingerprint,
    for_this_node,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalize,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Credentials,
    Published,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.registry_client import (
    RegistryClient,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
# Directories of certificates that the runtimes use, by host.
_CERTIFICATES = ("/etc/docker/certs.d", "/etc/containers/certs.d")
_HOSTS = "/etc/containerd/certs.d/{}/hosts.toml"
_UNREADABLE = (OSError, ValueError, CruntimeError)


def look_up(name: str, credentials: Credentials | None, insecure: bool) -> Published | None:
    """Return the image of a name in its registry; None if there is none or no valid response.

    :param insecure: whether the registry can have any certificate, or use plain HTTP.
    """
    client, path, version = _open(name, credentials, insecure)
    try:
        manifest = client.read(f"{path}/manifests/{version}", _MANIFESTS, split(name)[2])
    except RequestError:
        return None
    try:
        config = json.loads(manifest.content)["config"]["digest"]
        described = json.loads(client.read(f"{path}/blobs/{config}", (), config).content)
        made_of = fingerprint(described, described["rootfs"]["diff_ids"])
    except (ValueError, KeyError, TypeError, AttributeError, RequestError):
        # The document is an image index, or not the manifest of an image.
        return Published(manifest.digest, "", "")
    return Published(manifest.digest, config, made_of)


def check_pushed(name: str, digest: str, credentials: Credentials | None, insecure: bool) -> None:
    """Check that a registry has an image after a push, because some tools accept any response.

    If the registry does not respond to this node, the push is trusted.

    :raises CruntimeError: if it responds with another image, or with something else.
    """
    client, path, version = _open(name, credentials, insecure)
    try:
        found = client.read(f"{path}/manifests/{version}", _MANIFESTS).digest
    except RequestError as error:
        if error.reason == "output_unreadable":
            raise
        return
    if found != digest:
        raise CruntimeError(
            f"{name}: the push of {digest} succeeded, but the registry has {found}",
            reason="result_unexpected",
        )


def read_plain_failure(name: str) -> str:
    """Return the status with which a registry without TLS refuses an image; empty if it does not.

    For a registry that containerd may also use without TLS, containerd 1.x reports only that there
    is no TLS. No credentials are sent.
    """
    host = normalize(name).partition("/")[0]
    if f'server = "http://{host}' not in _read_hosts(host):
        return ""
    client, path, version = _open(name, None, insecure=True)
    try:
        client.read_digest(f"{path}/manifests/{version}", _MANIFESTS)
    except RequestError as error:
        return error.detail if error.code else ""
    return ""


def read_pulled(name: str, credentials: Credentials | None) -> tuple[str, str]:
    """Return what a pull of a name would store on this node.

    :return: digest of the manifest or image index, and digest of the configuration for the platform
        of this node. A digest is empty if the registry has none or does not respond.
    """
    client, path, version = _open(name, credentials, insecure=False)
    digest = config = ""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RequestError):
        manifest = client.read(f"{path}/manifests/{version}", _MANIFESTS, split(name)[2])
        digest = manifest.digest
        if manifest.kind in INDEXES:
            entry = for_this_node(json.loads(manifest.content)) or {}
            inner = f"{path}/manifests/{entry['digest']}"
            manifest = client.read(inner, _MANIFESTS, entry["digest"])
        config = str(json.loads(manifest.content)["config"]["digest"])
    return digest, config


def read_digest(name: str, credentials: Credentials | None) -> str:
    """Return the digest of a name in its registry; empty if there is none or no valid response.

    Registries that limit the number of pulls do not count this request.
    """
    client, path, version = _open(name, credentials, insecure=False)
    try:
        return client.read_digest(f"{path}/manifests/{version}", _MANIFESTS)
    except RequestError:
        return ""


def _open(
    name: str, credentials: Credentials | None, insecure: bool
) -> tuple[RegistryClient, str, str]:
    """Return a client of the registry of a name, the path of its repository, and its version."""
    repository, tag, digest = split(normalize(name))
    host, _slash, path = repository.partition("/")
    server = "registry-1.docker.io" if host == "docker.io" else host
    client = RegistryClient(server, credentials, _trust(host, insecure), insecure)
    return client, f"/v2/{path}", digest or tag


def _trust(host: str, insecure: bool) -> ssl.SSLContext:
    """Return the certificates that the runtimes use for a registry."""
    context = ssl.create_default_context()
    # The runtimes accept certificate authorities without the extensions that Python 3.13 requires.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    authorities, clients = _list_certificates(host)
    for path in authorities:
        with contextlib.suppress(*_UNREADABLE):
            context.load_verify_locations(cadata=read_regular(path).decode("ascii"))
    for certificate, key in clients:
        with contextlib.suppress(*_UNREADABLE):
            # Without a password, OpenSSL would ask for it on the terminal.
            context.load_cert_chain(certificate, key, password="")
    return context


def _list_certificates(host: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the paths of certificate authorities, and of client certificates with their keys."""
    authorities, clients = [], []
    for directory in _CERTIFICATES:
        # An IPv6 address is in brackets, which are not a pattern.
        base = f"{directory}/{glob.escape(host)}"
        authorities += glob.glob(f"{base}/*.crt")
        clients += [(path, f"{path[:-4]}key") for path in glob.glob(f"{base}/*.cert")]
    hosts = _read_hosts(host)
    authorities += re.findall(r'^\s*(?:host\..*\.)?ca = "([^"]+)"', hosts, re.MULTILINE)
    clients += re.findall(r'client = \[\["([^"]+)", "([^"]+)"\]\]', hosts)
    return authorities, clients


def _read_hosts(host: str) -> str:
    """Return the configuration of containerd for a registry, empty if there is none."""
    try:
        return read_regular(_HOSTS.format(host)).decode("utf-8", errors="replace")
    except _UNREADABLE:
        return ""
