# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare configurations that containerd dumps. Imported only if its file changes."""

from __future__ import annotations

import contextlib
import glob
import os
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import dropped, dump
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_CERTS,
    CONTAINERD_DROP_INS,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

REMEDY = f"If they are needed, set them in extra_config or in a drop-in in {CONTAINERD_DROP_INS[0]}"
# The tables with image settings and with runtime settings, in each version of the configuration.
_IMAGES = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")
_RUNTIME = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")
# Keys that the new file sets although no option does. The values that they replace are lost too.
_UNASKED: list[tuple[str, ...]] = [
    ("imports",),
    ("required_plugins",),
    *(("plugins", plugin, "registry", "config_path") for plugin in _IMAGES),
]
_BIN_DIRS: list[tuple[str, ...]] = [
    ("plugins", plugin, "cni", key) for plugin in _RUNTIME for key in ("bin_dir", "bin_dirs")
]
_CRI_PLUGINS = {"cri", "io.containerd.grpc.v1.cri"}


def find_dropped(
    runner: Runner, path: str, staged: str, unasked_bin_dirs: bool
) -> list[dropped.Dropped]:
    """Return the settings of the present file that are lost when the staged file replaces it.

    :param path: the present file.
    :param unasked_bin_dirs: whether the new file has bin_dirs that no option sets.
    :raises CruntimeError: if containerd can't read the present file.
    """
    old, new = (_dump(runner, name) for name in (path, staged))
    default = _read(runner.output("containerd", "config", "default"), "containerd config default")
    with open(staged, encoding="utf-8") as handle:
        written = _read(handle.read(), CONTAINERD.config_path)
    unasked = _UNASKED + (_BIN_DIRS if unasked_bin_dirs else [])
    lost = dropped.find_dropped(old, new, default, dropped.without(written, unasked))
    return dropped.describe(lost, path, REMEDY)


def find_mirror_drop_ins(text: str) -> list[str]:
    """Return the drop-ins whose registry settings exclude config_path.

    If containerd has both, its CRI plugin does not start.

    :param text: dump of the configuration with the rendered file.
    """
    # Other errors in the dump are reported when containerd starts.
    with contextlib.suppress(ValueError):
        if _excludes_certs(dump.parse(text)):
            return [path for path in _drop_ins() if _has_mirrors(path)] or [CONTAINERD.config_path]
    return []


def _dump(runner: Runner, path: str) -> dict[str, Any]:
    found = _read(
        runner.output("containerd", "--config", path, "config", "dump"), "containerd config dump"
    )
    # containerd 1.x lists all files that it has read, including the main file.
    found["imports"] = [name for name in found.get("imports") or [] if name != path]
    # The option runtime always enables the CRI plugin, so this setting is not reported as lost.
    disabled = found.get("disabled_plugins") or []
    found["disabled_plugins"] = [name for name in disabled if name not in _CRI_PLUGINS]
    return found


def _read(text: str, source: str) -> dict[str, Any]:
    try:
        return dump.parse(text)
    except ValueError as error:
        raise CruntimeError(
            f"{source}: the output could not be read: {error}", reason="output_unreadable"
        ) from error


def _excludes_certs(config: dict[str, Any]) -> bool:
    for plugin in _IMAGES:
        registry = config.get("plugins", {}).get(plugin, {}).get("registry", {})
        hosts = (registry.get("configs") or {}).values()
        if registry.get("config_path") == CONTAINERD_CERTS and (
            registry.get("mirrors") or any(host.get("tls") for host in hosts)
        ):
            return True
    return False


def _drop_ins() -> list[str]:
    return [
        path for folder in CONTAINERD_DROP_INS for path in sorted(glob.glob(f"{folder}/*.toml"))
    ]


def _has_mirrors(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as handle:
        text = handle.read(1024 * 1024)
        return "registry" in text and ("mirrors" in text or "tls" in text)
    return False
