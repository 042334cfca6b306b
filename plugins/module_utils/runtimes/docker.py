# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime Docker Engine, and its CRI adapter cri-dockerd."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import time
from typing import TYPE_CHECKING, Any, Container, Iterable

from ansible_collections.cruntime.node.plugins.module_utils import command_line, docker_storage
from ansible_collections.cruntime.node.plugins.module_utils.contents import json_object
from ansible_collections.cruntime.node.plugins.module_utils.docker_storage import STORE_FACT
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import (
    has_dockershim,
    needs_adapter,
    older,
)
from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_SOCKET
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import refuse
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import (
    Runtime,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Unit,
    read_start,
)
from ansible_collections.cruntime.node.plugins.module_utils.shims import (
    DOCKER_NAMESPACES,
    is_shim,
    namespace_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.docker_api import DockerApi

# Keys that every version of dockerd since 20.10 reloads on SIGHUP.
_RELOADABLE = frozenset(
    (
        "authorization-plugins",
        "debug",
        "default-runtime",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    )
)
_ADAPTER = "cri-dockerd"
# The first kubelet that streams exec, attach and logs through WebSockets to the runtime.
_WEBSOCKETS_SINCE = "1.36.0-alpha.0"
# Messages of all versions since 20.10.
_FAILED_RELOAD = re.compile(
    "Error reconfiguring the daemon|Error reloading configuration|Error validating authorization|"
    "unable to configure the Docker daemon|file configuration validation failed|conflict labels for"
)


class Docker(Runtime):
    identity = DOCKER
    config_flag = ("config-file",)
    overrides = "the flags of docker.service"
    data_names = (
        ("buildkit|builder|containerd|engine-id|image|network|plugins|rootfs|runtimes|swarm", None),
        (r"tmp|tmp-old|trust|nuke-graph-directory\.sh|volumes", None),
        ("overlay2?|overlayfs|fuse-overlayfs|aufs|btrfs|devicemapper|vfs|zfs", None),
        ("containers", "[0-9a-f]{64}"),
        # With userns-remap, each range of user IDs has a directory with all of these names.
        (r"[0-9]+\.[0-9]+", None),
    )
    data_first = ("image", "containers")
    namespaces = DOCKER_NAMESPACES
    #: Path of the unix socket of the API.
    api_socket = DOCKER_SOCKET

    def configured(self, options: dict[str, Any]) -> Runtime:
        wanted = super().configured(options)
        wanted.adapter_enabled = needs_adapter(options)
        wanted.has_cri = wanted.adapter_enabled or self.has_cri
        if _uses_dockershim(options.get("kubernetes_version"), wanted.adapter_enabled):
            wanted.socket_path = "/var/run/dockershim.sock"
            wanted.has_cri = True
        return wanted

    def read_units(self, units: dict[str, Unit]) -> None:
        super().read_units(units)
        self.has_cri = any(units[name].active for name in self.adapters)
        self._service = units[DOCKER.service]
        socket = units[DOCKER.units[0]]
        self.api_socket = _find_api_socket(self._service, socket, self.config_path)

    def check_installed(self, units: dict[str, Unit]) -> None:
        super().check_installed(units)
        found = all(units[name].found for name in self.adapters)
        if self.adapter_enabled and not (found and self._runner.which(_ADAPTER)):
            raise CruntimeError(
                f"{_ADAPTER} is not installed on this node: {_ADAPTER} or "
                f"{' or '.join(self.adapters)} not found. Install it, or set cri_service: false. "
                "The kubelet of Kubernetes 1.24 and newer needs it to use Docker",
                reason="runtime_not_installed",
            )

    def kubelet_options(self, kubernetes: str | None = None) -> dict[str, str]:
        if _uses_dockershim(kubernetes, self.adapter_enabled):
            return {"container-runtime": "docker"}
        return super().kubelet_options(kubernetes)

    def kubelet_config(
        self, kubernetes: str | None, driver: str | None, cgroups: int
    ) -> dict[str, Any]:
        config = super().kubelet_config(kubernetes, driver, cgroups)
        if self.has_cri and kubernetes and not older(kubernetes, _WEBSOCKETS_SINCE):
            # cri-dockerd does not support WebSockets. Older kubelets do not know this gate.
            config["featureGates"] = {"ExtendWebSocketsToKubelet": False}
        return config

    def version(self) -> str:
        return parse_version(self._runner.output("dockerd", "--version"))

    def find_facts(self, names: Container[str]) -> dict[str, Any]:
        return {STORE_FACT: self.uses_containerd_store()} if STORE_FACT in names else {}

    def uses_containerd_store(self) -> bool:
        """Return whether the images of Docker are in containerd, or would be if it started."""
        if self._service.active:
            return docker_storage.reports_containerd(self.api().info())
        settings = docker_storage.read_settings(
            _read_config(self.config_path), read_start(self._service).argv
        )
        directory = docker_storage.find_directory(settings.root, bool(settings.user))
        prior = docker_storage.list_prior_drivers(directory)
        return docker_storage.is_in_containerd(settings, self.find_major(), prior)

    def unused_options(self, options: dict[str, Any]) -> dict[str, str]:
        if self.adapter_enabled or not options.get("sandbox_image"):
            return {}
        return {"sandbox_image": "Docker uses a sandbox image only with cri_service (cri-dockerd)"}

    def configured_root(self, files: Iterable[Change]) -> str:
        for file in files:
            if file.path == self.config_path:
                return str((json_object(file.after) or {}).get("data-root", DOCKER.data_root))
        return DOCKER.data_root

    def holds_container(self, argv: list[str]) -> bool:
        return is_shim(argv) and namespace_of(argv) in DOCKER_NAMESPACES

    def check_data(self, roots: Iterable[str]) -> None:
        for path in (path for root in roots for path in glob.glob(f"{root}/volumes/*/")):
            # Each volume has a directory _data; a mounted file system has a lost+found.
            is_volume = os.path.isdir(os.path.join(path, "_data"))
            if not is_volume and not path.endswith("/lost+found/"):
                raise CruntimeError(
                    f"{path}: foreign data: it is not a volume of Docker, because it has no "
                    "directory _data. Move it away, or set keep_data: true",
                    reason="data_foreign",
                )

    def reloads(self, changes: Iterable[Change]) -> bool:
        return all(change.path == self.config_path and _reloads(change) for change in changes)

    def reloads_first(self, change: Change) -> bool:
        # Containers survive the restart only if live-restore is already active, so reload it first.
        before, after = json_object(change.before) or {}, json_object(change.after) or {}
        return bool(after.get("live-restore")) and not before.get("live-restore")

    def protects(self, path: Iterable[str], value: Any) -> bool:
        return tuple(path) == ("live-restore",) and value is True

    def outlives_start(self, files: Iterable[Change], units: dict[str, Unit]) -> bool:
        # Docker stops the containers that it finds if live-restore is not set at its start.
        argv = read_start(units[DOCKER.service]).argv
        flags = command_line.find_flags(argv, "live-restore", takes_value=False)
        if flags:
            return flags[-1] not in ("false", "0")
        configs = (json_object(file.after) for file in files if file.path == self.config_path)
        return any(config and config.get("live-restore") is True for config in configs)

    def reloaded(self, since: float) -> bool:
        failure = parse_failed_reload(self._read_journal(since))
        if failure:
            raise refuse(self.label, failure)
        # Docker emits the event only after a successful reload.
        filters = {"type": ["daemon"], "event": ["reload"]}
        return bool(self.api().events(since, time.time(), filters))

    def settings(self) -> dict[str, str]:
        return {"cgroup_driver": str(self.api().info().get("CgroupDriver", ""))}

    def check_responding(self) -> None:
        self.api().version()
        if self.adapter_enabled:
            self.check_cri()

    def find_major(self) -> int:
        """Return the major version of the installed daemon."""
        return installed_version(self.version()).major

    def api(self, timeout: float | None = None) -> DockerApi:
        """Return the API of the running Docker.

        :param timeout: time for each request in seconds, None for C(request_timeout).
        """
        # Most runs do not need the import.
        from ansible_collections.cruntime.node.plugins.module_utils.docker_api import DockerApi

        return DockerApi(timeout or self.request_timeout, self.api_socket)


def _find_api_socket(service: Unit, socket: Unit, config_path: str) -> str:
    """Return the path of the unix socket on which Docker serves its API."""
    argv = command_line.read_argv(service.pid) or read_start(service).argv
    hosts = command_line.find_flags(argv, "host", "H")
    if not hosts:
        hosts = [str(host) for host in _read_config(config_path).get("hosts") or []]
    for host in hosts:
        scheme, _separator, path = host.partition("://")
        if scheme == "unix":
            return path or DOCKER_SOCKET
        if scheme == "fd" and socket.listens:
            return socket.listens[0]
    return DOCKER_SOCKET


def _read_config(path: str) -> dict[str, Any]:
    """Return the keys of daemon.json, empty if the file cannot be read."""
    with contextlib.suppress(OSError, CruntimeError):
        return json_object(read_regular(path)) or {}
    return {}


def _uses_dockershim(kubernetes: str | None, adapter_enabled: bool) -> bool:
    """Return whether the kubelet uses Docker through its own dockershim."""
    return bool(kubernetes and has_dockershim(kubernetes) and not adapter_enabled)


def parse_version(line: str) -> str:
    """Parse C(dockerd --version): C(Docker version 20.10.24+dfsg1, build 297e128).

    :raises CruntimeError: if the line has another format.
    """
    match = re.match(r"Docker version ([^\s,]+)", line)
    if match is None:
        raise CruntimeError(
            f"Could not parse the version of Docker: {line.strip()!r}", reason="version_unreadable"
        )
    return match.group(1)


def parse_failed_reload(log: str) -> str:
    """Return the error of a failed reload in the log of dockerd, empty if there is none."""
    for line in log.splitlines():
        if _FAILED_RELOAD.search(line):
            fields = [
                match[1].replace('\\"', '"')
                for match in re.finditer(r'\b(?:msg|error)="((?:[^"\\]|\\.)*)"', line)
            ]
            return ": ".join(fields) or line
    return ""


def _reloads(change: Change) -> bool:
    before, after = json_object(change.before), json_object(change.after)
    if before is None or after is None:
        return False
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    # If a key is removed from the file, a reload does not reset its value.
    return changed <= _RELOADABLE & after.keys()
