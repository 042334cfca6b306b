# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's files."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import paths
from ansible_collections.cruntime.node.plugins.module_utils.oci_runtimes import RUNC_SHIM
from ansible_collections.cruntime.node.plugins.plugin_utils import cri, files, formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import ANY
from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

SOCKET = paths.CONTAINERD_SOCKET
UNIT = "containerd.service"
#: Handlers that are there without being named in oci_runtimes.
HANDLERS = ("runc",)
UNSUPPORTED = {"ulimits": "it takes them from a base OCI spec, base_runtime_spec in extra_config"}

_CERTS_DIR = "/etc/containerd/certs.d"

_TOP: dict[tuple[object, ...], str] = {
    ("version",): "the version of containerd on the node",
    ("imports",): "the drop-ins in /etc/containerd/conf.d",
    ("root",): "storage.root",
    ("grpc", "address"): "socket",
    ("metrics", "address"): "metrics",
    ("debug", "level"): "log_level",
}


def _handlers(plugin: tuple[object, ...]) -> dict[tuple[object, ...], str]:
    handler = (*plugin, "containerd", "runtimes", ANY)
    return {
        (*plugin, "containerd", "default_runtime_name"): "oci_runtime",
        (*handler, "options", "SystemdCgroup"): "cgroup_driver",
        (*handler, "options", "BinaryName"): "oci_runtimes",
        (*handler, "runtime_type"): "oci_runtimes",
        (*handler, "runtime_path"): "oci_runtimes",
    }


def _rootless(plugin: tuple[object, ...]) -> dict[tuple[object, ...], str]:
    return {(*plugin, key): "rootless" for key in ("restrict_oom_score_adj", "disable_apparmor")}


_V2 = ("plugins", "io.containerd.grpc.v1.cri")
_MANAGED_V2: dict[tuple[object, ...], str] = {
    **_TOP,
    **_handlers(_V2),
    (*_V2, "sandbox_image"): "sandbox_image",
    (*_V2, "enable_cdi"): "gpus",
    **_rootless(_V2),
    (*_V2, "registry"): "registries",
    (*_V2, "cni", "bin_dir"): "cni.bin_dirs",
    (*_V2, "cni", "conf_dir"): "cni.conf_dir",
    (*_V2, "containerd", "snapshotter"): "storage.driver",
}

_V3 = ("plugins", "io.containerd.cri.v1.runtime")
_IMAGES_V3 = ("plugins", "io.containerd.cri.v1.images")
_MANAGED_V3: dict[tuple[object, ...], str] = {
    **_TOP,
    **_handlers(_V3),
    (*_IMAGES_V3, "pinned_images", "sandbox"): "sandbox_image",
    (*_IMAGES_V3, "pinned_images", ANY): "pinned_images",
    (*_IMAGES_V3, "registry"): "registries",
    (*_IMAGES_V3, "snapshotter"): "storage.driver",
    ("plugins", "io.containerd.transfer.v1.local", "unpack_config"): "storage.driver",
    **_rootless(_V3),
    (*_V3, "cni", "bin_dirs"): "cni.bin_dirs",
    (*_V3, "cni", "bin_dir"): "cni.bin_dirs",
    (*_V3, "cni", "conf_dir"): "cni.conf_dir",
}


def check(spec: dict[str, Any]) -> None:
    cri.check(spec)
    for entry in spec["registries"]:
        if entry["rewrite"] is not None:
            raise SpecError(
                f"registries: {entry['registry']} can't have a rewrite with containerd; give it a "
                "mirror whose url has a path, with override_path"
            )


