# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effective configuration of Docker: C(daemon.json), flags, and C(GET /info)."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, cast

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.contents import json_object, read
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Source,
    Variable,
    find_flag_file,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import (
    Difference,
    Leaves,
    Tree,
    flatten,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import Path
from ansible_collections.cruntime.node.plugins.module_utils.errors import parsing
from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_CERTS

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import Start


class _Flag(NamedTuple):
    """A flag of dockerd that sets a key of daemon.json.

    :param names: names of the flag without dashes.
    :param kind: str, bool, list, or dict for a list of NAME=VALUE.
    """

    names: tuple[str, ...]
    kind: type = str


_FLAGS = {
    "data-root": _Flag(("data-root",)),
    "default-ulimits": _Flag(("default-ulimit",), dict),
    "default-runtime": _Flag(("default-runtime",)),
    "exec-opts": _Flag(("exec-opt",), list),
    "insecure-registries": _Flag(("insecure-registry",), list),
    "live-restore": _Flag(("live-restore",), bool),
    "log-driver": _Flag(("log-driver",)),
    "log-level": _Flag(("log-level", "l")),
    "log-opts": _Flag(("log-opt",), dict),
    "metrics-addr": _Flag(("metrics-addr",)),
    "registry-mirrors": _Flag(("registry-mirror",), list),
    "storage-driver": _Flag(("storage-driver", "s")),
}


# Variables that dockerd sets from the key proxies and from flags, since version 23.
_PROXIES = {"http-proxy": "HTTP_PROXY", "https-proxy": "HTTPS_PROXY", "no-proxy": "NO_PROXY"}


class DockerEffective(Effective):
    hosts_dir = DOCKER_CERTS

    def reads_hosts(self) -> bool:
        return self._docker.uses_containerd_store()

    def leave_out(self, content: str, start: Start) -> str:
        # dockerd does not start if a flag and the file set a key, even to the same value.
        flags = read_flags(start.argv)
        keys: dict[str, Any] = json.loads(content)
        kept = {
            key: value
            for key, value in keys.items()
            if key not in flags or not self._are_equal(key, value, flags[key])
        }
        return content if kept == keys else json.dumps(kept, indent=2) + "\n"

    def _are_equal(self, key: str, value: Any, other: Any) -> bool:
        agree = self.equivalences.agree
        return agree((key,), value, other) and agree((key,), other, value)

    def find_variables(self, content: bytes, start: Start) -> dict[str, Variable]:
        proxies = (json_object(content) or {}).get("proxies")
        found = dict(proxies) if isinstance(proxies, dict) else {}
        path = command_line.find_flag(start.argv, *self._runtime.config_flag)
        sources = dict.fromkeys(found, Source("file", path or self._runtime.config_path))
        for key in _PROXIES:
            value = command_line.find_flag(start.argv, key)
            if value is not None:
                found[key], sources[key] = value, find_flag_file(start.unit, (key,))
        return {
            name: Variable(found[key], sources[key])
            for key, variable in _PROXIES.items()
            if found.get(key)
            for name in (variable, variable.lower())
        }

    def read_filed(self, start: Start, path: str) -> Leaves:
        content = read(path)[0]
        keys = json_object(content) if isinstance(content, bytes) else None
        return flatten({**(keys or {}), **read_flags(start.argv)}, self.equivalences)

    def read_running(self, argv: list[str]) -> Leaves:
        return flatten(parse_info(self._docker.api().info()), self.equivalences)

    def parse_desired(self, content: bytes, filed: Leaves) -> Tree:
        tree: Tree = json.loads(content)
        # The file does not have the keys that flags set, but the process must use them too.
        for path, value in filed.items():
            if len(path) == 1 and path[0] in _FLAGS:
                tree.setdefault(path[0], value)
        return tree

    def find_source(self, difference: Difference, start: Start) -> Source:
        names = self.find_flag(difference.path, start.argv)
        return find_flag_file(start.unit, names) if names else Source()

    def find_flag(self, path: Path, argv: list[str]) -> tuple[str, ...]:
        flag = _FLAGS.get(path[0])
        return flag.names if flag and path[0] in read_flags(argv) else ()

    @property
    def _docker(self) -> Docker:
        return cast("Docker", self._runtime)


def read_flags(argv: Iterable[str]) -> dict[str, Any]:
    """Return the keys of daemon.json that the flags of dockerd set."""
    argv = list(argv)
    found: dict[str, Any] = {}
    for key, flag in _FLAGS.items():
        values = command_line.find_flags(argv, *flag.names, takes_value=flag.kind is not bool)
        if not values:
            continue
        if flag.kind is bool:
            found[key] = values[-1] not in ("false", "0")
        elif flag.kind is dict:
            found[key] = dict(value.partition("=")[::2] for value in values)
            if key == "default-ulimits":
                found[key] = {name: _parse_limit(name, text) for name, text in found[key].items()}
        else:
            found[key] = values if flag.kind is list else values[-1]
    return found


def _parse_limit(name: str, text: str) -> dict[str, Any]:
    """Return a limit such as C(1024:2048) in the form of daemon.json."""
    soft, _colon, hard = text.partition(":")
    with contextlib.suppress(ValueError):
        return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
    return {"Name": name, "Soft": text}


def remove_flags(argv: Iterable[str]) -> list[str]:
    """Return a command line of dockerd without the flags that C(read_flags) reads."""
    kept = list(argv)
    for flag in _FLAGS.values():
        kept = command_line.remove_flags(kept, *flag.names, takes_value=flag.kind is not bool)
    return kept


@parsing("GET /info")
def parse_info(info: dict[str, Any]) -> Tree:
    """Return the keys of daemon.json that a running Docker reports.

    It does not report the log level, the options of the log driver, the limits, the address of the
    metrics and the features.
    """
    registries = info["RegistryConfig"]
    hosts = [name for name, index in registries["IndexConfigs"].items() if not index["Secure"]]
    return {
        "data-root": info["DockerRootDir"],
        "default-runtime": info["DefaultRuntime"],
        "exec-opts": [f"native.cgroupdriver={info['CgroupDriver']}"],
        "insecure-registries": hosts + registries["InsecureRegistryCIDRs"],
        "live-restore": info["LiveRestoreEnabled"],
        "log-driver": info["LoggingDriver"],
        "registry-mirrors": registries["Mirrors"] or [],
        "storage-driver": info["Driver"],
        "runtimes": info["Runtimes"],
    }
