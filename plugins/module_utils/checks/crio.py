# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of changed files of CRI-O."""

from __future__ import annotations

import os
import re
import shutil

from ansible_collections.cruntime.node.plugins.module_utils import atomic
from ansible_collections.cruntime.node.plugins.module_utils.checks import crio_store
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CRIO
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRIO_DROP_INS
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_drop_in
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
            _copy_drop_ins(drop_ins)
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
            problem = parse_refusal(result.err).replace(drop_ins, CRIO_DROP_INS)
            raise refuse(CRIO.label, add_hint(problem), result)
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


def _copy_drop_ins(directory: str) -> None:
    """Copy the files that CRI-O reads in its drop-in directory and below.

    :raises CruntimeError: if CRI-O could not read one of the files.
    """
    if os.path.islink(CRIO_DROP_INS):
        raise CruntimeError(
            f"{CRIO_DROP_INS}: unreadable drop-ins: the path is a link, and CRI-O does not start "
            "with a link. Replace the link with a directory, or with a bind mount of its target",
            reason="file_unreadable",
        )
    for source, directories, names in os.walk(CRIO_DROP_INS):
        copy = os.path.join(directory, os.path.relpath(source, CRIO_DROP_INS))
        for name in directories:
            os.mkdir(os.path.join(copy, name))
        for name in names:
            content = read_drop_in(os.path.join(source, name))
            atomic.write_new(os.path.join(copy, name), content, 0o600)


def parse_keys(config: str) -> set[str]:
    """Return the names of all keys of a configuration, including commented keys."""
    return set(re.findall(r"^[ \t#]*([\w-]+) *=", config, re.MULTILINE))


def parse_refusal(log: str) -> str:
    """Return the fatal error in the log of C(crio config)."""
    errors = re.findall(r'level=(?:fatal|error) msg="(.*)"', log)
    return errors[-1].replace('\\"', '"') if errors else log.strip()


def add_hint(refusal: str) -> str:
    """Add the fix to an error message of CRI-O without one."""
    handler = re.search(r'default_runtime set to "(.+?)", but no runtime entry', refusal)
    if handler:
        refusal += (
            f". CRI-O has no built-in OCI runtime {handler.group(1)} on this node. Set its path in "
            "oci_runtimes, or set another oci_runtime"
        )
    return refusal
