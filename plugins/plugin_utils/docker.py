# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of Docker and cri-dockerd."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni, daemon_json
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import wants_adapter
from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_CERTS
from ansible_collections.cruntime.node.plugins.plugin_utils import formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import split_url
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import (
    AtLeast,
    File,
    Refusal,
    Rendering,
    Spec,
)

_HANDLERS = ("runc",)


def _find_refusals(spec: Spec) -> Iterator[Refusal]:
    yield from _refuse_without_adapter(spec)
    if spec["pinned_images"]:
        yield Refusal(
            "pinned_images",
            "pinned_images can't be met with runtime docker: cri-dockerd pins no image but its "
            "own sandbox image",
        )
    for entry in spec["registries"]:
        yield from (Refusal("registries", text) for text in _refuse_registry(entry))
    yield from registries.refuse_certificates(spec["registries"])
    for runtime in spec["oci_runtimes"]:
        if runtime["name"] in _HANDLERS:
            yield Refusal(
                "oci_runtimes",
                f"oci_runtimes: {runtime['name']} is Docker's own; choose another name",
            )
    if spec["gpus"] == "cdi":
        message = "gpus can be cdi with Docker 25 or newer: update Docker"
        yield Refusal("gpus", message, before="25.0.0")
    if any(runtime["shim"] for runtime in spec["oci_runtimes"]):
        message = "oci_runtimes with a shim need Docker 23 or newer: update it"
        yield Refusal("oci_runtimes", message, before="23.0.0")


def _refuse_without_adapter(spec: Spec) -> Iterator[Refusal]:
    """Yield the options of cri-dockerd that the spec sets without cri-dockerd."""
    given = {**spec["cni"], "network_plugin": spec["network_plugin"], "socket": spec["socket"]}
    if wants_adapter(spec):
        for path in given["bin_dirs"]:
            if "," in path:
                yield Refusal(
                    "cni.bin_dirs",
                    f"cni.bin_dirs: cri-dockerd takes {path!r} for two directories, at its comma",
                )
        return
    for name, value in given.items():
        if value:
            option = f"{'cni.' if name in spec['cni'] else ''}{name}"
            yield Refusal(
                option,
                f"{option} can't be met with runtime docker alone: it is cri-dockerd's, so set "
                "cri_service, or kubernetes_version to 1.24 or newer",
            )


def _refuse_registry(entry: dict[str, Any]) -> Iterator[str]:
    registry = entry["registry"]
    if entry["username"] is not None:
        yield (
            f"registries: {registry} can't have a username with Docker, whose clients bring their "
            "own: log in by docker login, or give pods imagePullSecrets"
        )
    if entry["rewrite"] is not None:
        yield (
            f"registries: {registry} can't have a rewrite with Docker, which asks for images by "
            "their own names"
        )
    if registry != registries.DOCKER_HUB:
        if entry["mirrors"]:
            shown = "all registries" if registry == registries.DEFAULT else registry
            yield (
                f"registries: {shown} can't have mirrors with Docker, which has them for "
                "docker.io only"
            )
        return
    if entry["insecure"] or entry["ca_file"] or entry["client_cert_file"]:
        yield (
            "registries: docker.io itself can't be insecure or have certificates with Docker, "
            "only its mirrors can"
        )
    for mirror in entry["mirrors"]:
        yield from _refuse_mirror(mirror)


def _refuse_mirror(mirror: dict[str, Any]) -> Iterator[str]:
    url = mirror["url"]
    if set(mirror["capabilities"]) != registries.PULLS:
        yield (
            f"registries: Docker pulls and resolves from its mirrors; the mirror {url} can't "
            "have other capabilities"
        )
    if mirror["headers"]:
        yield f"registries: Docker sends no headers of one's own to the mirror {url}"
    if mirror["override_path"] or split_url(url)[2]:
        yield (
            f"registries: Docker asks a mirror nowhere but under /v2; the mirror {url} can't "
            "have a path"
        )


def _find_variables(spec: Spec, at_least: AtLeast) -> Spec:
    entries = spec["registries"]
    insecure = [host for host, tls in registries.servers(entries) if tls["insecure"]]
    return {
        "mirrors": [mirror["url"] for entry in entries for mirror in entry["mirrors"]],
        "insecure": list(dict.fromkeys(insecure)),
    }


def _find_files(spec: Spec) -> Iterator[File]:
    yield from registries.link_certificates(DOCKER_CERTS, spec["registries"])
    if wants_adapter(spec):
        # cri-dockerd has no configuration file, only flags and the unit of its socket.
        variables = dict(spec, bin_dirs=spec["cni"]["bin_dirs"] or cni.BIN_DIRS)
        for unit in DOCKER.adapters:
            if unit.endswith(".service") or spec["socket"]:
                drop_in = f"/etc/systemd/system/{unit}.d/50-cruntime.conf"
                yield File(drop_in, f"systemd/{unit}.conf.j2", variables, unit=unit)


RENDERING = Rendering(
    identity=DOCKER,
    template="docker/daemon.json.j2",
    format=formats.JSON,
    handlers=_HANDLERS,
    find_variables=_find_variables,
    find_files=_find_files,
    find_refusals=_find_refusals,
    merge_lists=daemon_json.merge_lists,
    is_shared=lambda spec: not spec["exclusive"],
)
