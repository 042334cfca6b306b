# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a second Docker to find errors that only a start of Docker finds.

C(dockerd --validate) does not check the sizes of address pools, the address of the bridge and the
options of the log driver. Docker would be stopped, and then not start. Therefore a second dockerd
starts with these keys first. It has its own directories, and its own network, process and mount
namespaces, so it cannot affect the running Docker.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, Mapping

from ansible_collections.cruntime.node.plugins.module_utils.docker_api import DockerApi
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner, refuse
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

# Keys that have the same effect in other namespaces and directories.
_KEYS = frozenset(
    (
        *("bip", "bip6", "default-address-pools", "default-gateway", "default-gateway-v6"),
        *("fixed-cidr", "fixed-cidr-v6", "ip6tables", "ipv6", "log-driver", "log-opts", "mtu"),
    )
)
_NAMESPACES = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
# Time for the start, in seconds.
_TIMEOUT = 20
_FAILURE = "failed to start daemon: "


def find_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys to try, empty if none of them changes."""
    keys = {key: value for key, value in after.items() if key in _KEYS}
    return keys if any(before.get(key) != value for key, value in keys.items()) else {}


def try_start(runner: Runner, keys: Mapping[str, Any]) -> None:
    """Start a second Docker with some keys.

    :raises CruntimeError: if Docker does not start with these keys, but without them.
    """
    # The path of a socket is limited to 107 bytes.
    root = tempfile.mkdtemp(prefix="cruntime-", dir="/run")
    try:
        failure = _start(runner, root, keys)
        # Another error remains the same without the keys, for example a missing permission.
        if failure and not _start(runner, root, {}):
            raise refuse(DOCKER.label, failure)
    finally:
        # The processes end at any time after their parent.
        wait_until(lambda: _is_removed(root), _TIMEOUT)


def _start(runner: Runner, root: str, keys: Mapping[str, Any]) -> str:
    """Return the error of the start, empty if it succeeds."""
    config, socket = os.path.join(root, "daemon.json"), os.path.join(root, "docker.sock")
    with open(config, "w", encoding="utf-8") as handle:
        json.dump(keys, handle)
    argv = (
        *("dockerd", "--config-file", config, "--host", f"unix://{socket}"),
        *("--data-root", os.path.join(root, "data"), "--exec-root", os.path.join(root, "exec")),
        *("--pidfile", os.path.join(root, "docker.pid"), "--storage-driver", "vfs"),
    )
    api = DockerApi(1, socket)
    with tempfile.TemporaryFile() as log:
        with runner.started("unshare", *_NAMESPACES, *argv, log=log) as has_ended:
            wait_until(lambda: has_ended() or _responds(api), _TIMEOUT, interval=0.1)
            if not has_ended() and _responds(api):
                return ""
        log.seek(0)
        lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "no output"
    return last.partition(_FAILURE)[2] or last


def _responds(api: DockerApi) -> bool:
    try:
        api.version()
    except RequestError:
        return False
    return True


def _is_removed(path: str) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)
