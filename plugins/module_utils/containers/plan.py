# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what there is and what is wanted to the steps between. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any, Iterable, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.containers import selection as selecting
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Item,
    Sandbox,
    Snapshot,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.selection import Selection

#: The states in which a container has processes.
ALIVE = ("running", "paused", "unknown")
# What a container must be in, so that it is as wanted.
_REACHED = {
    "stopped": ("exited", "created"),
    "paused": ("paused",),
    "running": ("running",),
    "absent": (),
}


class Step(NamedTuple):
    """One verb of C(Containers), done to all items at once."""

    verb: str
    items: Sequence[Item]


class Plan(NamedTuple):
    """What has to be done.

    :param refused: why a container can't be as wanted, by id.
    """

    steps: list[Step]
    refused: dict[str, str]

    @property
    def thawed(self) -> set[str]:
        """The ids of what is unpaused only to end."""
        if len(self.steps) < 2:
            return set()
        return {item.id for step in self.steps if step.verb == "unpause" for item in step.items}

    @property
    def items(self) -> dict[str, Item]:
        """All that is changed, by id."""
        return {item.id: item for step in self.steps for item in step.items}


def reached(wanted: str, item: Item | None) -> bool:
    """Say whether an item, None where it is gone, is as wanted.

    One that vanished has no need to be stopped any more.
    """
    if item is None:
        return wanted in ("stopped", "absent")
    return item.state in _REACHED[wanted]


def make(
    wanted: str, chosen: list[Container], sandboxes: list[Sandbox], by_id: bool = False
) -> Plan:
    """Plan how the chosen become what is wanted.

    :param wanted: stopped, paused, running or absent.
    :param sandboxes: those that go with them.
    :param by_id: whether each container was named, so that one that can't be paused or unpaused
        is a failure; else it is not meant.
    """
    owed = [container for container in chosen if not reached(wanted, container)]
    if wanted in ("paused", "running"):
        able = [container for container in owed if container.state in ("running", "paused")]
        refused = {each.id: _refusal(wanted, each) for each in owed if each not in able}
        verb = "pause" if wanted == "paused" else "unpause"
        return Plan(_steps(Step(verb, able)), refused if by_id else {})
    owed_sandboxes = [sandbox for sandbox in sandboxes if not reached(wanted, sandbox)]
    # What is frozen can't end: on cgroup v1 it ignores every signal until it is thawed.
    items: list[Item] = [*owed, *owed_sandboxes]
    frozen = [item for item in items if item.state == "paused"]
    verb = "stop" if wanted == "stopped" else "remove"
    return Plan(
        _steps(
            Step("unpause", frozen), Step(verb, owed), Step(f"{verb}_sandboxes", owed_sandboxes)
        ),
        {},
    )


def going_too(
    wanted: str, selection: Selection, snapshot: Snapshot, chosen: list[Container]
) -> list[Sandbox]:
    """Return the sandboxes of the chosen containers' pods, but for pods that others still need.

    A pod that has lost its containers before is found by a selection of pods.
    """
    ids = {container.id for container in chosen}
    others = [container for container in snapshot.containers if container.id not in ids]
    # To remove a sandbox is to remove all that is in it; to stop it is to stop them.
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
    """Return what a snapshot would become if the items of these ids were as wanted."""
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
    deed = "paused" if wanted == "paused" else "unpaused"
    return f"it is {container.state}, and only a running container can be {deed}"


def _steps(*steps: Step) -> list[Step]:
    return [step for step in steps if step.items]
