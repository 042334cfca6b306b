# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the API of Docker Engine.

Source: U(https://docs.docker.com/reference/api/engine/). Responses are JSON documents of the API.

All methods raise C(errors.RequestError) if Docker does not respond in time, if it responds with an
error, or if its response is unreadable. A C(target) is the path of a resource, and a query has the
parameters of a request.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Iterable,
    Iterator,
    Mapping,
    TypeVar,
)

from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_SOCKET
from ansible_collections.cruntime.node.plugins.module_utils.sockets import http

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.runner import Stream

_T = TypeVar("_T")
#: Number of requests at once.
PARALLEL = 50
# The newest version of the API that the collection is tested with, which Docker 29.8 has.
_NEWEST = (1, 56)


class DockerApi:
    """API of the engine of this node, in the newest version that both sides support.

    :param timeout: time for each request, in seconds.
    :param path: path of the unix socket of the engine.
    """

    def __init__(self, timeout: float, path: str = DOCKER_SOCKET) -> None:
        self._path = path
        self._timeout = timeout
        self._version = ""
        self._lock = threading.Lock()

    def info(self) -> dict[str, Any]:
        """Return the settings and the state of the engine: C(GET /info)."""
        return self._get("/info", _read_object)

    def version(self) -> dict[str, Any]:
        """Return the versions of the engine: C(GET /version)."""
        return self._get("/version", _read_object)

    def containers(self, include_stopped: bool) -> list[dict[str, Any]]:
        """Return containers: C(GET /containers/json).

        :param include_stopped: whether containers that do not run are returned too.
        """
        target = f"/containers/json?all={str(include_stopped).lower()}"
        return self._get(target, _read_list)

    def images(self) -> list[dict[str, Any]]:
        """Return all images, also images without a name: C(GET /images/json)."""
        return self._get("/images/json", _read_list)

    def find(self, target: str) -> dict[str, Any] | None:
        """Return the properties of an object; None if it does not exist."""
        with missing_ok():
            return self._get(target, _read_object)
        return None

    def find_all(self, targets: Iterable[str]) -> list[dict[str, Any]]:
        """Return the properties of objects, in order. Objects that do not exist are skipped."""
        # Most runs do not need the import.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(PARALLEL) as pool:
            return [found for found in pool.map(self.find, targets) if found]

    def events(
        self, since: float, until: float, filters: dict[str, list[str]]
    ) -> list[dict[str, Any]]:
        """Return the events of a period: C(GET /events).

        :param since: start of the period, in seconds since the epoch.
        :param until: end of the period, which is not in the future, in seconds since the epoch.
        :param filters: for each property of an event, the values to return.
        """
        period = {"since": f"{since:.6f}", "until": f"{until:.6f}"}
        target = _with_query("/events", {**period, "filters": json.dumps(filters)})
        return self._get(target, _read_events)

    def change(self, method: str, target: str, **query: str) -> None:
        """Send a request that changes an object, whose response has no content of interest."""
        request = http.Request(method, self._versioned(_with_query(target, query)))
        http.send(self._path, request, self._timeout, lambda _response: None)

    def stream(
        self,
        method: str,
        target: str,
        query: Mapping[str, str | list[str]],
        headers: Mapping[str, str] | None = None,
        body: Stream | None = None,
    ) -> ContextManager[Iterator[bytes]]:
        """Send a request and yield the pieces of the response while they arrive.

        :param query: a parameter can have several values.
        :param body: stream to send.
        """
        target = self._versioned(_with_query(target, query))
        request = http.Request(method, target, headers or {}, body)
        return http.stream(self._path, request, self._timeout)

    def follow(
        self,
        target: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Stream | None = None,
    ) -> list[str]:
        """Perform a long operation and return its messages, without the progress of layers.

        Docker reports success before the operation begins, and then an error as a message.
        """
        # Most runs do not need the import.
        from ansible_collections.cruntime.node.plugins.module_utils import docker_streams

        messages = []
        with self.stream("POST", target, query, headers, body) as pieces:
            for document in docker_streams.read_documents(pieces):
                problem = docker_streams.find_error(document)
                if problem:
                    raise RequestError(
                        f"{self._path}: POST {target}: {problem}",
                        reason="request_failed",
                        detail=problem,
                    )
                messages += docker_streams.find_message(document)
        return messages

    def _get(self, target: str, decode: Callable[[http.Response], _T]) -> _T:
        return http.get(self._path, self._versioned(target), self._timeout, decode)

    def _versioned(self, target: str) -> str:
        """Return a target in the negotiated version."""
        with self._lock:
            if not self._version:
                self._version = http.get(self._path, "/_ping", self._timeout, _negotiate)
        return f"/v{self._version}{target}"


@contextlib.contextmanager
def missing_ok() -> Iterator[None]:
    """Ignore the error of an object that does not exist."""
    try:
        yield
    except RequestError as error:
        if error.code != 404:
            raise


def _with_query(target: str, query: Mapping[str, str | list[str]]) -> str:
    from urllib.parse import urlencode

    return f"{target}?{urlencode(query, doseq=True)}" if query else target


def _read_object(response: http.Response) -> dict[str, Any]:
    return response.document(dict)


def _read_list(response: http.Response) -> list[dict[str, Any]]:
    return response.document(list)


def _read_events(response: http.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text().splitlines()]


def _negotiate(response: http.Response) -> str:
    """Return the newest version of the API that both sides support.

    :raises ValueError: if the response does not have the version of the engine.
    """
    theirs = response.headers.get("api-version", "")
    match = re.fullmatch(r"([0-9]+)\.([0-9]+)", theirs)
    if match is None:
        raise ValueError(f"no Api-Version: {theirs!r}")
    return ".".join(map(str, min(_NEWEST, (int(match[1]), int(match[2])))))
