# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the API of Docker Engine.

Source: U(https://docs.docker.com/reference/api/engine/). Responses are JSON documents of the API.

All methods raise C(errors.RequestError) if Docker does not respond in time, if it responds with an
error, or if its response is unreadable.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, TypeVar

from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_SOCKET
from ansible_collections.cruntime.node.plugins.module_utils.sockets import http

_T = TypeVar("_T")
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

    def events(
        self, since: float, until: float, filters: dict[str, list[str]]
    ) -> list[dict[str, Any]]:
        """Return the events of a period: C(GET /events).

        :param since: start of the period, in seconds since the epoch.
        :param until: end of the period, which is not in the future, in seconds since the epoch.
        :param filters: for each property of an event, the values to return.
        """
        from urllib.parse import urlencode

        period = {"since": f"{since:.6f}", "until": f"{until:.6f}"}
        query = urlencode({**period, "filters": json.dumps(filters)})
        return self._get(f"/events?{query}", _read_events)

    def _get(self, target: str, decode: Callable[[http.Response], _T]) -> _T:
        """Send a request in the negotiated version."""
        if not self._version:
            self._version = http.get(self._path, "/_ping", self._timeout, _negotiate)
        return http.get(self._path, f"/v{self._version}{target}", self._timeout, decode)


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