def configs(spec: dict[str, Any]) -> Iterator[Config]:
    """1.x reads configuration version 2, and 2.x version 3; several bin_dirs came with 2.1."""
    credentials = [
        # As the requests name it.
        dict(entry, host=_host(entry["registry"]))
        for entry in registries.with_credentials(spec["registries"])
    ]
    variables = {
        "handlers": _all_handlers(spec["oci_runtimes"]),
        "certs_dir": _CERTS_DIR if spec["registries"] else None,
        "pinned_images": cri.pinned_images(spec),
        "credentials": credentials,
    }

    def config(
        source: str,
        managed: dict[tuple[object, ...], str],
        when: dict[str, Any],
        refusal: str | None,
    ) -> Config:
        return Config(
            source,
            paths.CONTAINERD_CONFIG,
            formats.TOML,
            managed,
            when,
            variables,
            refusal,
            secret=bool(credentials),
        )

    bin_dirs = spec["cni"]["bin_dirs"]
    one_bin_dir = _refused_bin_dirs(bin_dirs)
    source = "containerd/config-v2.toml.j2"
    when = {"config_version": 2}
    if spec["gpus"] == "cdi":
        no_cdi = "gpus can be cdi with containerd 1.7 or newer: update containerd"
        yield config(source, _MANAGED_V2, dict(when, cdi=False), no_cdi)
        when["cdi"] = True
    yield config(source, _MANAGED_V2, when, one_bin_dir or _refused_pins(spec["pinned_images"]))
    source = "containerd/config-v3.toml.j2"
    when = {"config_version": 3}
    if bin_dirs:
        yield config(source, _MANAGED_V3, dict(when, cni_bin_dirs=True), None)
        yield config(source, _MANAGED_V3, dict(when, cni_bin_dirs=False), one_bin_dir)
    else:
        yield config(source, _MANAGED_V3, when, None)


def unit_files(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return []


def registry_files(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each registry's hosts.toml, which containerd reads at every pull."""
    return [
        files.toml_file(
            f"{_CERTS_DIR}/{entry['registry']}/hosts.toml",
            "containerd/hosts.toml.j2",
            _hosts(entry),
            restart=False,
            # A header may hold a token.
            **({"secret": True} if any(mirror["headers"] for mirror in entry["mirrors"]) else {}),
        )
        for entry in entries
    ]


def _refused_bin_dirs(bin_dirs: list[str]) -> str | None:
    if len(bin_dirs) < 2:
        return None
    return (
        f"cni.bin_dirs names {len(bin_dirs)} directories, but containerd before 2.1 knows "
        "one: name one, or update containerd"
    )


def _refused_pins(images: list[str]) -> str | None:
    if not images:
        return None
    return (
        "pinned_images needs containerd 2.0 or newer: label the images on the node, or "
        "update containerd"
    )


def _all_handlers(oci_runtimes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = {runtime["name"]: runtime for runtime in oci_runtimes}
    handlers = {**{name: {"name": name, "path": None, "shim": None} for name in HANDLERS}, **named}
    return [dict(handler, shim=handler["shim"] or RUNC_SHIM) for handler in handlers.values()]


def _hosts(entry: dict[str, Any]) -> dict[str, Any]:
    """Say which servers are asked, in this order, and with C(server) the last.

    An insecure registry is asked over TLS that is not verified, and if it speaks none, over plain
    HTTP, which is what Docker and CRI-O do. There must be one host: 1.x reads no file without.
    """
    if entry["registry"] == registries.DEFAULT:
        return {"server": None, "own": entry, "hosts": entry["mirrors"]}
    host = _host(entry["registry"])
    itself = dict(
        entry,
        url=f"https://{host}",
        capabilities=["pull", "resolve", "push"],
        override_path=False,
        headers={},
    )
    hosts = {mirror["url"]: mirror for mirror in entry["mirrors"]}
    if entry["insecure"] or not hosts:
        hosts.setdefault(itself["url"], itself)
    return {
        "server": f"{'http' if entry['insecure'] else 'https'}://{host}",
        "own": None if entry["insecure"] else entry,
        "hosts": list(hosts.values()),
    }


def _host(registry: str) -> str:
    """Name the server that a registry is."""
    return "registry-1.docker.io" if registry == registries.DOCKER_HUB else registry
