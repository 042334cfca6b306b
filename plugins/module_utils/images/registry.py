# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up an image in a registry, before and after a push.

No tool that every node has can do this without a pull. If a registry does not respond, the image is
pushed.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import fingerprint
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalize,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Credentials,
    Published,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
# Certificate authorities that the runtimes trust, by host.
_CERTIFICATES = ("/etc/docker/certs.d/{}/*.crt", "/etc/containers/certs.d/{}/*.crt")
_HOSTS = "/etc/containerd/certs.d/{}/hosts.toml"
_NO_ANSWER = (OSError, ValueError, http.client.HTTPException)
_TIMEOUT = 15
_MAX_MANIFEST = 4 * 1024 * 1024


def look_up(name: str, credentials: Credentials | None, insecure: bool) -> Published | None:
    """Return the image of a name in its registry; None if there is none or no response.

    :param insecure: whether the registry can have any certificate, or use plain HTTP.
    """
    host, _slash, repository = split(normalize(name))[0].partition("/")
    tag = split(normalize(name))[1]
    server = "registry-1.docker.io" if host == "docker.io" else host
    for scheme in ("https", "http") if insecure else ("https",):
        url, context = f"{scheme}://{server}/v2/{repository}", _trust(host, insecure)
        try:
            content = _get(f"{url}/manifests/{tag}", credentials, context)
        except urllib.error.HTTPError:
            # The registry responded. Do not send the password again, over plain HTTP.
            return None
        except _NO_ANSWER:
            continue
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        try:
            config = json.loads(content)["config"]["digest"]
            described = json.loads(_get(f"{url}/blobs/{config}", credentials, context))
            made_of = fingerprint(described, described["rootfs"]["diff_ids"])
        except (*_NO_ANSWER, KeyError, TypeError, AttributeError):
            # The document is an image index, or not a manifest.
            return Published(digest, "", "")
        return Published(digest, config, made_of)
    return None


def _get(url: str, credentials: Credentials | None, context: ssl.SSLContext) -> bytes:
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    who = _basic(credentials) if credentials else ""
    try:
        return _read(opener, url, who)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code != 401 or not challenge.lower().startswith("bearer "):
            raise
    # Send the password only over TLS to the token server that the registry names.
    given = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = given.pop("realm", "")
    if not realm.startswith("https://"):
        raise ValueError(f"{url} sends passwords to {realm}")
    asked = {key: value for key, value in given.items() if key in ("service", "scope")}
    token = json.loads(_read(opener, f"{realm}?{urllib.parse.urlencode(asked)}", who))
    bearer = f"Bearer {token.get('token') or token.get('access_token')}"
    return _read(opener, url, bearer)


def _read(opener: urllib.request.OpenerDirector, url: str, who: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": ", ".join(_MANIFESTS)})
    if who:
        # Do not send the credentials to redirect targets.
        request.add_unredirected_header("Authorization", who)
    with opener.open(request, timeout=_TIMEOUT) as answer:
        content: bytes = answer.read(_MAX_MANIFEST)
    return content


def _basic(credentials: Credentials) -> str:
    return f"Basic {base64.b64encode(':'.join(credentials).encode()).decode()}"


def _trust(host: str, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    paths = [path for pattern in _CERTIFICATES for path in glob.glob(pattern.format(host))]
    try:
        hosts = read_regular(_HOSTS.format(host)).decode("utf-8", errors="replace")
        paths += re.findall(r'^\s*ca = "([^"]+)"', hosts, re.MULTILINE)
    except (OSError, CruntimeError):
        pass
    for path in paths:
        try:
            context.load_verify_locations(cadata=read_regular(path).decode("ascii"))
        except (OSError, ValueError, ssl.SSLError, CruntimeError):
            continue
    return context
