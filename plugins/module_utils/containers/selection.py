# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Select containers with the selectors of the modules. Pure functions."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Pattern

from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Sandbox,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.words import to_string

#: Options of every module that selects containers.
OPTIONS = {
    "runtime": {"type": "str", "choices": ["containerd", "crio", "docker"]},
    "ids": {"type": "list", "elements": "str"},
    "name": {"type": "str"},
    "name_pattern": {"type": "str"},
    "namespaces": {"type": "list", "elements": "str"},
    "labels": {"type": "dict"},
    "pod": {"type": "str"},
    "current_state": {
        "type": "str",
        "default": "all",
        "choices": ["all", "running", "paused", "exited"],
    },
}


class Selection(NamedTuple):
    """Selectors, None if not set. A container must match all of them."""

    ids: list[str] | None = None
    name: str | None = None
    name_pattern: Pattern[str] | None = None
    namespaces: list[str] | None = None
    labels: dict[str, str] | None = None
    pod: str | None = None
    current_state: str = "all"

    @property
    def is_narrow(self) -> bool:
        """Return whether a selector is set in addition to a state, which could match everything."""
        return any(selector is not None for selector in self[:-1])

    @property
    def selects_in_pods(self) -> bool:
        """Return whether a selector other than namespaces and pod is set."""
        return self._replace(namespaces=None, pod=None) != Selection()


def parse(options: dict[str, Any]) -> Selection:
    """Parse the options of a module.

    :raises CruntimeError: if a selector cannot match any container.
    """
    pattern = options["name_pattern"]
    try:
        compiled = None if pattern is None else re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise CruntimeError(
            f"name_pattern must be a regular expression, not {pattern!r}: {error}",
            reason="option_invalid",
        ) from error
    for wanted in options["ids"] or ():
        if not re.fullmatch("[0-9a-f]{1,64}", wanted):
            raise CruntimeError(
                f"ids must be container IDs or prefixes of IDs, in hexadecimal, not {wanted!r}",
                reason="option_invalid",
            )
    return Selection(
        ids=options["ids"],
        name=options["name"],
        name_pattern=compiled,
        namespaces=options["namespaces"],
        # An empty dictionary matches every container.
        labels={
            key: to_string(f"labels: {key}", value)
            for key, value in (options["labels"] or {}).items()
        }
        or None,
        pod=options["pod"],
        current_state=options["current_state"],
    )


def select(
    selection: Selection, containers: list[Container], unknown_ids: bool = False
) -> list[Container]:
    """Return the selected containers.

    :param unknown_ids: whether to ignore IDs that match no container.
    :raises CruntimeError: if an ID is unknown, or a prefix of several IDs.
    """
    chosen = [container for container in containers if _fits(selection, container)]
    if selection.ids is None:
        return chosen
    known = [container.id for container in containers]
    resolved = {found for wanted in selection.ids for found in _resolve(wanted, known)}
    unknown = [wanted for wanted in selection.ids if not _resolve(wanted, known)]
    if unknown and not unknown_ids:
        raise CruntimeError(
            f"ids: no container on this node with the ID {' or '.join(unknown)}. Remove the ID "
            "from the list",
            reason="container_not_found",
            unknown_ids=unknown,
        )
    return [container for container in chosen if container.id in resolved]


def fits_empty(selection: Selection, sandbox: Sandbox) -> bool:
    """Return whether the sandbox of a pod without containers is selected."""
    return (
        not selection.selects_in_pods
        and (selection.namespaces is None or sandbox.namespace in selection.namespaces)
        and selection.pod in (None, sandbox.pod, sandbox.id)
    )


def _fits(selection: Selection, container: Container) -> bool:
    return (
        selection.current_state in ("all", container.state)
        and selection.name in (None, container.name)
        and (selection.name_pattern is None or bool(selection.name_pattern.search(container.name)))
        and (selection.namespaces is None or container.namespace in selection.namespaces)
        and (selection.labels or {}).items() <= container.labels.items()
        and selection.pod in (None, container.pod, container.pod_id)
    )


def _resolve(wanted: str, known: list[str]) -> list[str]:
    if wanted in known:
        return [wanted]
    found = [each for each in known if each.startswith(wanted)]
    if len(found) > 1:
        raise CruntimeError(
            f"ids: {wanted} is ambiguous: it is a prefix of {' and '.join(sorted(found))}. "
            "Set a longer prefix",
            reason="container_ambiguous",
        )
    return found
