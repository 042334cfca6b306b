# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the rendered files for this node, and complete them with facts of the node."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError


def marker(fact: str) -> str:
    """Return the placeholder of a fact, which a template writes as a whole value."""
    return f"@{fact}@"


def choose(rendered: list[dict[str, Any]], facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files that were rendered for a node with these facts.

    :raises CruntimeError: if such a node does not support the spec.
    """
    chosen = [file for file in rendered if file["when"].items() <= facts.items()]
    for file in chosen:
        if file.get("refusal"):
            raise CruntimeError(file["refusal"], reason="option_unsupported")
    return [complete(file, facts) for file in chosen]


def complete(file: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Replace the marker of each fact. If the node does not have the fact, the line is removed."""
    for name in file.get("facts", ()):
        quoted = f'"{marker(name)}"'
        lines = file["content"].splitlines(keepends=True)
        if facts[name] is None:
            lines = [line for line in lines if quoted not in line]
        content = "".join(line.replace(quoted, f'"{facts[name]}"') for line in lines)
        file = dict(file, content=content)
    return file
