# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where runtimes have their files and answer: the controller writes for it, the node reads."""

from __future__ import annotations

CONTAINERD_CONFIG = "/etc/containerd/config.toml"
CONTAINERD_ROOT = "/var/lib/containerd"
#: Directories of containerd drop-ins: C(config.d) is used by nvidia-ctk and some distributions.
CONTAINERD_DROP_INS = ("/etc/containerd/conf.d", "/etc/containerd/config.d")
CONTAINERD_CERTS = "/etc/containerd/certs.d"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"

CRIO_DROP_INS = "/etc/crio/crio.conf.d"
CRIO_CONFIG = f"{CRIO_DROP_INS}/50-cruntime.conf"
# Kept in memory by CRI-O, unlike by podman.
CRIO_REGISTRIES = "/etc/containers/registries.conf.d/50-cruntime.conf"
CRIO_ROOT = "/var/lib/containers/storage"
CRIO_SOCKET = "/var/run/crio/crio.sock"

DOCKER_ROOT = "/var/lib/docker"
DOCKER_CONFIG = "/etc/docker/daemon.json"
# Docker has no CRI of its own, this is cri-dockerd's.
DOCKER_SOCKET = "/var/run/cri-dockerd.sock"
CRI_DOCKERD_DROP_IN = "/etc/systemd/system/cri-docker.service.d/50-cruntime.conf"

CRICTL_CONFIG = "/etc/crictl.yaml"
