# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's files."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.cruntime.node.plugins.plugin_utils import formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import ANY
from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError, split_url

# Docker has no CRI of its own, this is cri-dockerd's.
SOCKET = "/var/run/cri-dockerd.sock"
UNIT = "docker.service"
#: Handlers that are there without being named in oci_runtimes.
HANDLERS = ("runc",)
UNSUPPORTED = {
    "cni": "its pods' networks are cri-dockerd's, which takes these directories as flags",
    "pinned_images": "cri-dockerd pins no image but its own sandbox image",
    "socket": "its CRI is cri-dockerd's, which has a systemd socket",
}

_CERTS_DIR = "/etc/docker/certs.d"

_MANAGED = {
    ("exec-opts",): "cgroup_driver",
    ("registry-mirrors",): "registries",
    ("insecure-registries",): "registries",
    ("default-runtime",): "oci_runtime",
    ("runtimes", ANY, "path"): "oci_runtimes",
    ("data-root",): "storage.root",
    ("storage-driver",): "storage.driver",
    ("log-level",): "log_level",
    ("metrics-addr",): "metrics",
    ("live-restore",): "live_restore",
    ("default-ulimits", ANY): "ulimits",
    ("log-driver",): "container_logs",
    ("log-opts", "max-size"): "container_logs",
    ("log-opts", "max-file"): "container_logs",
}


def check(spec: dict) -> None:
    for entry in spec["registries"]:
        _check_registry(entry)
    for runtime in spec["oci_runtimes"]:
        if runtime["shim"]:
            raise SpecError(
                f"oci_runtimes: {runtime['name']} has a shim, but with Docker it can have none, "
                "only with containerd"
            )
        if runtime["name"] in HANDLERS:
            raise SpecError(f"oci_runtimes: {runtime['name']} is Docker's own; choose another name")


def configs(spec: dict) -> Iterator[Config]:
    entries = spec["registries"]
    insecure = [host for host, tls in registries.servers(entries) if tls["insecure"]]
    variables = {
        "mirrors": [mirror["url"] for entry in entries for mirror in entry["mirrors"]],
        "insecure": list(dict.fromkeys(insecure)),
    }
    yield Config(
        "docker/daemon.json.j2",
        "/etc/docker/daemon.json",
        formats.JSON,
        _MANAGED,
        variables=variables,
        shared=not spec["exclusive"],
    )


def registry_files(entries: list[dict]) -> list[dict]:
    return registries.certificate_links(_CERTS_DIR, entries)


def _check_registry(entry: dict) -> None:
    registry = entry["registry"]
    if registry != registries.DOCKER_HUB:
        if entry["mirrors"]:
            words = "all registries" if registry == registries.DEFAULT else registry
            raise SpecError(
                f"registries: {words} can't have mirrors with Docker, which has them for "
                "docker.io only"
            )
        return
    if entry["insecure"] or entry["ca_file"] or entry["client_cert_file"]:
        raise SpecError(
            "registries: docker.io itself can't be insecure or have certificates with Docker, "
            "only its mirrors can"
        )
    for mirror in entry["mirrors"]:
        url = mirror["url"]
        if set(mirror["capabilities"]) != registries.PULLS:
            raise SpecError(
                f"registries: Docker pulls and resolves from its mirrors; the mirror {url} can't "
                "have other capabilities"
            )
        if mirror["headers"]:
            raise SpecError(f"registries: Docker sends no headers of one's own to the mirror {url}")
        if mirror["override_path"] or split_url(url)[2]:
            raise SpecError(
                f"registries: Docker asks a mirror nowhere but under /v2; the mirror {url} can't "
                "have a path"
            )
