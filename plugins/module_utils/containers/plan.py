# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the steps from the current state of containers to the desired state. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.containers import selection as selecting
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Item,
    Sandbox,
    Snapshot,
    Verb,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.selection import Selection

#: States in which a container has processes.
ALIVE = ("running", "paused", "unknown")
# States of a container that match a desired state.
_MATCHING = {
    "stopped": ("exited", "created"),
    "paused": ("paused",),
    "running": ("running",),
    "absent": (),
}


class Step(NamedTuple):
    """One call of a method of C(Containers) for all its items."""

    verb: Verb
    items: Sequence[Item]


class Plan(NamedTuple):
    """Steps to the desired state.

    :param refused: by ID, the cause why a container can't reach the desired state.
    """

    steps: list[Step]
    refused: dict[str, str]

    @property
    def unpaused_to_end(self) -> set[str]:
        """Return the IDs of the items that are unpaused only because they must end."""
        if len(self.steps) < 2:
            return set()
        return {item.id for step in self.steps if step.verb == "unpause" for item in step.items}

    @property
    def items(self) -> dict[str, Item]:
        """Return all changed items, by ID."""
        return {item.id: item for step in self.steps for item in step.items}


def is_reached(wanted: str, item: Item | None) -> bool:
    """Return whether an item is in the desired state.

    :param item: None if the item no longer exists, which also counts as stopped.
    """
    if item is None:
        return wanted in ("stopped", "absent")
    return item.state in _MATCHING[wanted]


def make_plan(
    wanted: str, chosen: list[Container], sandboxes: list[Sandbox], by_id: bool = False
) -> Plan:
    """Plan how the chosen containers reach the desired state.

    :param wanted: stopped, paused, running or absent.
    :param sandboxes: sandboxes to stop or remove with the containers.
    :param by_id: whether the containers were selected by ID. If so, a container that can't be
        paused or unpaused is a failure; otherwise it is skipped.
    """
    pending = [container for container in chosen if not is_reached(wanted, container)]
    if wanted in ("paused", "running"):
        able = [container for container in pending if container.state in ("running", "paused")]
        refused = {each.id: _refusal(wanted, each) for each in pending if each not in able}
        return Plan(
            _steps(Step("pause" if wanted == "paused" else "unpause", able)),
            refused if by_id else {},
        )
    pending_sandboxes = [sandbox for sandbox in sandboxes if not is_reached(wanted, sandbox)]
    # A paused container can't end: on cgroup v1, it ignores every signal until it is unpaused.
    items: list[Item] = [*pending, *pending_sandboxes]
    paused = Step("unpause", [item for item in items if item.state == "paused"])
    if wanted == "stopped":
        ends = Step("stop", pending), Step("stop_sandboxes", pending_sandboxes)
    else:
        ends = Step("remove", pending), Step("remove_sandboxes", pending_sandboxes)
    return Plan(_steps(paused, *ends), {})


def select_sandboxes(
    wanted: str, selection: Selection, snapshot: Snapshot, chosen: list[Container]
) -> list[Sandbox]:
    """Return the sandboxes of the chosen containers, except those that other containers need.

    The sandbox of a pod without containers is returned if the selection is about pods only.
    """
    ids = {container.id for container in chosen}
    others = [container for container in snapshot.containers if container.id not in ids]
    # A removed sandbox takes its containers with it, and a stopped sandbox stops them.
    needed = {each.pod_id for each in others if wanted == "absent" or each.state in ALIVE}
    left = {container.pod_id for container in chosen}
    inhabited = {container.pod_id for container in snapshot.containers}
    return [
        sandbox
        for sandbox in snapshot.sandboxes
        if sandbox.id not in needed
        and (
            sandbox.id in left
            or (sandbox.id not in inhabited and selecting.fits_empty(selection, sandbox))
        )
    ]


def predict(wanted: str, snapshot: Snapshot, changed: Iterable[str]) -> Snapshot:
    """Return the snapshot in which the items with these IDs are in the desired state."""
    ids = set(changed)
    if wanted == "absent":
        return Snapshot(
            [each for each in snapshot.containers if each.id not in ids],
            [each for each in snapshot.sandboxes if each.id not in ids],
        )
    state = "exited" if wanted == "stopped" else wanted
    ended: dict[str, Any] = (
        {"state": state, "pid": None} if wanted == "stopped" else {"state": state}
    )
    return Snapshot(
        [
            dataclasses.replace(each, **ended) if each.id in ids else each
            for each in snapshot.containers
        ],
        [
            dataclasses.replace(each, state=state) if each.id in ids else each
            for each in snapshot.sandboxes
        ],
    )


def _refusal(wanted: str, container: Container) -> str:
    action = "paused" if wanted == "paused" else "unpaused"
    return f"it is {container.state}, and only a running container can be {action}"


def _steps(*steps: Step) -> list[Step]:
    return [step for step in steps if step.items]
