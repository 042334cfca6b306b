# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface to the containers of a runtime, and the types that it returns."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Callable, Literal, NamedTuple, Sequence, Union

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    full_id,
    image_id,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime

#: Timeout of a tool in addition to the time that it must wait, in seconds.
TOOL_TIME = 60


@dataclasses.dataclass(frozen=True)
class Container:
    """State of a container at one time; the same fields for every runtime.

    :param namespace: namespace of the pod. Without a pod, namespace, pod and pod_id are None.
    :param state: running, paused, exited, created or unknown.
    :param created: time in UTC, such as C(2026-11-23T10:15:00Z).
    :param pid: PID of the init process on the node; None if the container is not running.
    :param oci: OCI runtime that can pause the container; None if there is none, or if it is paused
        through the runtime.
    """

    id: str
    name: str
    namespace: str | None
    pod: str | None
    pod_id: str | None
    image: str
    image_id: str
    state: str
    created: str
    labels: dict[str, str]
    pid: int | None = None
    oci: OciRuntime | None = None

    @property
    def result(self) -> dict[str, Any]:
        """Return the container as the modules return it."""
        fields = dataclasses.asdict(self)
        del fields["oci"]
        return fields

    def __str__(self) -> str:
        path = "/".join(filter(None, (self.namespace, self.pod, self.name)))
        return f"{self.id} ({path})"


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """Pod sandbox.

    :param pod: name of the pod.
    :param state: running, paused or exited.
    """

    id: str
    pod: str
    namespace: str
    state: str
    oci: OciRuntime | None = None

    @property
    def pod_id(self) -> str:
        return self.id

    @property
    def result(self) -> dict[str, Any]:
        """Return the sandbox as the modules return it."""
        return {"id": self.id, "pod": self.pod, "namespace": self.namespace, "state": self.state}

    def __str__(self) -> str:
        return f"{self.id} ({self.namespace}/{self.pod}, sandbox)"


#: A container or a sandbox.
Item = Union[Container, Sandbox]
#: A method of C(Containers) that changes containers or sandboxes.
Verb = Literal["stop", "remove", "pause", "unpause", "stop_sandboxes", "remove_sandboxes"]


class Snapshot(NamedTuple):
    """All containers and sandboxes of a runtime at one time."""

    containers: list[Container]
    sandboxes: list[Sandbox]


class Containers:
    """Containers of a running runtime.

    The methods that change containers take items that C(look) returned. After a failure, they
    continue with the next item. They return the cause of each failure, by ID.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def look(self) -> Snapshot:
        """Return all containers and sandboxes, in any state.

        :raises CommandError: if the runtime does not respond.
        """
        raise NotImplementedError

    def apply(self, verb: Verb, items: Sequence[Item], timeout: int) -> dict[str, str]:
        """Perform one step of a plan, and return the cause of each failure, by ID.

        :param timeout: time in seconds for a stopped container to exit before it is killed.
        :raises CommandError: if the runtime does not respond.
        """
        if verb == "stop":
            return self.stop(items, timeout)
        actions: dict[Verb, Callable[[Sequence[Item]], dict[str, str]]] = {
            "remove": self.remove,
            "pause": self.pause,
            "unpause": self.unpause,
            "stop_sandboxes": self.stop_sandboxes,
            "remove_sandboxes": self.remove_sandboxes,
        }
        return actions[verb](items)

    def stop(self, containers: Sequence[Item], timeout: int) -> dict[str, str]:
        """Stop containers, and kill containers that still run after the timeout."""
        raise NotImplementedError

    def remove(self, containers: Sequence[Item]) -> dict[str, str]:
        """Remove containers, and kill running containers."""
        raise NotImplementedError

    def pause(self, containers: Sequence[Item]) -> dict[str, str]:
        """Freeze all processes of containers."""
        raise NotImplementedError

    def unpause(self, items: Sequence[Item]) -> dict[str, str]:
        """Unfreeze paused containers and sandboxes."""
        raise NotImplementedError

    def stop_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        """Stop sandboxes, and the containers in them."""
        raise NotImplementedError

    def remove_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        """Remove sandboxes, and the containers in them."""
        raise NotImplementedError

    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        """Return the environment of containers as C(NAME=VALUE), by ID.

        A container whose environment cannot be read, because it is gone, is omitted.
        """
        raise NotImplementedError

    def log(self, container: Container, lines: int) -> str:
        """Return the last lines of both streams of a container, in order.

        :raises CruntimeError: if the log cannot be read.
        """
        raise NotImplementedError

    def log_command(self, container_id: str, lines: int, follow: bool = False) -> str:
        """Return a shell command that shows the log of a container.

        :param lines: number of the last lines.
        """
        return f"sudo {self._tool} logs --tail {lines} {'--follow ' * follow}{container_id}"

    @property
    def status_command(self) -> str:
        """Return a shell command that lists all containers."""
        return f"sudo {self._tool} ps -a"

    @property
    def _tool(self) -> str:
        """Return the tool for such commands."""
        raise NotImplementedError


def name_images(
    containers: list[Container], ask: Callable[[list[str]], dict[str, str]]
) -> list[Container]:
    """Replace image IDs with names, because a kubelet can create containers from an image ID.

    :param ask: returns image names by ID; called only if there is such a container.
    """
    ids = {full_id(each.image) for each in containers if image_id(each.image)}
    names = ask(sorted(ids)) if ids else {}
    return [
        dataclasses.replace(each, image=names.get(full_id(each.image), each.image))
        for each in containers
    ]


def utc(seconds: int) -> str:
    """Return a time in seconds since the epoch in the format of C(Container.created)."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
