# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the credentials for a registry as the client of Docker does, and encode them for its API.

Source: U(https://docs.docker.com/reference/cli/docker/login/). C(docker login) writes them to
C(config.json), or passes them to a credential helper, which is the program
C(docker-credential-NAME).
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Dict

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

#: Header of a request with credentials.
HEADER = "X-Registry-Auth"
# Name of Docker Hub in the configuration of the client.
_HUB = "https://index.docker.io/v1/"
# User name that a helper returns with an identity token.
_TOKEN = "<token>"
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
# Credentials in the format of the API.
_Login = Dict[str, str]


def headers(runner: Runner, host: str, credentials: Credentials | None) -> dict[str, str]:
    """Return the headers of a request that uses a registry.

    :param host: host of the registry.
    :param credentials: credentials of the task; None for the credentials of C(docker login).
    """
    server = _HUB if host == "docker.io" else host
    login = credentials._asdict() if credentials else _find(runner, server)
    return encode({**login, "serveraddress": server} if login else {})


def encode(login: _Login) -> dict[str, str]:
    """Return the header with credentials. Docker requires it for a push, also without any."""
    return {HEADER: base64.urlsafe_b64encode(json.dumps(login).encode()).decode()}


def _find(runner: Runner, server: str) -> _Login:
    """Return the credentials of C(docker login), empty if there are none.

    The registry reports what is missing, so an unreadable file is ignored, as by the client.
    """
    directory = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        config = json.loads(read_regular(os.path.join(directory, "config.json")))
        helper = find_helper(config, server)
        if helper:
            return parse_answer(_ask(runner, helper, server))
        return find_login(config, server)
    except (OSError, CruntimeError, *_UNREADABLE):
        return {}


def find_helper(config: dict[str, Any], server: str) -> str:
    """Return the name of the credential helper for a registry, empty if there is none."""
    return str((config.get("credHelpers") or {}).get(server) or config.get("credsStore") or "")


def find_login(config: dict[str, Any], server: str) -> _Login:
    """Return the credentials for a registry in C(config.json), empty if there are none.

    :raises ValueError: if they are not valid.
    """
    entries: dict[str, dict[str, str]] = config.get("auths") or {}
    found = entries.get(server)
    if found is None:
        found = next((entry for key, entry in entries.items() if _host(key) == server), {})
    if found.get("identitytoken"):
        return {"identitytoken": found["identitytoken"]}
    if found.get("auth"):
        text = base64.b64decode(found["auth"], validate=True).decode()
        username, _colon, password = text.partition(":")
        return {"username": username, "password": password.strip("\0")}
    return {}


def _host(key: str) -> str:
    """Return the host of a key, because older clients wrote URLs."""
    for scheme in ("http://", "https://"):
        if key.startswith(scheme):
            key = key[len(scheme) :]
    return key.partition("/")[0]


def parse_answer(text: str) -> _Login:
    """Return the credentials that a helper printed.

    :raises ValueError: if the helper printed another document.
    """
    answer = json.loads(text)
    if answer["Username"] == _TOKEN:
        return {"identitytoken": answer["Secret"]}
    return {"username": answer["Username"], "password": answer["Secret"]}


def _ask(runner: Runner, helper: str, server: str) -> str:
    return runner.output(f"docker-credential-{helper}", "get", stdin=server)
