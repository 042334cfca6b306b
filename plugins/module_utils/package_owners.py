# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the packages that installed files of a node."""

from __future__ import annotations

import os
from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

_DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")


def find_owners(runner: Runner, binaries: Iterable[str]) -> list[str]:
    """Return the packages of binaries. A binary can be missing, or belong to no package.

    :param binaries: names of files in the directories of binaries.
    """
    candidates = (os.path.join(each, name) for name in binaries for each in _DIRECTORIES)
    paths = sorted({os.path.realpath(path) for path in candidates if os.path.exists(path)})
    if not paths:
        return []
    owners: set[str] = set()
    # Both package managers can be installed. Each reports a file that it does not know as an error.
    if runner.which("dpkg-query"):
        owners |= parse_dpkg(runner.run("dpkg-query", "--search", "--", *paths).out)
    if runner.which("rpm"):
        form = ("--queryformat", "%{NAME}\\n")
        for path in paths:
            result = runner.run("rpm", "--query", "--file", *form, "--", path)
            owners |= set(result.out.split()) if result.rc == 0 else set()
    return sorted(owners)


def parse_dpkg(text: str) -> set[str]:
    """Parse C(dpkg-query --search): C(PACKAGE:ARCHITECTURE, PACKAGE: PATH) in each line."""
    lists = (line.partition(": /")[0] for line in text.splitlines() if ": /" in line)
    return {name.partition(":")[0].strip() for names in lists for name in names.split(",")}
