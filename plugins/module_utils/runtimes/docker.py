# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine, with its socket, and cri-dockerd where that stands beside it."""

from __future__ import annotations

import glob
import os
import re
import time
from typing import TYPE_CHECKING, Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils import crictl, docker_cli
from ansible_collections.cruntime.node.plugins.module_utils.contents import json_object
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import (
    has_dockershim,
    wants_adapter,
)
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.shims import (
    DOCKER_NAMESPACES,
    is_shim,
    namespace_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version

if TYPE_CHECKING:
    pass

# What dockerd takes over on SIGHUP, in every version since 20.10.
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


class Docker(Runtime):
    identity = DOCKER
    overrides = "the flags of docker.service"
    data_names = (
        ("buildkit|builder|containerd|engine-id|image|network|plugins|rootfs|runtimes|swarm", None),
        (r"tmp|tmp-old|trust|nuke-graph-directory\.sh|volumes", None),
        ("overlay2?|overlayfs|fuse-overlayfs|aufs|btrfs|devicemapper|vfs|zfs", None),
        ("containers", "[0-9a-f]{64}"),
        # With userns-remap, each range of users has a directory with all these names.
        (r"[0-9]+\.[0-9]+", None),
    )
    data_first = ("image", "containers")
    namespaces = DOCKER_NAMESPACES

    def configured(self, options: dict[str, Any]) -> Runtime:
        wanted = super().configured(options)
        wanted.adapted = wants_adapter(options)
        if _is_the_kubelets(options.get("kubernetes_version"), wanted.adapted):
            wanted.socket_path = "/var/run/dockershim.sock"
        return wanted

    def check_installed(self, units: dict[str, Unit]) -> None:
        super().check_installed(units)
        found = all(units[name].found for name in self.adapters)
        if self.adapted and not (found and self._runner.which(_ADAPTER)):
            raise CruntimeError(
                f"{_ADAPTER} is not installed on this node, and without it no kubelet from "
                f"Kubernetes 1.24 on can use Docker: {_ADAPTER}, {' and '.join(self.adapters)} "
                "must be there first, or cri_service be false",
                reason="runtime_not_installed",
            )

    def kubelet_options(self, kubernetes: str | None = None) -> dict[str, str]:
        if _is_the_kubelets(kubernetes, self.adapted):
            return {"container-runtime": "docker"}
        return super().kubelet_options(kubernetes)

    def version(self) -> str:
        return parse_version(self._runner.output("dockerd", "--version"))

    def unused_options(self, options: dict[str, Any]) -> dict[str, str]:
        if self.adapted or not options.get("sandbox_image"):
            return {}
        return {"sandbox_image": "Docker has no pod sandboxes, they are those of cri_service"}

    def configured_root(self, files: Iterable[Change]) -> str:
        for file in files:
            if file.path == DOCKER.config_path:
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
                    f"{path}: foreign data: it is not a volume of Docker, which would hold a "
                    "directory _data. Move it away, or set keep_data to true",
                    reason="data_foreign",
                )

    def reloads(self, changes: Iterable[Change]) -> bool:
        return all(map(_reloads, changes))

    def reloads_first(self, change: Change) -> bool:
        # Containers outlive only a restart of a daemon that knew of it before.
        before, after = json_object(change.before) or {}, json_object(change.after) or {}
        return bool(after.get("live-restore")) and not before.get("live-restore")

    def reloaded(self, since: float) -> bool:
        # Docker tells of a reload when it is done, and of none that failed.
        events = self._runner.output(
            *docker_cli.argv("events", "--filter", "type=daemon", "--filter", "event=reload"),
            *("--since", f"{since:.6f}", "--until", f"{time.time():.6f}"),
            timeout=10,
        )
        return bool(events.strip())

    def settings(self) -> dict[str, str]:
        return {"cgroup_driver": self._ask("info", "{{.CgroupDriver}}")}

    def probe(self) -> None:
        self._ask("version", "{{.Server.Version}}")
        if self.adapted and crictl.info(self._runner, self.cri_endpoint) is None:
            # Nobody can ask it, but it told systemd when it was ready: by its service, for of
            # several units one would do, and the socket outlives it.
            services = [name for name in self.adapters if name.endswith(".service")]
            self._runner.output("systemctl", "is-active", *services)

    def find_major(self) -> int:
        """Return the major version of the installed daemon."""
        return installed_version(self.version()).major

    def _ask(self, command: str, template: str) -> str:
        command_line = docker_cli.argv(command, "--format", template)
        return self._runner.output(*command_line, timeout=10).strip()


def _is_the_kubelets(kubernetes: str | None, adapted: bool) -> bool:
    """Say whether the kubelet drives Docker by itself."""
    return bool(kubernetes and has_dockershim(kubernetes) and not adapted)


def parse_version(line: str) -> str:
    """Read C(dockerd --version): C(Docker version 20.10.24+dfsg1, build 297e128).

    :raises CruntimeError: this is no such line.
    """
    match = re.match(r"Docker version ([^\s,]+)", line)
    if match is None:
        raise CruntimeError(
            f"unknown version of Docker: {line.strip()!r}", reason="version_unreadable"
        )
    return match.group(1)


def _reloads(change: Change) -> bool:
    before, after = json_object(change.before), json_object(change.after)
    if change.path != DOCKER.config_path or before is None or after is None:
        return False
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    # A key that is gone from the file keeps its value in the process.
    return changed <= _RELOADABLE & after.keys()
