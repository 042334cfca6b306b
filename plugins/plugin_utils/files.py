# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller half hands over: one dict for each file and each kind of node.

C(path); C(content); C(restart), whether it is read only when the runtime starts; C(when), what
must hold on the node. Where they apply: C(secret), nobody but root may read it, nor any diff;
C(link), instead of the content, the path on the node that a symbolic link here leads to;
C(shared), whether keys that others wrote to a JSON file stay; C(unit), the unit that reads it, if
that is not the runtime's own service; C(refusal), the error message of a node that would get this
file; C(facts), the facts of the node whose markers the content holds.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from ansible_collections.cruntime.node.plugins.plugin_utils import formats
from ansible_collections.cruntime.node.plugins.plugin_utils.formats import Format


def _replace_list(path: tuple[Any, ...], found: Any, added: Any) -> None:
    """Merge no lists: the list of extra_config replaces the other list."""


@dataclasses.dataclass(frozen=True)
class Config:
    """The runtime's own configuration file, for one kind of node. extra_config is merged into it.

    :param managed: by path of keys, the option that decides it.
    :param when: what must hold on the node, as the node half's runtimes name it; its template
        knows it too.
    :param variables: what its template needs beyond the spec.
    :param refusal: why the spec can't be met on such a node.
    :param shared: whether keys of others stay in the file; None if the file is not shared.
    :param merge_lists: returns the list at a path with the entries of extra_config added, None if
        the list of extra_config replaces it.
    :param secret: nobody but root may read it.
    :param facts: facts of the node whose markers the template writes.
    """

    source: str
    path: str
    format: Format
    managed: dict[tuple[object, ...], str]
    when: dict[str, Any] = dataclasses.field(default_factory=dict)
    variables: dict[str, Any] = dataclasses.field(default_factory=dict)
    refusal: str | None = None
    shared: bool | None = None
    secret: bool = False
    merge_lists: Callable[[tuple[Any, ...], Any, Any], list[Any] | None] = _replace_list
    facts: tuple[str, ...] = ()


def file(
    path: str, content: str, restart: bool, when: dict[str, Any] | None = None, **marks: Any
) -> dict[str, Any]:
    return {"path": path, "content": content, "restart": restart, "when": when or {}, **marks}


def link(path: str, target: str) -> dict[str, Any]:
    return {"path": path, "link": target, "restart": False, "when": {}}


def toml_file(
    path: str, source: str, variables: dict[str, Any], restart: bool, **marks: Any
) -> dict[str, Any]:
    """Render a TOML file beside the runtime's own."""
    content = formats.text(source, variables)
    formats.TOML.prove(content)
    return file(path, content, restart, **marks)
