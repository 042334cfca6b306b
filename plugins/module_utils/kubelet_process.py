# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the runtime that the running kubelet uses."""

from __future__ import annotations

import contextlib
import os
import re

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular

# The field of KubeletConfiguration. A kubelet before 1.27 only has the flag.
_FIELD = re.compile(r"^containerRuntimeEndpoint:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


def find_socket() -> str | None:
    """Return the resolved path of the CRI socket of the running kubelet, None if not known."""
    for _pid, argv in command_line.list_processes():
        # A wrapper script is an argument of its interpreter.
        if any(os.path.basename(word) == "kubelet" for word in argv[:2]):
            endpoint = command_line.find_flag(argv, "container-runtime-endpoint")
            endpoint = endpoint or _read_config(command_line.find_flag(argv, "config"))
            return os.path.realpath(endpoint.replace("unix://", "", 1)) if endpoint else None
    return None


def _read_config(path: str | None) -> str | None:
    with contextlib.suppress(OSError, CruntimeError):
        text = read_regular(path).decode("utf-8", errors="replace") if path else ""
        found = _FIELD.search(text)
        return found[1] if found else None
    return None
