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


def restore_secrets(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rendered files of a module's parameters, with the contents of the secret files.

    The contents are in a separate parameter that Ansible does not log.
    """
    secrets = iter(params["rendered_secrets"])
    return [
        dict(file, content=next(secrets)) if file.get("secret") else file
        for file in params["rendered_files"]
    ]


def list_facts(rendered: list[dict[str, Any]]) -> set[str]:
    """Return the names of the facts that choose or complete the files."""
    return {
        name
        for file in rendered
        for names in (*file["when"], file.get("facts", ()))
        for name in names
    }


def choose(rendered: list[dict[str, Any]], facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files that were rendered for a node with these facts.

    :raises CruntimeError: if such a node does not support the spec. The message has all refusals.
    """
    chosen = [
        file for file in rendered if any(when.items() <= facts.items() for when in file["when"])
    ]
    refusals = [refusal for file in chosen for refusal in file.get("refusals", ())]
    if refusals:
        message = "; ".join(refusals)
        raise CruntimeError(message, reason="option_unsupported", problems=refusals)
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
