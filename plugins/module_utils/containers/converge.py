# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring containers into a state: look, select, plan, act, look again, report."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.containers import plan, selection
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Containers,
    Item,
    Sandbox,
    Snapshot,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.plan import Plan
from ansible_collections.cruntime.node.plugins.module_utils.containers.selection import Selection
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)


def listed(containers: Containers, wanted: Selection) -> list[Container]:
    """Return the containers that a selection means, in an order of their own.

    :raises CruntimeError: an id is unknown or ambiguous, or the runtime does not answer.
    """
    return _sorted(selection.select(wanted, containers.look().containers))


def bring(
    containers: Containers,
    meant: Selection,
    wanted: str,
    *,
    timeout: int = 10,
    with_sandboxes: bool = False,
    check_mode: bool = False,
) -> dict[str, Any]:
    """Make the selected containers stopped, paused, running or absent.

    :param timeout: how long one that is stopped may take to end by itself, in seconds.
    :param with_sandboxes: whether a sandbox goes with the last of its containers.
    :return: the module's result.
    :raises CruntimeError: some could not be brought there, while the others were.
    """
    before = containers.look()
    # What shall be gone may be gone.
    chosen = _sorted(selection.select(meant, before.containers, unknown_ids=wanted == "absent"))
    sandboxes = plan.going_too(wanted, meant, before, chosen) if with_sandboxes else []
    planned = plan.make(wanted, chosen, sandboxes, by_id=meant.ids is not None)
    failed = dict(planned.refused)
    after = before
    if check_mode:
        after = plan.predict(wanted, before, planned.items)
    elif planned.steps:
        reasons = _act(containers, planned, timeout)
        after = containers.look()
        failed.update(_unreached(wanted, planned, reasons, after))
    meant_items: list[Item] = [*chosen, *sandboxes]
    touched = [item for item in meant_items if item.id in planned.items]
    result = _result(chosen, touched, after)
    # What is frozen can't end.
    thawed = [item for item in touched if item.id in planned.thawed]
    result["warnings"] = [f"{item} was paused: it is unpaused first, to end" for item in thawed]
    if failed:
        raise _failure(wanted, meant_items, failed, result)
    return result


def _act(containers: Containers, planned: Plan, timeout: int) -> dict[str, str]:
    """Do the steps; return why they failed, by id."""
    reasons: dict[str, str] = {}
    for step in planned.steps:
        items = [item for item in step.items if item.id not in reasons]
        if step.verb.endswith("_sandboxes"):
            # What could not be stopped would be killed with its pod.
            stuck = {planned.items[each].pod_id for each in reasons}
            reasons.update(
                {item.id: "a container of its pod failed" for item in items if item.id in stuck}
            )
            items = [item for item in items if item.id not in stuck]
        arguments = [timeout] if step.verb == "stop" else []
        try:
            if items:
                reasons.update(getattr(containers, step.verb)(items, *arguments))
        except CommandError as error:
            reasons.update({item.id: str(error) for item in items})
    return reasons


def _unreached(
    wanted: str, planned: Plan, reasons: dict[str, str], after: Snapshot
) -> dict[str, str]:
    """Return why items are not as wanted, by id, whatever the tools said of the others."""
    found = _by_id(after)
    return {
        each: reasons.get(each) or (f"it is {found[each].state}" if each in found else "it is gone")
        for each in planned.items
        if not plan.reached(wanted, found.get(each))
    }


def _result(chosen: list[Container], touched: Sequence[Item], after: Snapshot) -> dict[str, Any]:
    now = _by_id(after)
    changes = [
        (item, now[item.id].state if item.id in now else "absent")
        for item in touched
        if item.id not in now or now[item.id].state != item.state
    ]
    return {
        "changed": bool(changes),
        "containers": [now[item.id].result for item in chosen if item.id in now],
        "changes": [
            {"id": item.id, "before": item.state, "after": state} for item, state in changes
        ],
        "diff": {
            "before_header": "containers",
            "after_header": "containers",
            "before": "".join(f"{item}: {item.state}\n" for item, _state in changes),
            "after": "".join(f"{item}: {state}\n" for item, state in changes),
        },
    }


def _by_id(snapshot: Snapshot) -> dict[str, Item]:
    items: list[Item] = [*snapshot.containers, *snapshot.sandboxes]
    return {item.id: item for item in items}


def _failure(
    wanted: str, items: Sequence[Item], failed: dict[str, str], result: dict[str, Any]
) -> CruntimeError:
    stuck = [item for item in items if item.id in failed]
    words = "; ".join(f"{item}: {failed[item.id]}" for item in stuck)
    return CruntimeError(
        f"not all of the containers are {wanted}: {words}",
        reason="state_not_reached",
        failed_containers=[
            {"id": item.id, "name": item.name, "cause": failed[item.id]}
            for item in stuck
            if isinstance(item, Container)
        ],
        failed_sandboxes=[
            {"id": item.id, "pod": item.pod, "cause": failed[item.id]}
            for item in stuck
            if isinstance(item, Sandbox)
        ],
        **result,
    )


def _sorted(containers: list[Container]) -> list[Container]:
    return sorted(
        containers,
        key=lambda each: (each.namespace or "", each.pod or "", each.name, each.created, each.id),
    )
