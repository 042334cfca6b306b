# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of changed files of CRI-O."""

from __future__ import annotations

import os
import re
import shutil

from ansible_collections.cruntime.node.plugins.module_utils.checks import crio_store
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.effective.crio import (
    copy_drop_ins,
    describe_refusal,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CRIO
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRIO_DROP_INS
from ansible_collections.cruntime.node.plugins.module_utils.runner import refuse
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import CONFIG_PATH, Crio
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit


class CrioChecks(Checks[Crio]):
    drop_in_patterns = (f"{CRIO_DROP_INS}/*",)

    def validate(self, staged: dict[str, str], version: str, units: dict[str, Unit]) -> None:
        path = staged.get(CRIO.config_path)
        if path is None:
            return
        # CRI-O also reads foreign drop-ins, so validate all drop-ins together.
        drop_ins = f"{path}.d"
        os.mkdir(drop_ins)
        try:
            copy_drop_ins(drop_ins)
            shutil.copy(path, os.path.join(drop_ins, os.path.basename(CRIO.config_path)))
            result = self._runner.run(
                "crio",
                "--config",
                CONFIG_PATH if os.path.exists(CONFIG_PATH) else os.devnull,
                "--config-dir",
                drop_ins,
                "config",
            )
        finally:
            shutil.rmtree(drop_ins)
        if result.rc != 0:
            raise describe_refusal(result, drop_ins)
        if not re.search(r"^\[crio\]$", result.out, re.MULTILINE):
            raise CruntimeError(
                "crio config: unreadable output: it has no table crio. Run the command on the node "
                "to see what it prints",
                reason="output_unreadable",
            )
        with open(path, encoding="utf-8") as handle:
            # CRI-O silently ignores unsupported keys.
            unknown = parse_keys(handle.read()) - parse_keys(result.out)
        if unknown:
            raise refuse(
                CRIO.label, f"{version} does not support these keys: {', '.join(sorted(unknown))}"
            )
        self._check_store(result.out)

    def _check_store(self, new_config: str) -> None:
        try:
            old = crio_store.parse(self._runtime.running_config(), escaped=True)
        except CommandError:
            result = self._runner.run("crio", "config")
            if result.rc != 0:
                # CRI-O does not start with the current files, so its store is not known.
                return
            old = crio_store.parse(result.out, escaped=False)
        crio_store.check(old, crio_store.parse(new_config, escaped=False))


def parse_keys(config: str) -> set[str]:
    """Return the names of all keys of a configuration, including commented keys."""
    return set(re.findall(r"^[ \t#]*([\w-]+) *=", config, re.MULTILINE))
