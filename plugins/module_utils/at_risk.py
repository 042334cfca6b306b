# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the running containers that steps would end or leave without a runtime. Pure functions."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Literal, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

#: Number of containers that a message lists.
_SHOWN = 10
_SHORT_ID = 12


class Container(NamedTuple):
    """Running container.

    :param namespace: namespace of the pod. Without a pod, namespace and pod are None.
    :param units: systemd units that the process which holds the container belongs to.
    """

    id: str
    name: str
    namespace: str | None = None
    pod: str | None = None
    units: frozenset[str] = frozenset()

    def __str__(self) -> str:
        path = "/".join(filter(None, (self.namespace, self.pod, self.name)))
        return path if path == self.id else f"{path} ({self.id[:_SHORT_ID]})"


class Daemon(NamedTuple):
    """Running runtime, with its running containers.

    :param outlive_stop: whether its containers keep running if its daemon stops.
    :param outlive_start: whether its containers keep running if its daemon starts again.
    """

    runtime: str
    label: str
    services: tuple[str, ...]
    containers: list[Container]
    outlive_stop: bool = True
    outlive_start: bool = True


class AtRisk(NamedTuple):
    """Container that a step would end, or leave without a runtime.

    :param unit: the unit that the step changes.
    """

    container: Container
    daemon: Daemon
    unit: str
    verb: str
    outcome: Literal["ended", "left"]

    @property
    def result(self) -> dict[str, Any]:
        """Return the container as the modules return it."""
        container = self.container
        return {
            "id": container.id,
            "name": container.name,
            "namespace": container.namespace,
            "pod": container.pod,
            "runtime": self.daemon.runtime,
            "step": {"unit": self.unit, "verb": self.verb},
            "outcome": self.outcome,
        }


class Waiting(NamedTuple):
    """Unit that is not restarted or stopped yet, because running containers would end."""

    unit: str
    cause: str


class Restraint(NamedTuple):
    """Effect of the option C(running_containers) on a plan.

    :param at_risk: containers that the plan would end or leave without its restraint.
    :param taken: the containers among them that the restrained plan ends or leaves.
    :param pending: units whose restart or stop waits.
    :param refusal: why the plan must not be applied, empty if it can be.
    """

    at_risk: Sequence[AtRisk] = ()
    taken: Sequence[AtRisk] = ()
    pending: Sequence[Waiting] = ()
    warnings: Sequence[str] = ()
    refusal: str = ""

    @property
    def diffs(self) -> list[dict[str, str]]:
        """Return Ansible's diff of the running containers, empty if nothing happens to them."""
        if not self.taken:
            return []
        header = "running containers"
        return [
            {
                "before_header": header,
                "after_header": header,
                "before": "".join(f"{each.container}\n" for each in self.taken),
                "after": "".join(
                    f"{each.container}, without a runtime\n"
                    for each in self.taken
                    if each.outcome == "left"
                ),
            }
        ]


NO_RESTRAINT = Restraint()


def find_at_risk(
    daemons: Iterable[Daemon],
    steps: Sequence[Step],
    units: dict[str, Unit],
    takeover: Step | None = None,
) -> list[AtRisk]:
    """Return the containers that steps would end or leave without a runtime, each with one step.

    :param daemons: the running runtimes.
    :param takeover: step that starts another runtime for the node, None without one. It leaves the
        containers of a runtime that keeps running.
    """
    found: dict[str, AtRisk] = {}
    for daemon in daemons:
        for each in _find_of(daemon, steps, units, takeover):
            found.setdefault(each.container.id, each)
    return list(found.values())


def _find_of(
    daemon: Daemon, steps: Sequence[Step], units: dict[str, Unit], takeover: Step | None
) -> Iterator[AtRisk]:
    outlive_stop = daemon.outlive_stop
    is_stopped = False
    for step in steps:
        if step.verb == "reload" and set(step.units) & set(daemon.services):
            # A runtime is reloaded before its restart so that its containers keep running.
            outlive_stop = True
        if step.verb not in ("restart", "stop"):
            continue
        stopped = find_stopped(step.units, units)
        killing = {name for name in stopped if units[name].kills_all}
        own = next((name for name in daemon.services if name in stopped), None)
        is_stopped = is_stopped or own is not None
        outlive = outlive_stop and (step.verb == "stop" or daemon.outlive_start)
        for container in daemon.containers:
            killer = next(iter(sorted(killing & container.units)), None)
            if killer or (own and not outlive):
                yield AtRisk(container, daemon, killer or own or "", step.verb, "ended")
            elif own and step.verb == "stop":
                yield AtRisk(container, daemon, own, step.verb, "left")
    if takeover is not None and not is_stopped:
        for container in daemon.containers:
            yield AtRisk(container, daemon, takeover.units[-1], takeover.verb, "left")


def find_stopped(names: Iterable[str], units: dict[str, Unit]) -> set[str]:
    """Return the running units that a stop or a restart of units stops, and the units that follow.

    :param units: all units of the runtimes.
    """
    stopped = set(names)
    while True:
        following = {unit.name for unit in units.values() if unit.stops_with & stopped}
        if following <= stopped:
            return {name for name in stopped if name in units and not units[name].stopped}
        stopped |= following


def describe(found: Iterable[AtRisk]) -> str:
    """Return a clause for each step: which containers it would end or leave without a runtime."""
    groups: dict[str, list[str]] = {}
    for each in found:
        effect = "end {}" if each.outcome == "ended" else "leave {} without a runtime"
        clause = f"the {each.verb} of {each.unit} would {effect}"
        groups.setdefault(clause, []).append(str(each.container))
    return "; ".join(clause.format(_list(names)) for clause, names in groups.items())


def _list(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
