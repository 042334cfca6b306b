# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring containers to a state: list, select, plan, act, list again, report."""

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
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

# Time in which a runtime reports the state that a container has reached, in seconds.
_REPORT_TIME = 10


def list_containers(containers: Containers, selected: Selection) -> list[Container]:
    """Return the selected containers, sorted by namespace, pod and name.

    :raises CruntimeError: if an ID is unknown or ambiguous, or the runtime does not respond.
    """
    return _sorted(selection.select(selected, containers.look().containers))


def ensure_state(
    containers: Containers,
    selected: Selection,
    wanted: str,
    *,
    timeout: int = 10,
    with_sandboxes: bool = False,
    check_mode: bool = False,
) -> dict[str, Any]:
    """Bring the selected containers to a state.

    :param wanted: stopped, paused, running or absent.
    :param timeout: time in seconds for a stopped container to exit before it is killed.
    :param with_sandboxes: whether to stop or remove a sandbox with the last of its containers.
    :return: the result of the module.
    :raises CruntimeError: if some containers did not reach the state. All others did.
    """
    before = containers.look()
    # A container that must be absent can be unknown.
    chosen = _sorted(selection.select(selected, before.containers, unknown_ids=wanted == "absent"))
    sandboxes = plan.select_sandboxes(wanted, selected, before, chosen) if with_sandboxes else []
    planned = plan.make_plan(wanted, chosen, sandboxes, by_id=selected.ids is not None)
    failed = dict(planned.refused)
    after = before
    if check_mode:
        after = plan.predict(wanted, before, planned.items)
    elif planned.steps:
        causes = _act(containers, planned, timeout)
        after = _look_again(containers, wanted, planned, causes)
        failed.update(_find_unreached(wanted, planned, causes, after))
    items: list[Item] = [*chosen, *sandboxes]
    touched = [item for item in items if item.id in planned.items]
    result = _result(chosen, touched, after)
    result["warnings"] = [
        f"Unpausing {item} first, because a paused container cannot be stopped or removed"
        for item in touched
        if item.id in planned.unpaused_to_end
    ]
    if failed:
        raise _failure(wanted, items, failed, result)
    return result


def _act(containers: Containers, planned: Plan, timeout: int) -> dict[str, str]:
    """Perform the steps; return the cause of each failure, by ID."""
    causes: dict[str, str] = {}
    for step in planned.steps:
        items = [item for item in step.items if item.id not in causes]
        if step.verb in ("stop_sandboxes", "remove_sandboxes"):
            # A container that did not stop would be killed with its sandbox.
            failed = {planned.items[each].pod_id for each in causes}
            causes.update(
                {item.id: "a container of its pod failed" for item in items if item.id in failed}
            )
            items = [item for item in items if item.id not in failed]
        try:
            if items:
                causes.update(containers.apply(step.verb, items, timeout))
        except CommandError as error:
            causes.update({item.id: str(error) for item in items})
    return causes


def _look_again(
    containers: Containers, wanted: str, planned: Plan, causes: dict[str, str]
) -> Snapshot:
    """List the containers until all those whose steps succeeded have reached the state.

    For example, crun does not wait until the kernel has frozen a container.
    """
    snapshots: list[Snapshot] = []

    def is_reported() -> bool:
        snapshots.append(containers.look())
        return not set(_find_unreached(wanted, planned, causes, snapshots[-1])).difference(causes)

    wait_until(is_reported, _REPORT_TIME)
    return snapshots[-1]


def _find_unreached(
    wanted: str, planned: Plan, causes: dict[str, str], after: Snapshot
) -> dict[str, str]:
    """Return the cause of each item that is not in the desired state, by ID.

    :param causes: causes that the tools reported, also for items that reached the state.
    """
    found = _by_id(after)
    return {
        each: causes.get(each)
        or (f"it is {found[each].state}" if each in found else "it does not exist")
        for each in planned.items
        if not plan.is_reached(wanted, found.get(each))
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
    unreached = [item for item in items if item.id in failed]
    causes = "; ".join(f"{item}: {failed[item.id]}" for item in unreached)
    return CruntimeError(
        f"Some containers or sandboxes did not reach the state {wanted}: {causes}",
        reason="state_not_reached",
        failed_containers=[
            {"id": item.id, "name": item.name, "cause": failed[item.id]}
            for item in unreached
            if isinstance(item, Container)
        ],
        failed_sandboxes=[
            {"id": item.id, "pod": item.pod, "cause": failed[item.id]}
            for item in unreached
            if isinstance(item, Sandbox)
        ],
        **result,
    )


def _sorted(containers: list[Container]) -> list[Container]:
    return sorted(
        containers,
        key=lambda each: (each.namespace or "", each.pod or "", each.name, each.created, each.id),
    )
