# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the rendered files for this node, and complete them with facts of the node."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

#: The OCI spec that containerd uses without a base spec.
OCI_SPEC_FACT = "oci_spec"


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
        for names in (*file["when"], file.get("facts", ()), filter(None, [file.get("onto")]))
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
    """Complete the content of a file with facts of the node.

    The marker of each fact is replaced. If the node does not have the fact, the line is removed.

    :raises CruntimeError: if the content does not fit to the JSON text into which it is merged.
    """
    if "onto" in file:
        tree = json.loads(facts[file["onto"]])
        _merge(tree, json.loads(file["content"]), file["path"], ())
        return dict(file, content=json.dumps(tree, indent=2) + "\n")
    for name in file.get("facts", ()):
        quoted = f'"{marker(name)}"'
        lines = file["content"].splitlines(keepends=True)
        if facts[name] is None:
            lines = [line for line in lines if quoted not in line]
        content = "".join(line.replace(quoted, f'"{facts[name]}"') for line in lines)
        file = dict(file, content=content)
    return file


def _merge(tree: dict[str, Any], added: dict[str, Any], file: str, path: tuple[str, ...]) -> None:
    """Merge tables key by key. A list replaces a list."""
    for key, value in added.items():
        here = (*path, key)
        found = tree.get(key, value)
        if type(found) is not type(value):
            raise CruntimeError(
                f"{file}: {'.'.join(here)} cannot be written: the option base_spec sets it to "
                f"{_KINDS[type(value)]}, but this key of an OCI spec is {_KINDS[type(found)]}. "
                "Correct base_spec",
                reason="option_invalid",
            )
        if isinstance(value, dict) and key in tree:
            _merge(found, value, file, here)
        else:
            tree[key] = value


_KINDS: dict[type, str] = {
    dict: "a dictionary",
    list: "a list",
    str: "text",
    bool: "a boolean",
    int: "an integer",
    float: "a fraction",
    type(None): "null",
}
