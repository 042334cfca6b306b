# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity of each container runtime.

The controller, the node and the roles read these facts here. No other file repeats them.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version


class Identity(NamedTuple):
    """Facts about a container runtime that are the same on every node.

    :param name: value of C(runtime) in a spec.
    :param label: spelling of the name in messages.
    :param binaries: binaries that the runtime needs. The daemon comes first.
    :param units: systemd units of the runtime. A socket comes before the service that it starts.
    :param config_path: configuration file that the collection writes. It sets the data root.
    :param socket_path: default CRI socket.
    :param data_root: default directory of images and containers.
    :param versions: oldest supported version, and each version from which rendered files differ.
    :param adapters: units of the CRI adapter. They need the runtime.
    :param masked_units: units to mask when the runtime is disabled, because packages and clients
        start them by name.
    """

    name: str
    label: str
    binaries: tuple[str, ...]
    units: tuple[str, ...]
    config_path: str
    socket_path: str
    data_root: str
    versions: tuple[str, ...]
    adapters: tuple[str, ...] = ()
    masked_units: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        """Name of the service, the last of the units."""
        return self.units[-1]

    def find_range(self, version: str) -> str:
        """Return the newest of C(versions) that a version has reached.

        :param version: version of an installed runtime that is not older than the oldest one.
        :raises ValueError: if it is not a version.
        """
        found = installed_version(version)
        reached = self.versions[0]
        for text in self.versions:
            first = installed_version(text)
            # A release candidate reads the same files as its release.
            if (first.major, first.minor) <= (found.major, found.minor):
                reached = text
        return reached


CONTAINERD = Identity(
    name="containerd",
    label="containerd",
    binaries=("containerd",),
    units=("containerd.service",),
    config_path="/etc/containerd/config.toml",
    socket_path="/run/containerd/containerd.sock",
    data_root="/var/lib/containerd",
    # 1.7 has CDI, 2.0 configuration version 3 and pinned images, 2.1 several CNI directories.
    versions=("1.6.0", "1.7.0", "2.0.0", "2.1.0"),
)

CRIO = Identity(
    name="crio",
    label="CRI-O",
    binaries=("crio",),
    units=("crio.service",),
    config_path="/etc/crio/crio.conf.d/50-cruntime.conf",
    socket_path="/var/run/crio/crio.sock",
    data_root="/var/lib/containers/storage",
    versions=("1.28.0",),
)

DOCKER = Identity(
    name="docker",
    label="Docker",
    binaries=("dockerd", "containerd"),
    units=("docker.socket", "docker.service"),
    config_path="/etc/docker/daemon.json",
    # The socket of cri-dockerd, because Docker has no CRI.
    socket_path="/var/run/cri-dockerd.sock",
    data_root="/var/lib/docker",
    # 23 has shims as OCI runtimes. 25 has CDI; an older version accepts the feature and ignores it.
    # From 28 on, the containerd image store reads hosts.toml.
    # 29.10 adds no loopback networks to a list of insecure registries.
    versions=("20.10.0", "23.0.0", "25.0.0", "28.0.0", "29.10.0"),
    adapters=("cri-docker.socket", "cri-docker.service"),
    masked_units=("docker.service", "cri-docker.service"),
)

#: Networks whose registries Docker treats as insecure by default.
INSECURE_NETWORKS = ("127.0.0.0/8", "::1/128")

RUNTIMES: dict[str, Identity] = {each.name: each for each in (CONTAINERD, CRIO, DOCKER)}
