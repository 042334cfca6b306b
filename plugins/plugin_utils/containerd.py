# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of containerd."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni
from ansible_collections.cruntime.node.plugins.module_utils.effective import verifiers
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import normalize
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.oci_runtimes import RUNC_SHIM
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_CERTS,
    CONTAINERD_DROP_INS,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import (
    OCI_SPEC_FACT,
    marker,
)
from ansible_collections.cruntime.node.plugins.plugin_utils import cri, formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import (
    leaves,
    look_up,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import (
    AtLeast,
    File,
    Path,
    Refusal,
    Rendering,
    Spec,
)

_HANDLERS = ("runc",)
_BASE_SPEC = "/etc/containerd/cruntime-spec-{}.json"
# 1.x has one plugin for the tables that two plugins of 2.x have.
_CRI = ("plugins", "io.containerd.grpc.v1.cri")
_RUNTIME = ("plugins", "io.containerd.cri.v1.runtime")
_IMAGES = ("plugins", "io.containerd.cri.v1.images")
_TRANSFER = "io.containerd.transfer.v1.local"
_DOWNLOADS = "max_concurrent_downloads"
# Lists to which extra_config adds entries, because the rendered entries must stay.
_EXTENDED = (("imports",), ("required_plugins",))


def _find_refusals(spec: Spec) -> Iterator[Refusal]:
    yield from cri.find_refusals(spec)
    for entry in spec["registries"]:
        if entry["rewrite"] is not None:
            yield Refusal(
                "registries",
                f"registries: {entry['registry']}: rewrite is not supported with runtime "
                "containerd. Use a mirror with a path in its url and override_path",
            )
    if spec["gpus"] == "cdi":
        message = "gpus=cdi requires containerd 1.7 or newer. Update containerd"
        yield Refusal("gpus", message, before="1.7.0")
    if spec["pinned_images"]:
        yield Refusal(
            "pinned_images",
            "pinned_images requires containerd 2.0 or newer. Update containerd, or pin the images "
            "with cruntime_image",
            before="2.0.0",
        )
    if len(spec["cni"]["bin_dirs"]) > 1:
        yield Refusal(
            "cni.bin_dirs",
            f"cni.bin_dirs has {len(spec['cni']['bin_dirs'])} directories, but containerd before "
            "2.1 supports only one. Set one directory, or update containerd",
            before="2.1.0",
        )


def _find_variables(spec: Spec, at_least: AtLeast) -> Spec:
    given, extra = spec["cni"]["bin_dirs"], spec["extra_config"]
    table = look_up(extra, (*(_RUNTIME if at_least("2.0.0") else _CRI), "cni"))
    excludes_bin_dirs = not given and _sets(table, {"bin_dir", "bin_dirs"})
    table = look_up(extra, (*(_IMAGES if at_least("2.0.0") else _CRI), "registry"))
    excludes_certs = not spec["registries"] and _excludes_certs(table)
    return {
        "drop_ins": [f"{directory}/*.toml" for directory in CONTAINERD_DROP_INS],
        "handlers": [
            dict(handler, base_spec=_place_base_spec(spec, handler))
            for handler in _find_handlers(spec["oci_runtimes"])
        ],
        "certs_dir": None if excludes_certs else CONTAINERD_CERTS,
        "pinned_images": cri.find_pinned_images(spec),
        "credentials": [
            # containerd looks up credentials by the host that it sends requests to.
            dict(entry, host=registries.find_host(entry["registry"]))
            for entry in registries.with_credentials(spec["registries"])
        ],
        "bin_dirs": [] if excludes_bin_dirs else given or list(cni.BIN_DIRS),
        # containerd before 2.1 supports one directory.
        "bin_dir": given[0] if given else marker(cni.BIN_DIR_FACT),
    }


def _sets(table: Any, keys: set[str]) -> bool:
    """Return whether a table of extra_config sets one of these keys."""
    return isinstance(table, dict) and not keys.isdisjoint(table)


def _excludes_certs(registry: Any) -> bool:
    """Return whether a table has a config_path, or keys that containerd rejects next to it."""
    configs = registry.get("configs") if isinstance(registry, dict) else None
    hosts = configs.values() if isinstance(configs, dict) else ()
    has_tls = any(_sets(host, {"tls"}) for host in hosts)
    return has_tls or _sets(registry, {"config_path", "mirrors"})


def _find_owned(spec: Spec) -> dict[Path, str]:
    # containerd rejects some combinations of keys in the table of the registries.
    tables = [(*_CRI, "registry"), (*_IMAGES, "registry")] if spec["registries"] else []
    return {
        ("version",): "the version of containerd on the node",
        **dict.fromkeys(tables, "registries"),
    }


def _place_extra(spec: Spec, at_least: AtLeast) -> Spec:
    """Return extra_config with the number of downloads where containerd reads it.

    From 2.1 on, the transfer service pulls images. With the key of the CRI, the CRI would pull them
    itself, without the image verifiers of the node.
    """
    extra: Spec = spec["extra_config"]
    images = look_up(extra, _IMAGES)
    if not (at_least("2.1.0") and _sets(images, {_DOWNLOADS})):
        return extra
    others = {normalize(path): value for path, value in leaves(extra) if path[-1] != _DOWNLOADS}
    if registries.with_credentials(spec["registries"]) or verifiers.find_local_pull(others):
        return extra
    plugins = dict(extra["plugins"])
    plugins[_IMAGES[-1]] = {key: value for key, value in images.items() if key != _DOWNLOADS}
    plugins = {name: table for name, table in plugins.items() if table}
    plugins[_TRANSFER] = {_DOWNLOADS: images[_DOWNLOADS], **plugins.get(_TRANSFER, {})}
    return {**extra, "plugins": plugins}


def _extend_list(path: Path, rendered: Any, value: Any) -> list[Any] | None:
    """Return a rendered list with the entries of extra_config added; None for other lists.

    :raises SpecError: if the value in extra_config is not a list.
    """
    if path not in _EXTENDED:
        return None
    if not isinstance(value, list):
        raise SpecError(f"extra_config: {path[0]} must be a list")
    return [*rendered, *(item for item in value if item not in rendered)]


def _find_handlers(oci_runtimes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    default: dict[str, dict[str, Any]] = {
        name: {"name": name, "path": None, "shim": None, "base_spec": {}} for name in _HANDLERS
    }
    handlers = {**default, **{runtime["name"]: runtime for runtime in oci_runtimes}}
    return [dict(handler, shim=handler["shim"] or RUNC_SHIM) for handler in handlers.values()]


def _place_base_spec(spec: Spec, handler: dict[str, Any]) -> str | None:
    """Return the path of the base OCI spec of a handler, None if it uses that of containerd."""
    return _BASE_SPEC.format(handler["name"]) if spec["ulimits"] or handler["base_spec"] else None


def _find_base_specs(spec: Spec) -> Iterator[File]:
    rlimits = [
        {"type": f"RLIMIT_{name.upper()}", **{side: _limit(limit[side]) for side in limit}}
        for name, limit in spec["ulimits"].items()
    ]
    for handler in _find_handlers(spec["oci_runtimes"]):
        path = _place_base_spec(spec, handler)
        if path:
            variables = {
                "base_spec": handler["base_spec"],
                "rlimits": rlimits,
                "has_nofile": "nofile" in spec["ulimits"],
            }
            template = "containerd/base-spec.json.j2"
            # containerd reads the file only when it starts, and does not start without it.
            yield File(path, template, variables, format=formats.JSON, onto=OCI_SPEC_FACT)


def _limit(value: Any) -> int:
    """Return a limit as the kernel represents it: no limit is the largest number."""
    return int(value) if int(value) >= 0 else 2**64 - 1


def _find_files(spec: Spec) -> Iterator[File]:
    yield from _find_base_specs(spec)
    for entry in spec["registries"]:
        yield registries.place_hosts(CONTAINERD_CERTS, entry, _find_hosts(entry))


def _find_hosts(entry: dict[str, Any]) -> Spec:
    """Return the servers of a registry in the order in which containerd tries them.

    For an insecure registry, containerd uses TLS without verification, or plain HTTP if the
    registry does not support TLS, like Docker and CRI-O do. The file must have a host, because 1.x
    ignores a file without a host.
    """
    found = registries.find_hosts(entry)
    if entry["registry"] != registries.DEFAULT:
        itself = dict(
            entry,
            url=f"https://{registries.find_host(entry['registry'])}",
            capabilities=["pull", "resolve", "push"],
            override_path=False,
            headers={},
        )
        by_url = {mirror["url"]: mirror for mirror in entry["mirrors"]}
        if entry["insecure"] or not by_url:
            by_url.setdefault(itself["url"], itself)
        own = None if entry["insecure"] else entry
        found = {**found, "own": own, "hosts": list(by_url.values())}
    # No spelling of an IPv6 host works with both containerd 1.x and 2.x.
    return {**found, "has_ipv6": any("]" in host["url"] for host in found["hosts"])}


RENDERING = Rendering(
    identity=CONTAINERD,
    template="containerd/config.toml.j2",
    format=formats.TOML,
    handlers=_HANDLERS,
    find_variables=_find_variables,
    find_files=_find_files,
    find_refusals=_find_refusals,
    find_owned=_find_owned,
    merge_lists=_extend_list,
    place_extra=_place_extra,
    is_secret=lambda spec: bool(registries.with_credentials(spec["registries"])),
)
