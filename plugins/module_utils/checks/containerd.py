# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of changed files of containerd."""

from __future__ import annotations

import re
from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    containerd_dump,
    containerd_store,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.dropped import Dropped
from ansible_collections.cruntime.node.plugins.module_utils.effective.containerd import (
    check_drop_ins,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_DROP_INS,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import refuse
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version


class ContainerdChecks(Checks[Containerd]):
    drop_in_patterns = tuple(f"{each}/*.toml" for each in CONTAINERD_DROP_INS)

    def validate(self, staged: dict[str, str], version: str, units: dict[str, Unit]) -> None:
        path = staged.get(self._runtime.config_path)
        if path is None:
            return
        with open(path, encoding="utf-8") as handle:
            text = handle.read()
        if "io.containerd.cri.v1." in text and installed_version(version).major < 2:
            raise refuse(
                CONTAINERD.label,
                "the plugins io.containerd.cri.v1.* in extra_config require containerd 2.x, not "
                f"{version}. Use io.containerd.grpc.v1.cri",
            )
        check_drop_ins()
        live = self._runtime.config_path
        result = self._runner.run("containerd", "--config", path, "config", "dump")
        if result.rc != 0:
            raise refuse(CONTAINERD.label, result.err.strip().replace(path, live), result)
        if not re.search(r"^version = [0-9]+$", result.out, re.MULTILINE):
            raise CruntimeError(
                "containerd config dump: unreadable output: it has no version. Run the command on "
                "the node to see what it prints",
                reason="output_unreadable",
            )
        unknown = parse_unknown_keys(result.err)
        # A foreign drop-in can have keys that this version does not support. Ignore them.
        rendered = [key for key in unknown if key.rpartition(".")[2] in text]
        if rendered:
            raise refuse(
                CONTAINERD.label, f"{version} does not support these keys: {', '.join(rendered)}"
            )
        containerd_store.check(self._runner, self._runtime.socket_path, live, result.out)

    def find_dropped(
        self, changes: Iterable[Change], foreign: dict[str, Change], staged: dict[str, str]
    ) -> list[Dropped]:
        path = self._runtime.config_path
        if path not in foreign or path not in staged:
            return []
        return containerd_dump.find_dropped(
            self._runner,
            foreign[path].target,
            staged[path],
            unasked_bin_dirs=self._runtime.unasked_bin_dirs,
        )


def parse_unknown_keys(log: str) -> list[str]:
    """Parse the log of C(containerd config dump), in which 2.x lists each ignored key."""
    return re.findall(r'msg="Ignoring unknown key in TOML.* key=(\S+)', log)
