# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why a module did not start on a node. Ansible reports this without a cause or a fix."""

from __future__ import annotations

import re
from typing import Any, Mapping

#: What the shell of the node printed, and the sentence for it.
_CAUSES = (
    (
        r"sudo: (?:command )?not found",
        "become: sudo not found: it is not installed on the node. Install sudo, or if you connect "
        "as root, set ansible_become: false",
    ),
    (
        r"is not in the sudoers file|may not run sudo|not allowed to (?:run|execute)",
        "become: sudo refused: the user of the connection may not use sudo. Allow it in sudoers, "
        "or connect as root",
    ),
    (
        r"(?:python[\d.]*|interpreter)\S*: (?:command )?not found|python[\d.]*: No such file",
        "Python not found: the node has no Python at the path of ansible_python_interpreter. "
        "Install Python 3 on the node, or correct the path",
    ),
)


def error_text(result: Mapping[str, Any]) -> str:
    """Return the error message of a failed task.

    :param result: result of the task. C(module_stderr) is only set if the module did not start.
    """
    printed = str(result.get("module_stderr") or "")
    for pattern, sentence in _CAUSES:
        if re.search(pattern, printed, re.IGNORECASE):
            return sentence
    return str(result.get("msg") or "failed without an error message")
