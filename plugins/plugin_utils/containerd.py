# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's files."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni, paths
from ansible_collections.cruntime.node.plugins.module_utils.oci_runtimes import RUNC_SHIM
from ansible_collections.cruntime.node.plugins.module_utils.rendered import marker
from ansible_collections.cruntime.node.plugins.plugin_utils import cri, files, formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import ANY, look_up
from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

SOCKET = paths.CONTAINERD_SOCKET
UNIT = "containerd.service"
#: Handlers that are there without being named in oci_runtimes.
HANDLERS = ("runc",)
UNSUPPORTED = {"ulimits": "it takes them from a base OCI spec, base_runtime_spec in extra_config"}

_BIN_DIR = marker(cni.BIN_DIR_FACT)

_TOP: dict[tuple[object, ...], str] = {
    ("version",): "the version of containerd on the node",
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
    (*_IMAGES_V3, "snapshotter"): "storage.driver",
    ("plugins", "io.containerd.transfer.v1.local", "unpack_config"): "storage.driver",
    **_rootless(_V3),
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
    wanted_dirs = spec["cni"]["bin_dirs"]
    one_bin_dir = _refused_bin_dirs(wanted_dirs)
    when = {"config_version": 2}
    if spec["gpus"] == "cdi":
        no_cdi = "gpus can be cdi with containerd 1.7 or newer: update containerd"
        yield _config(spec, 2, dict(when, cdi=False), refusal=no_cdi)
        when["cdi"] = True
    refusal = one_bin_dir or _refused_pins(spec["pinned_images"])
    yield _config(spec, 2, when, _one_bin_dir(spec, 2), refusal)
    several = wanted_dirs or _unless_extra(spec, 3, list(cni.BIN_DIRS))
    if several:
        yield _config(spec, 3, {"config_version": 3, "cni_bin_dirs": True}, several)
        when = {"config_version": 3, "cni_bin_dirs": False}
        yield _config(spec, 3, when, _one_bin_dir(spec, 3), one_bin_dir)
    else:
        yield _config(spec, 3, {"config_version": 3}, [])


def _config(
    spec: dict[str, Any],
    version: int,
    when: dict[str, Any],
    bin_dirs: list[str] | None = None,
    refusal: str | None = None,
) -> Config:
    """Return the configuration of one version.

    :param bin_dirs: directories of CNI plugins; empty if extra_config sets them.
    """
    registry = (*(_V2 if version == 2 else _IMAGES_V3), "registry")
    cni_table = (*(_V2 if version == 2 else _V3), "cni")
    managed = dict(_MANAGED_V2 if version == 2 else _MANAGED_V3)
    # extra_config can replace values that the collection adds, but not values of options.
    if spec["registries"]:
        managed[registry] = "registries"
    if spec["cni"]["bin_dirs"]:
        managed.update({(*cni_table, key): "cni.bin_dirs" for key in ("bin_dir", "bin_dirs")})
    excludes = not spec["registries"] and _excludes_certs(look_up(spec["extra_config"], registry))
    credentials = [
        # As the requests name it.
        dict(entry, host=_host(entry["registry"]))
        for entry in registries.with_credentials(spec["registries"])
    ]
    variables = {
        "handlers": _all_handlers(spec["oci_runtimes"]),
        "certs_dir": None if excludes else paths.CONTAINERD_CERTS,
        "pinned_images": cri.pinned_images(spec),
        "credentials": credentials,
        "bin_dirs": bin_dirs,
    }
    return Config(
        f"containerd/config-v{version}.toml.j2",
        paths.CONTAINERD_CONFIG,
        formats.TOML,
        managed,
        when,
        variables,
        refusal,
        merge_lists=_append_imports,
        facts=(cni.BIN_DIR_FACT,) if bin_dirs == [_BIN_DIR] else (),
        secret=bool(credentials),
    )


def _append_imports(path: tuple[Any, ...], decided: Any, value: Any) -> list[Any] | None:
    """Return our imports with the imports of extra_config added; None for any other list.

    :raises SpecError: if the value in extra_config is not a list.
    """
    if path != ("imports",):
        return None
    if not isinstance(value, list):
        raise SpecError("extra_config: imports must be a list")
    return [*decided, *(item for item in value if item not in decided)]


def _one_bin_dir(spec: dict[str, Any], version: int) -> list[str]:
    return spec["cni"]["bin_dirs"] or _unless_extra(spec, version, [_BIN_DIR])


def _unless_extra(spec: dict[str, Any], version: int, bin_dirs: list[str]) -> list[str]:
    """Return directories of CNI plugins, empty if extra_config sets others."""
    table = look_up(spec["extra_config"], (*(_V2 if version == 2 else _V3), "cni"))
    named = isinstance(table, dict) and not {"bin_dir", "bin_dirs"}.isdisjoint(table)
    return [] if named else bin_dirs


def _excludes_certs(registry: Any) -> bool:
    """Return whether a table has a config_path, or keys that containerd refuses next to one."""
    if not isinstance(registry, dict):
        return False
    configs = registry.get("configs")
    hosts = configs.values() if isinstance(configs, dict) else ()
    has_tls = any(isinstance(host, dict) and "tls" in host for host in hosts)
    return has_tls or not {"config_path", "mirrors"}.isdisjoint(registry)


def unit_files(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return []


def registry_files(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each registry's hosts.toml, which containerd reads at every pull."""
    return [file for entry in entries for file in _hosts_files(entry)]


def _hosts_files(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    hosts = _hosts(entry)
    # No spelling of an IPv6 host is read by both containerd 1.x and 2.x.
    differ = any("]" in host["url"] for host in hosts["hosts"])
    for version in (2, 3) if differ else (3,):
        yield files.toml_file(
            f"{paths.CONTAINERD_CERTS}/{entry['registry']}/hosts.toml",
            "containerd/hosts.toml.j2",
            dict(hosts, dotted=version == 2),
            restart=False,
            **({"when": {"config_version": version}} if differ else {}),
            # A header may hold a token.
            **({"secret": True} if any(mirror["headers"] for mirror in entry["mirrors"]) else {}),
        )


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
