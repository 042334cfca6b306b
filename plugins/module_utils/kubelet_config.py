# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change a field in files with a KubeletConfiguration, in YAML or JSON.

A node need not have a library for YAML. Therefore the files are searched as text. An empty value
counts as not set, because the kubelet replaces it with its default.
"""

from __future__ import annotations

import os
import re
from typing import Iterable

from ansible_collections.cruntime.node.plugins.module_utils import command_line


def find_field(text: str, field: str) -> str | None:
    """Return the value of a top-level field, None if it is not set."""
    values = [match["value"] for match in _pattern(text, field).finditer(text)]
    return values[-1] if values else None


def replace_field(text: str, field: str, value: str) -> str:
    """Return the text with another value of a field that is set."""
    return _pattern(text, field).sub(lambda match: match["before"] + value, text)


def list_files(argv: Iterable[str]) -> list[str]:
    """Return the files that a kubelet with this command line reads. Later ones take precedence."""
    argv = list(argv)
    main = command_line.find_flag(argv, "config")
    directory = command_line.find_flag(argv, "config-dir")
    drop_ins = [
        os.path.join(parent, name)
        for parent, _directories, names in os.walk(directory or "")
        for name in names
        if name.endswith(".conf")
    ]
    # The kubelet sorts the names in each directory.
    return ([main] if main else []) + sorted(drop_ins, key=lambda path: path.split("/"))


def _pattern(text: str, field: str) -> re.Pattern[str]:
    if text.lstrip().startswith("{"):
        return re.compile(rf'(?P<before>"{field}"\s*:\s*")(?P<value>[^"\s]+)')
    # A key at the beginning of its line is a top-level field, and no comment.
    return re.compile(
        rf"""^(?P<before>(["']?){field}\2[ \t]*:[ \t]*["']?)(?P<value>[^\s"'#]+)""", re.MULTILINE
    )
