# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a spec into the files of its runtime, and reads each of them back.

Where a file depends on what only the node knows, it is rendered for each possible answer, and
the node picks: a converge costs one round trip.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import oci_runtimes, paths
from ansible_collections.cruntime.node.plugins.module_utils.oci_runtimes import RUNC_SHIM
from ansible_collections.cruntime.node.plugins.plugin_utils import (
    containerd,
    crio,
    docker,
    extra_config,
    files,
    formats,
    kubernetes,
    registries,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.files import Config
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

RUNTIMES: dict[str, Any] = {"containerd": containerd, "crio": crio, "docker": docker}


def render(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Render every file of a spec.

    :param spec: a checked one.
    :return: dicts as files.py makes them.
    :raises SpecError: its runtime can't do what it says, or extra_config fights what another
        option decides.
    """
    runtime = RUNTIMES[spec["runtime"]]
    spec = dict(
        spec,
        sandbox_image=kubernetes.sandbox_image(spec),
        # What has runc's command line is driven without a shim's name by every runtime.
        oci_runtimes=[
            dict(handler, shim=None if handler["shim"] == RUNC_SHIM else handler["shim"])
            for handler in oci_runtimes.named(spec)
        ],
        oci_runtime=oci_runtimes.default(spec),
        registries=registries.normalised(spec["registries"]),
    )
    _check(spec, runtime)
    drivers = [spec["cgroup_driver"]]
    if drivers == ["auto"]:
        drivers = ["systemd", "cgroupfs"]
    return [
        *(_config(config, spec, driver) for config in runtime.configs(spec) for driver in drivers),
        *runtime.registry_files(spec["registries"]),
        *runtime.unit_files(spec),
        *_proxy(spec["proxy"], runtime.UNIT),
        _crictl(spec["socket"] or runtime.SOCKET),
    ]


def _check(spec: dict[str, Any], runtime: Any) -> None:
    name = spec["runtime"]
    for option, why in runtime.UNSUPPORTED.items():
        if _given(spec[option]):
            raise SpecError(f"{option} can't be met with runtime {name}: {why}")
    handlers = {*runtime.HANDLERS, *(handler["name"] for handler in spec["oci_runtimes"])}
    if spec["oci_runtime"] is not None and spec["oci_runtime"] not in handlers:
        raise SpecError(
            f"oci_runtime must be {' or '.join(runtime.HANDLERS)} with runtime {name}, or a name "
            f"in oci_runtimes, not {spec['oci_runtime']!r}"
        )
    runtime.check(spec)


def _given(value: Any) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)


def _config(config: Config, spec: dict[str, Any], driver: str) -> dict[str, Any]:
    when = dict(config.when, cgroup_driver=driver)
    if config.refusal:
        return files.file(config.path, "", restart=True, when=when, refusal=config.refusal)
    text = formats.text(config.source, {**spec, **config.variables, **when})
    if spec["extra_config"]:
        text = extra_config.merged(config, text, spec["extra_config"])
    config.format.prove(text)
    marks: dict[str, Any] = {"secret": True} if config.secret else {}
    if config.shared is not None:
        marks["shared"] = config.shared
    if config.facts:
        marks["facts"] = list(config.facts)
    return files.file(config.path, text, restart=True, when=when, **marks)


def _proxy(proxy: dict[str, Any], unit: str) -> list[dict[str, Any]]:
    if not _given(proxy):
        return []
    # systemd reads no file here but those named *.conf.
    path = f"/etc/systemd/system/{unit}.d/50-cruntime-proxy"
    variables = formats.text("systemd/proxy.env.j2", proxy)
    drop_in = formats.text("systemd/proxy.conf.j2", {"environment_file": f"{path}.env"})
    return [
        files.file(f"{path}.env", variables, restart=True, secret=True),
        files.file(f"{path}.conf", drop_in, restart=True),
    ]


def _crictl(socket: str) -> dict[str, Any]:
    content = formats.text("crictl.yaml.j2", {"socket": socket})
    return files.file(paths.CRICTL_CONFIG, content, restart=False)
