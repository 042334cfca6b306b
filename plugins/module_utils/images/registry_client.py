# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read documents of a registry.

Source: U(https://github.com/opencontainers/distribution-spec/blob/main/spec.md) and
U(https://distribution.github.io/distribution/spec/auth/token/).
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials

# Time without data, and time for a whole response, in seconds.
_TIMEOUT = 15
_MAX_TIME = 60
_LIMIT = 4 * 1024 * 1024
_CHUNK = 64 * 1024
# Longest pause that a registry can ask for, in seconds, and number of such pauses for a request.
_MAX_PAUSE = 30
_PAUSES = 2
_BUSY = (429, 503)
_NO_RESPONSE = (OSError, ValueError, http.client.HTTPException)


class Document(NamedTuple):
    """Document of a registry.

    :param kind: media type without parameters.
    :param stated_digest: digest that the registry states, empty if it states none.
    """

    kind: str
    content: bytes
    stated_digest: str

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


class RegistryClient:
    """Client of one registry.

    The credentials are sent only after the registry has asked for them, and never to the target of
    a redirect.

    :param server: host and port of the registry.
    :param trust: certificate authorities and client certificates.
    :param insecure: whether plain HTTP is used if the registry does not respond with HTTPS.
    :param sleep: function that waits for a number of seconds.
    """

    def __init__(
        self,
        server: str,
        credentials: Credentials | None,
        trust: ssl.SSLContext,
        insecure: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = server
        self._credentials = credentials
        self._schemes = ["https", "http"] if insecure else ["https"]
        self._sleep = sleep
        self._plain = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust))
        self._secure = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=trust), _RefusePlain()
        )

    def read(self, path: str, kinds: tuple[str, ...], digest: str = "") -> Document:
        """Return a document.

        :param path: path of the document in the API, such as C(/v2/app/manifests/1).
        :param kinds: media types that are accepted; empty for all.
        :param digest: digest that the document must have, empty for any digest.
        :raises RequestError: if the registry does not respond, if it responds with an error, or if
            its response is not such a document. The C(code) of an error that the registry reports
            is a status code of HTTP.
        """
        document = self._call("GET", path, kinds)
        if digest.startswith("sha256:") and document.digest != digest:
            raise self._describe_content(path, f"content with the digest {document.digest}")
        return document

    def read_digest(self, path: str, kinds: tuple[str, ...]) -> str:
        """Return the digest that the registry states for a document, empty if it states none.

        Registries that limit the number of pulls do not count this request.

        :param path: path of the document in the API.
        :param kinds: media types that are accepted.
        :raises RequestError: see C(read).
        """
        return self._call("HEAD", path, kinds).stated_digest

    def _call(self, method: str, path: str, kinds: tuple[str, ...]) -> Document:
        headers = {"Accept": ", ".join(kinds) or "*/*"}
        try:
            document = self._call_by_scheme(method, path, headers)
        except urllib.error.HTTPError as error:
            phrase = http.client.responses.get(error.code, "")
            status = f"HTTP status {error.code} {phrase}".strip()
            raise self._describe(path, status, error.code) from error
        except _NO_RESPONSE as error:
            raise self._describe(path, str(error) or type(error).__name__) from error
        if kinds and document.kind not in kinds:
            raise self._describe_content(path, f"unexpected media type {document.kind!r}")
        return document

    def _call_by_scheme(self, method: str, path: str, headers: dict[str, str]) -> Document:
        """Return a document with the first scheme to which the registry responds."""
        while True:
            scheme = self._schemes[0]
            try:
                document = self._authorize(method, f"{scheme}://{self._server}{path}", headers)
            except urllib.error.HTTPError:
                self._schemes = [scheme]
                raise
            except _NO_RESPONSE:
                if len(self._schemes) == 1:
                    raise
                del self._schemes[0]
            else:
                self._schemes = [scheme]
                return document

    def _authorize(self, method: str, url: str, headers: dict[str, str]) -> Document:
        """Return a document, with the credentials or the token that the registry asks for."""
        try:
            return self._request(method, url, headers)
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or not challenge:
                raise
            scheme = challenge.partition(" ")[0].lower()
            if scheme == "basic" and self._credentials:
                return self._request(method, url, headers, self._encode_credentials())
            if scheme != "bearer":
                raise
        bearer = f"Bearer {self._read_token(url, challenge)}"
        return self._request(method, url, headers, bearer)

    def _read_token(self, url: str, challenge: str) -> str:
        """Return a token of the server that a challenge names.

        :raises ValueError: if the server would get the password over plain HTTP, or does not
            respond with a token.
        """
        given = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = given.pop("realm", "")
        allowed = ("https://",) if url.startswith("https:") else ("https://", "http://")
        if not realm.startswith(allowed):
            raise ValueError(f"the token server is {realm}, which does not use HTTPS")
        asked = {key: value for key, value in given.items() if key in ("service", "scope")}
        query = urllib.parse.urlencode(asked)
        authorization = self._encode_credentials() if self._credentials else ""
        answer = json.loads(self._request("GET", f"{realm}?{query}", {}, authorization).content)
        token = isinstance(answer, dict) and (answer.get("token") or answer.get("access_token"))
        if not isinstance(token, str) or not token.isprintable():
            raise ValueError("the token server did not respond with a token")
        return token

    def _request(
        self, method: str, url: str, headers: dict[str, str], authorization: str = ""
    ) -> Document:
        """Send a request. If the registry is busy, wait as long as it asks for, and repeat."""
        for _pause in range(_PAUSES):
            try:
                return self._send(method, url, headers, authorization)
            except urllib.error.HTTPError as error:
                pause = error.headers.get("Retry-After", "")
                if error.code not in _BUSY or not re.fullmatch("[0-9]{1,4}", pause):
                    raise
                if int(pause) > _MAX_PAUSE:
                    raise
            self._sleep(int(pause))
        return self._send(method, url, headers, authorization)

    def _send(self, method: str, url: str, headers: dict[str, str], authorization: str) -> Document:
        request = urllib.request.Request(url, headers=headers, method=method)
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        opener = self._secure if request.type == "https" else self._plain
        with opener.open(request, timeout=_TIMEOUT) as response:
            stated = response.headers.get("Docker-Content-Digest", "")
            return Document(response.headers.get_content_type(), _read_body(response), stated)

    def _encode_credentials(self) -> str:
        encoded = base64.b64encode(":".join(self._credentials or ()).encode()).decode()
        return f"Basic {encoded}"

    def _describe_content(self, path: str, problem: str) -> RequestError:
        return RequestError(
            f"Registry {self._server}: {path}: {problem}. Check whether it is a registry",
            reason="output_unreadable",
        )

    def _describe(self, path: str, cause: str, code: int | None = None) -> RequestError:
        return RequestError(
            f"Registry {self._server}: {path} could not be read: {cause}",
            reason="request_failed",
            code=code,
            detail=cause,
        )


def _read_body(response: Any) -> bytes:
    """Return the body of a response.

    :raises ValueError: if it is too large, incomplete, or too slow.
    """
    end = time.monotonic() + _MAX_TIME
    body = bytearray()
    while len(body) <= _LIMIT:
        # It returns what has arrived, so that a slow registry cannot extend the time.
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        body += chunk
        if time.monotonic() > end:
            raise ValueError(f"the response did not end within {_MAX_TIME} seconds")
    if len(body) > _LIMIT:
        raise ValueError(f"the response is larger than {_LIMIT} bytes")
    if response.length:
        raise ValueError(f"the response lacks {response.length} bytes")
    return bytes(body)


class _RefusePlain(urllib.request.BaseHandler):
    """Refuse a redirect from HTTPS to plain HTTP."""

    # Before the handler of the library.
    handler_order = 100

    def http_open(self, req: urllib.request.Request) -> None:
        raise urllib.error.URLError(f"redirect from HTTPS to {req.full_url.partition('?')[0]}")
