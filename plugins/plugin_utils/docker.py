# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of Docker and cri-dockerd."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni, daemon_json
from ansible_collections.cruntime.node.plugins.module_utils.docker_storage import (
    FEATURE,
    GRAPH_DRIVERS,
    STORE_FACT,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import (
    DOCKER,
    INSECURE_NETWORKS,
)
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import needs_adapter
from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_CERTS
from ansible_collections.cruntime.node.plugins.plugin_utils import formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import split_url
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import (
    AtLeast,
    File,
    Refusal,
    Rendering,
    Spec,
    refuse_base_specs,
)

_HANDLERS = ("runc",)
# First version whose containerd image store reads hosts.toml.
_HOSTS_SINCE = "28.0.0"


def _find_refusals(spec: Spec) -> Iterator[Refusal]:
    yield from refuse_base_specs(spec)
    yield from _refuse_without_adapter(spec)
    if spec["pinned_images"]:
        yield Refusal(
            "pinned_images",
            "pinned_images is not supported with runtime docker: cri-dockerd pins only its sandbox "
            "image",
        )
    for entry in spec["registries"]:
        yield from (Refusal("registries", text) for text in _refuse_registry(entry))
        for text in _list_needs_of_store(entry):
            yield _refuse_without_store(spec, text)
    yield from registries.refuse_certificates(spec["registries"])
    for runtime in spec["oci_runtimes"]:
        if runtime["name"] in _HANDLERS:
            yield Refusal(
                "oci_runtimes",
                f"oci_runtimes: {runtime['name']} is a built-in name of Docker. Set another name",
            )
    for option in ("unprivileged_ports", "unprivileged_icmp"):
        if not spec[option]:
            yield Refusal(
                option,
                f"{option}=false is not supported with runtime docker, which always allows it. "
                "Remove the option",
            )
    if spec["gpus"] == "cdi":
        message = "gpus=cdi requires Docker 25 or newer. Update Docker"
        yield Refusal("gpus", message, before="25.0.0")
    if any(runtime["shim"] for runtime in spec["oci_runtimes"]):
        message = "oci_runtimes with a shim requires Docker 23 or newer. Update Docker"
        yield Refusal("oci_runtimes", message, before="23.0.0")


def _refuse_without_adapter(spec: Spec) -> Iterator[Refusal]:
    """Yield a refusal for each option of cri-dockerd that is set without cri-dockerd."""
    given = {**spec["cni"], "network_plugin": spec["network_plugin"], "socket": spec["socket"]}
    if needs_adapter(spec):
        for path in given["bin_dirs"]:
            if "," in path:
                yield Refusal(
                    "cni.bin_dirs",
                    f"cni.bin_dirs: {path!r} must not contain a comma, which separates directories "
                    "in cri-dockerd",
                )
        return
    for name, value in given.items():
        if value:
            option = f"{'cni.' if name in spec['cni'] else ''}{name}"
            yield Refusal(
                option,
                f"{option} is not supported with runtime docker without cri-dockerd. Set "
                "cri_service: true, or set kubernetes_version to 1.24 or newer",
            )


def _refuse_registry(entry: dict[str, Any]) -> Iterator[str]:
    registry = entry["registry"]
    if entry["username"] is not None:
        yield (
            f"registries: {registry}: username is not supported with runtime docker, because its "
            "clients send their own credentials. Use docker login, or imagePullSecrets of pods"
        )
    if entry["rewrite"] is not None:
        yield (
            f"registries: {registry}: rewrite is not supported with runtime docker. Use the full "
            "name of the image"
        )
    has_tls = entry["insecure"] or entry["ca_file"] or entry["client_cert_file"]
    if registry == registries.DOCKER_HUB and has_tls:
        yield (
            "registries: docker.io: insecure and certificates are not supported with runtime "
            "docker. Set them for a mirror"
        )


def _list_needs_of_store(entry: dict[str, Any]) -> Iterator[str]:
    """Yield what only Docker's containerd image store supports, as the subject of a sentence."""
    registry = entry["registry"]
    if registry == registries.DOCKER_HUB:
        for mirror in entry["mirrors"]:
            yield from _list_needs_of_mirror(mirror)
    elif entry["mirrors"]:
        is_default = registry == registries.DEFAULT
        yield "mirrors of all registries" if is_default else f"{registry}: mirrors"


def _list_needs_of_mirror(mirror: dict[str, Any]) -> Iterator[str]:
    url = mirror["url"]
    if set(mirror["capabilities"]) != registries.PULLS:
        yield f"docker.io: capabilities other than pull and resolve (mirror {url})"
    if mirror["headers"]:
        yield f"docker.io: custom headers (mirror {url})"
    if mirror["override_path"] or split_url(url)[2]:
        yield f"docker.io: paths in the URL of a mirror ({url})"


def _refuse_without_store(spec: Spec, subject: str) -> Refusal:
    message = (
        f"registries: {subject} are supported only with the containerd image store of Docker 28 or "
        f"newer. Update an older Docker, and set features.{FEATURE} to true in extra_config"
    )
    in_containerd = _chooses_containerd(spec)
    if in_containerd is False:
        return Refusal("registries", message)
    without = STORE_FACT if in_containerd is None else ""
    return Refusal("registries", message, before=_HOSTS_SINCE, without=without)


def _chooses_containerd(spec: Spec) -> bool | None:
    """Return whether the spec chooses the containerd image store, None if the node chooses."""
    extra = spec["extra_config"]
    features = extra.get("features")
    feature = features.get(FEATURE) if isinstance(features, dict) else None
    if isinstance(feature, bool):
        return feature
    driver = spec["storage"]["driver"] or str(extra.get("storage-driver"))
    return False if driver in GRAPH_DRIVERS else None


def _find_variables(spec: Spec, at_least: AtLeast) -> Spec:
    # The containerd image store has all mirrors in hosts.toml.
    entries = [dict(entry, mirrors=_list_classic_mirrors(entry)) for entry in spec["registries"]]
    insecure = [host for host, tls in registries.servers(entries) if tls["insecure"]]
    if insecure and at_least("29.10.0") and "insecure-registries" not in spec["extra_config"]:
        # A list replaces the default of these versions, which is the loopback networks.
        insecure += INSECURE_NETWORKS
    return {
        "mirrors": [mirror["url"] for entry in entries for mirror in entry["mirrors"]],
        "insecure": list(dict.fromkeys(insecure)),
    }


def _list_classic_mirrors(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the mirrors that daemon.json supports, in any image store."""
    if entry["registry"] != registries.DOCKER_HUB:
        return []
    return [mirror for mirror in entry["mirrors"] if not any(_list_needs_of_mirror(mirror))]


def _find_files(spec: Spec) -> Iterator[File]:
    # Docker's own image store reads the links, and the containerd image store reads hosts.toml.
    yield from registries.link_certificates(DOCKER_CERTS, spec["registries"])
    for entry in spec["registries"]:
        hosts = registries.find_hosts(entry)
        yield registries.place_hosts(DOCKER_CERTS, entry, hosts, since=_HOSTS_SINCE)
    if needs_adapter(spec):
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
