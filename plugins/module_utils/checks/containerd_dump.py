# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare dumped configurations of containerd. Imported only if its file changes."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import dropped, dump
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
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
    """Return the settings of the current file that are lost when the staged file replaces it.

    :param path: the current file.
    :param unasked_bin_dirs: whether the new file has bin_dirs that no option sets.
    :raises CruntimeError: if containerd cannot read the current file.
    """
    old, new = (_dump(runner, name) for name in (path, staged))
    default = _read(runner.output("containerd", "config", "default"), "containerd config default")
    with open(staged, encoding="utf-8") as handle:
        written = _read(handle.read(), path)
    unasked = _UNASKED + (_BIN_DIRS if unasked_bin_dirs else [])
    lost = dropped.find_dropped(old, new, default, dropped.without(written, unasked))
    return dropped.describe(lost, path, REMEDY)


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
            f"{source}: unreadable output: {error}. Run the command on the node to see what it "
            "prints",
            reason="output_unreadable",
        ) from error
