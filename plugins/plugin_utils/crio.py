# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O's files."""

from __future__ import annotations

import base64
import posixpath
import re
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni, paths
from ansible_collections.cruntime.node.plugins.module_utils.rendered import marker
from ansible_collections.cruntime.node.plugins.plugin_utils import cri, files, formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import ANY, look_up
from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import (
    SpecError,
    split_port,
    split_url,
)

SOCKET = paths.CRIO_SOCKET
UNIT = "crio.service"
#: Handlers that are there without being named in oci_runtimes.
HANDLERS = ("crun", "runc")
UNSUPPORTED: dict[str, str] = {}

# The rule of its runtime_type "vm", which is how it drives any shim.
_SHIM = re.compile("containerd-shim-[a-zA-Z0-9+-]+-v[0-9]+", re.ASCII)
_CERTS_DIR = "/etc/containers/certs.d"
_AUTH_PATH = "/etc/crio/cruntime-auth.json"

_PLUGIN_DIRS = ("crio", "network", "plugin_dirs")
# On the node, the marker is replaced, or the line is removed.
_FOUND_BIN_DIRS = [cni.BIN_DIRS[0], marker(cni.BIN_DIR_FACT)]

_MANAGED: dict[tuple[object, ...], str] = {
    ("crio", "root"): "storage.root",
    ("crio", "storage_driver"): "storage.driver",
    ("crio", "api", "listen"): "socket",
    ("crio", "runtime", "cgroup_manager"): "cgroup_driver",
    ("crio", "runtime", "conmon_cgroup"): "cgroup_driver",
    ("crio", "runtime", "default_runtime"): "oci_runtime",
    ("crio", "runtime", "runtimes", ANY, "monitor_cgroup"): "cgroup_driver",
    ("crio", "runtime", "runtimes", ANY, "runtime_path"): "oci_runtimes",
    ("crio", "runtime", "runtimes", ANY, "runtime_type"): "oci_runtimes",
    ("crio", "runtime", "runtimes", ANY, "runtime_root"): "oci_runtimes",
    ("crio", "runtime", "log_level"): "log_level",
    ("crio", "runtime", "default_ulimits"): "ulimits",
    ("crio", "image", "pause_image"): "sandbox_image",
    ("crio", "image", "pinned_images"): "pinned_images",
    ("crio", "image", "global_auth_file"): "registries",
    ("crio", "network", "network_dir"): "cni.conf_dir",
    ("crio", "metrics", "enable_metrics"): "metrics",
    ("crio", "metrics", "metrics_host"): "metrics",
    ("crio", "metrics", "metrics_port"): "metrics",
}


def check(spec: dict[str, Any]) -> None:
    cri.check(spec)
    for runtime in spec["oci_runtimes"]:
        if runtime["shim"] and not _SHIM.fullmatch(posixpath.basename(runtime["path"])):
            raise SpecError(
                f"oci_runtimes: {runtime['name']} has a shim, and CRI-O takes no other than one "
                f"named containerd-shim-NAME-VERSION, not {runtime['path']}"
            )
    for entry in spec["registries"]:
        if entry["registry"] == registries.DEFAULT:
            raise SpecError("registries: CRI-O has no mirror for all registries; name each of them")
        for mirror in entry["mirrors"]:
            _check_mirror(mirror)


def configs(spec: dict[str, Any]) -> Iterator[Config]:
    host, port = split_port(spec["metrics"] or "")
    variables = {
        "pinned_images": cri.pinned_images(spec),
        "default_ulimits": [
            f"{name}={limit['soft']}:{limit['hard']}" for name, limit in spec["ulimits"].items()
        ],
        # CRI-O puts the brackets of an IPv6 address itself.
        "metrics_host": host.strip("[]"),
        "metrics_port": port,
        "auth_file": _AUTH_PATH if registries.with_credentials(spec["registries"]) else None,
        "bin_dirs": _bin_dirs(spec),
    }
    managed = dict(_MANAGED)
    if spec["cni"]["bin_dirs"]:
        managed[_PLUGIN_DIRS] = "cni.bin_dirs"
    # A handler has no monitor but the one that it names, or one on the PATH.
    nodes = [{"own_conmon": own} for own in (False, True)] if spec["oci_runtimes"] else [{}]
    for when in nodes:
        yield Config(
            "crio/50-cruntime.conf.j2",
            paths.CRIO_CONFIG,
            formats.TOML,
            managed,
            when,
            variables,
            facts=(cni.BIN_DIR_FACT,) if variables["bin_dirs"] == _FOUND_BIN_DIRS else (),
        )


