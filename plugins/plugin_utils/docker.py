# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's files."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni, daemon_json, paths
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import wants_adapter
from ansible_collections.cruntime.node.plugins.plugin_utils import files, formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import ANY
from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError, split_url

SOCKET = paths.DOCKER_SOCKET
UNIT = "docker.service"
#: Handlers that are there without being named in oci_runtimes.
HANDLERS = ("runc",)
UNSUPPORTED = {"pinned_images": "cri-dockerd pins no image but its own sandbox image"}

_CERTS_DIR = "/etc/docker/certs.d"

_MANAGED = {
    ("exec-opts",): "cgroup_driver",
    ("registry-mirrors",): "registries",
    ("insecure-registries",): "registries",
    ("default-runtime",): "oci_runtime",
    ("runtimes", ANY, "path"): "oci_runtimes",
    ("runtimes", ANY, "runtimeType"): "oci_runtimes",
    ("data-root",): "storage.root",
    ("storage-driver",): "storage.driver",
    ("log-level",): "log_level",
    ("metrics-addr",): "metrics",
    ("live-restore",): "live_restore",
    ("default-ulimits", ANY): "ulimits",
    ("log-driver",): "container_logs",
    ("log-opts", "max-size"): "container_logs",
    ("log-opts", "max-file"): "container_logs",
    ("features", "cdi"): "gpus",
}


def check(spec: dict[str, Any]) -> None:
    _check_adapter(spec)
    for entry in spec["registries"]:
        _check_registry(entry)
    for runtime in spec["oci_runtimes"]:
        if runtime["name"] in HANDLERS:
            raise SpecError(f"oci_runtimes: {runtime['name']} is Docker's own; choose another name")


def configs(spec: dict[str, Any]) -> Iterator[Config]:
    entries = spec["registries"]
    insecure = [host for host, tls in registries.servers(entries) if tls["insecure"]]
    variables = {
        "mirrors": [mirror["url"] for entry in entries for mirror in entry["mirrors"]],
        "insecure": list(dict.fromkeys(insecure)),
    }

    def config(when: dict[str, Any], refusal: str | None) -> Config:
        return Config(
            "docker/daemon.json.j2",
            paths.DOCKER_CONFIG,
            formats.JSON,
            _MANAGED,
            when,
            variables,
            refusal,
            shared=not spec["exclusive"],
            merge_lists=daemon_json.merge_lists,
        )

    when = {}
    if spec["gpus"] == "cdi":
        yield config({"cdi": False}, "gpus can be cdi with Docker 25 or newer: update Docker")
        when["cdi"] = True
    if any(runtime["shim"] for runtime in spec["oci_runtimes"]):
        yield config(
            {"shims": False}, "oci_runtimes with a shim need Docker 23 or newer: update it"
        )
        when["shims"] = True
    yield config(when, None)


def unit_files(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """What cri-dockerd is told: it has no file of its own, only flags and the socket's unit."""
    if not wants_adapter(spec):
        return []
    units = ["cri-docker.service", *(["cri-docker.socket"] if spec["socket"] else [])]
    variables = dict(spec, bin_dirs=spec["cni"]["bin_dirs"] or cni.BIN_DIRS)
    return [
        files.file(
            f"/etc/systemd/system/{unit}.d/50-cruntime.conf",
            formats.text(f"systemd/{unit}.conf.j2", variables),
            restart=True,
            unit=unit,
        )
        for unit in units
    ]


def registry_files(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return registries.certificate_links(_CERTS_DIR, entries)


def _check_adapter(spec: dict[str, Any]) -> None:
    given = {**spec["cni"], "network_plugin": spec["network_plugin"], "socket": spec["socket"]}
    if wants_adapter(spec):
        for path in given["bin_dirs"]:
            if "," in path:
                raise SpecError(
                    f"cni.bin_dirs: cri-dockerd takes {path!r} for two directories, at its comma"
                )
        return
    for option, value in given.items():
        if value:
            raise SpecError(
                f"{'cni.' if option in spec['cni'] else ''}{option} can't be met with runtime "
                "docker alone: it is cri-dockerd's, so set cri_service, or kubernetes_version "
                "to 1.24 or newer"
            )


def _check_registry(entry: dict[str, Any]) -> None:
    registry = entry["registry"]
    if entry["username"] is not None:
        raise SpecError(
            f"registries: {registry} can't have a username with Docker, whose clients bring their "
            "own: log in by docker login, or give pods imagePullSecrets"
        )
    if entry["rewrite"] is not None:
        raise SpecError(
            f"registries: {registry} can't have a rewrite with Docker, which asks for images by "
            "their own names"
        )
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
