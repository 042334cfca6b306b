# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of CRI-O."""

from __future__ import annotations

import base64
import posixpath
import re
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import cni
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CRIO
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERS_CERTS,
    CRIO_REGISTRIES,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import marker
from ansible_collections.cruntime.node.plugins.plugin_utils import cri, formats, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import split_port, split_url
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import (
    AtLeast,
    File,
    Refusal,
    Rendering,
    Spec,
    refuse_base_specs,
)

# Names of shims that CRI-O accepts with the runtime_type "vm".
_SHIM = re.compile("containerd-shim-[a-zA-Z0-9+-]+-v[0-9]+", re.ASCII)
# Kernel parameters in the network of a pod. A pod in a user namespace has 65536 groups.
_SYSCTLS = {
    "unprivileged_ports": "net.ipv4.ip_unprivileged_port_start=0",
    "unprivileged_icmp": "net.ipv4.ping_group_range=0 65535",
}
_AUTH_PATH = "/etc/crio/cruntime-auth.json"
# Not all known directories are listed: CRI-O creates missing directories, and does not start if
# this fails, for example on a read-only /usr. On a node without other plugins, the line with the
# marker is removed.
_BIN_DIRS = [cni.BIN_DIRS[0], marker(cni.BIN_DIR_FACT)]


def _find_refusals(spec: Spec) -> Iterator[Refusal]:
    yield from refuse_base_specs(spec)
    yield from cri.find_refusals(spec)
    for runtime in spec["oci_runtimes"]:
        if runtime["shim"] and not _SHIM.fullmatch(posixpath.basename(runtime["path"])):
            yield Refusal(
                "oci_runtimes",
                f"oci_runtimes: {runtime['name']}: CRI-O requires a shim binary named "
                f"containerd-shim-NAME-VERSION, not {runtime['path']}",
            )
    for entry in spec["registries"]:
        if entry["registry"] == registries.DEFAULT:
            yield Refusal(
                "registries",
                "registries: CRI-O does not support a mirror for all registries. Add an entry for "
                "each registry",
            )
        for mirror in entry["mirrors"]:
            yield from (Refusal("registries", text) for text in _refuse_mirror(mirror))
    yield from registries.refuse_certificates(spec["registries"])


def _refuse_mirror(mirror: dict[str, Any]) -> Iterator[str]:
    url = mirror["url"]
    if mirror["headers"]:
        yield f"registries: CRI-O does not support custom headers (mirror {url})"
    if not {"pull"} <= set(mirror["capabilities"]) <= registries.PULLS:
        yield (
            f"registries: with CRI-O, the capabilities of the mirror {url} must be pull, or pull "
            "and resolve"
        )
    path = split_url(url)[2]
    if mirror["override_path"]:
        if path != "/v2" and not path.startswith("/v2/"):
            yield (
                "registries: with CRI-O, override_path requires a URL path that starts with /v2, "
                f"not {url}"
            )
    elif path:
        yield (
            f"registries: with CRI-O, the path in {url} must start with /v2 and override_path "
            "must be set"
        )


def _find_variables(spec: Spec, at_least: AtLeast) -> Spec:
    host, port = split_port(spec["metrics"] or "")
    return {
        "pinned_images": cri.find_pinned_images(spec),
        "default_sysctls": [text for option, text in _SYSCTLS.items() if spec[option]],
        "default_ulimits": [
            f"{name}={limit['soft']}:{limit['hard']}" for name, limit in spec["ulimits"].items()
        ],
        # CRI-O adds the brackets of an IPv6 address itself.
        "metrics_host": host.strip("[]"),
        "metrics_port": port,
        "auth_file": _AUTH_PATH if registries.with_credentials(spec["registries"]) else None,
        "bin_dirs": spec["cni"]["bin_dirs"] or _BIN_DIRS,
    }


def _find_files(spec: Spec) -> Iterator[File]:
    entries = spec["registries"]
    if entries:
        yield File(
            CRIO_REGISTRIES,
            "crio/registries.conf.j2",
            {"registries": [_describe_registry(entry) for entry in entries]},
            # CRI-O keeps the file in memory. Crio.reloads decides whether a reload is enough.
            format=formats.TOML,
        )
        yield from registries.link_certificates(CONTAINERS_CERTS, entries)
    with_credentials = registries.with_credentials(entries)
    if with_credentials:
        yield File(
            _AUTH_PATH,
            "crio/auth.json.j2",
            {"registries": [_describe_credentials(entry) for entry in with_credentials]},
            format=formats.JSON,
            # CRI-O reads the file at each pull.
            restart=False,
            secret=True,
        )
    drop_in = f"/etc/systemd/system/{CRIO.service}.d/50-cruntime"
    yield File(f"{drop_in}-kill-mode.conf", "systemd/crio-kill-mode.conf.j2", restart=False)
    if spec["rootless"]:
        yield File(f"{drop_in}-rootless.conf", "systemd/crio-rootless.conf.j2")


def _describe_registry(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "prefix": entry["registry"],
        "location": entry["rewrite"] or entry["registry"],
        "insecure": entry["insecure"],
        "mirrors": [
            {
                "location": _find_location(mirror["url"]),
                "insecure": mirror["insecure"] or mirror["url"].startswith("http://"),
                "digest_only": "resolve" not in mirror["capabilities"],
            }
            for mirror in entry["mirrors"]
        ],
    }


def _describe_credentials(entry: dict[str, Any]) -> dict[str, Any]:
    pair = f"{entry['username']}:{entry['password']}"
    return {"host": registries.server(entry), "auth": base64.b64encode(pair.encode()).decode()}


def _find_location(url: str) -> str:
    """Return the host and path of a mirror for CRI-O, without the /v2 of the API."""
    _scheme, host, path = split_url(url)
    return host + path[len("/v2") :]


RENDERING = Rendering(
    identity=CRIO,
    template="crio/50-cruntime.conf.j2",
    format=formats.TOML,
    handlers=("crun", "runc"),
    find_variables=_find_variables,
    find_files=_find_files,
    find_refusals=_find_refusals,
    # A handler uses the monitor in its configuration, or a monitor on the PATH.
    facts=("own_conmon",),
)