def _bin_dirs(spec: dict[str, Any]) -> list[str]:
    """Return the directories of CNI plugins, empty if extra_config sets others.

    They are not all known directories: CRI-O creates missing directories, and does not start if
    it can't, for example on a read-only /usr.
    """
    if look_up(spec["extra_config"], _PLUGIN_DIRS) is not None:
        return []
    named: list[str] = spec["cni"]["bin_dirs"]
    return named or _FOUND_BIN_DIRS


def unit_files(spec: dict[str, Any]) -> list[dict[str, Any]]:
    if not spec["rootless"]:
        return []
    path = "/etc/systemd/system/crio.service.d/50-cruntime-rootless.conf"
    return [files.file(path, formats.text("systemd/crio-rootless.conf.j2", {}), restart=True)]


def registry_files(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not entries:
        return []
    conf = files.toml_file(
        paths.CRIO_REGISTRIES,
        "crio/registries.conf.j2",
        {"registries": [_registry(entry) for entry in entries]},
        # CRI-O keeps what it has read in memory; the node half knows that a reload is enough.
        restart=True,
    )
    links = registries.certificate_links(_CERTS_DIR, entries)
    return [conf, *links, *_auth_file(registries.with_credentials(entries))]


def _registry(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "prefix": entry["registry"],
        "location": entry["rewrite"] or entry["registry"],
        "insecure": entry["insecure"],
        "mirrors": [
            {
                "location": _location(mirror["url"]),
                "insecure": mirror["insecure"] or mirror["url"].startswith("http://"),
                "digest_only": "resolve" not in mirror["capabilities"],
            }
            for mirror in entry["mirrors"]
        ],
    }


def _auth_file(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not entries:
        return []
    content = formats.text("crio/auth.json.j2", {"registries": [_auth(entry) for entry in entries]})
    formats.JSON.prove(content)
    # CRI-O reads it at each pull.
    return [files.file(_AUTH_PATH, content, restart=False, secret=True)]


def _auth(entry: dict[str, Any]) -> dict[str, Any]:
    pair = f"{entry['username']}:{entry['password']}"
    return {"host": registries.server(entry), "auth": base64.b64encode(pair.encode()).decode()}


def _location(url: str) -> str:
    """Turn https://host/v2/path, where a mirror's API is, into host/path, where CRI-O asks it."""
    _scheme, host, path = split_url(url)
    return host + path[len("/v2") :]


def _check_mirror(mirror: dict[str, Any]) -> None:
    url = mirror["url"]
    if mirror["headers"]:
        raise SpecError(f"registries: CRI-O sends no headers of one's own to the mirror {url}")
    if not {"pull"} <= set(mirror["capabilities"]) <= registries.PULLS:
        raise SpecError(
            f"registries: with CRI-O the capabilities of the mirror {url} must be pull, or pull "
            "and resolve"
        )
    path = split_url(url)[2]
    if mirror["override_path"]:
        if path != "/v2" and not path.startswith("/v2/"):
            raise SpecError(
                f"registries: CRI-O asks a mirror nowhere but under /v2, so that it can't "
                f"override_path with {url}"
            )
    elif path:
        raise SpecError(
            f"registries: CRI-O asks a mirror nowhere but under /v2, so that the path in {url} "
            "must begin with /v2, with override_path set"
        )
