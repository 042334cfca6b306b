# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call CRI-O's own API, on the socket of its CRI.

Source: U(https://github.com/cri-o/cri-o/blob/main/server/inspect.go).

All functions raise C(errors.RequestError) if CRI-O does not respond in time, if it responds with an
error, or if its response is unreadable.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.sockets import http


def config(path: str, timeout: float) -> str:
    """Return the configuration of the running process, as TOML: C(GET /config).

    :param path: path of the unix socket.
    :param timeout: time for the request, in seconds.
    """
    return http.get(path, "/config", timeout, http.Response.text)


def info(path: str, timeout: float) -> dict[str, Any]:
    """Return the storage and the user namespaces of the running process: C(GET /info).

    :param path: path of the unix socket.
    :param timeout: time for the request, in seconds.
    """
    return http.get(path, "/info", timeout, lambda response: response.document(dict))
