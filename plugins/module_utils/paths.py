# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of rendered files, in addition to the paths of an identity."""

from __future__ import annotations

#: Directories of containerd drop-ins: C(config.d) is used by nvidia-ctk and some distributions.
CONTAINERD_DROP_INS = ("/etc/containerd/conf.d", "/etc/containerd/config.d")
CONTAINERD_CERTS = "/etc/containerd/certs.d"
CRIO_DROP_INS = "/etc/crio/crio.conf.d"
#: Registries for CRI-O and podman. CRI-O keeps the file in memory.
CRIO_REGISTRIES = "/etc/containers/registries.conf.d/50-cruntime.conf"
#: Certificates of registries for CRI-O and podman.
CONTAINERS_CERTS = "/etc/containers/certs.d"
DOCKER_CERTS = "/etc/docker/certs.d"
CRI_DOCKERD_DROP_IN = "/etc/systemd/system/cri-docker.service.d/50-cruntime.conf"
CRICTL_CONFIG = "/etc/crictl.yaml"
#: Socket of the engine of Docker, on which its units listen.
DOCKER_SOCKET = "/run/docker.sock"


def find_service_drop_in(unit: str) -> str:
    """Return the path of the drop-in with the settings of the option service."""
    return f"/etc/systemd/system/{unit}.d/50-cruntime-service.conf"
