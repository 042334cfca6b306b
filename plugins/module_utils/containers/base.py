# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every runtime tells of its containers, and the verbs that change them."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any, Callable, Iterable, NamedTuple, Union

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    full_id,
    image_id,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime

#: Seconds that a tool may take beside what it is told to wait.
PATIENCE = 60


@dataclasses.dataclass(frozen=True)
class Container:
    """One container as it was at one moment, the same for all runtimes.

    :param namespace: that of its pod; None where it is in no pod, as are pod and pod_id.
    :param state: running, paused, exited, created or unknown.
    :param created: in UTC, as in C(2026-11-23T10:15:00Z).
    :param pid: of its first process, as the node numbers it; None where none runs.
    :param oci: who can pause it; None where that is the runtime itself, or nobody.
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
        """What a module returns of it."""
        fields = dataclasses.asdict(self)
        del fields["oci"]
        return fields

    def __str__(self) -> str:
        path = "/".join(filter(None, (self.namespace, self.pod, self.name)))
        return f"{self.id} ({path})"


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """What holds the namespaces of a pod.

    :param pod: the pod's name.
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
        """What a module returns of it."""
        return {"id": self.id, "pod": self.pod, "namespace": self.namespace, "state": self.state}

    def __str__(self) -> str:
        return f"{self.id} ({self.namespace}/{self.pod}, sandbox)"


#: What the verbs are done to.
Item = Union[Container, Sandbox]


class Snapshot(NamedTuple):
    """All that a runtime had at one moment."""

    containers: list[Container]
    sandboxes: list[Sandbox]


class Containers:
    """The containers of a running runtime.

    The verbs take what C(look) returned, and return why they failed, by id. They go on after a
    failure, so that what is not named was done.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def look(self) -> Snapshot:
        """Return all containers and sandboxes, whatever their state.

        :raises CommandError: the runtime does not answer.
        """
        raise NotImplementedError

    def stop(self, containers: list[Container], timeout: int) -> dict[str, str]:
        """Ask them to end, and kill those that have not after so many seconds."""
        raise NotImplementedError

    def remove(self, containers: list[Container]) -> dict[str, str]:
        """Remove them, killing those that run."""
        raise NotImplementedError

    def pause(self, containers: list[Container]) -> dict[str, str]:
        raise NotImplementedError

    def unpause(self, containers: list[Container]) -> dict[str, str]:
        raise NotImplementedError

    def stop_sandboxes(self, sandboxes: list[Sandbox]) -> dict[str, str]:
        raise NotImplementedError

    def remove_sandboxes(self, sandboxes: list[Sandbox]) -> dict[str, str]:
        raise NotImplementedError

    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        """Return C(NAME=VALUE) of each container's environment, by id."""
        raise NotImplementedError

    def log(self, container: Container, lines: int) -> Result:
        """Return the last lines that it wrote, to either stream and in that order, as output."""
        raise NotImplementedError

    def log_command(self, container_id: str, lines: int, follow: bool = False) -> str:
        """Return what a person would type to read a container's log.

        :param lines: how many of the last.
        """
        return f"sudo {self._tool} logs --tail {lines} {'--follow ' * follow}{container_id}"

    @property
    def status_command(self) -> str:
        """What a person would type to see all containers."""
        return f"sudo {self._tool} ps -a"

    @property
    def _tool(self) -> str:
        """The tool for persons."""
        raise NotImplementedError


def name_images(
    containers: list[Container], ask: Callable[[list[str]], dict[str, str]]
) -> list[Container]:
    """Return containers with the names of their images, where a kubelet asked for an id.

    :param ask: returns names of images by their ids; asked only if there is such a container.
    """
    ids = {full_id(each.image) for each in containers if image_id(each.image)}
    names = ask(sorted(ids)) if ids else {}
    return [
        dataclasses.replace(each, image=names.get(full_id(each.image), each.image))
        for each in containers
    ]


def utc(seconds: int) -> str:
    """Return a moment, in seconds since the epoch, as records have it."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def failures(result: Result, items: Iterable[Item]) -> dict[str, str]:
    """Return why a tool failed for some of the items that it was given, by id.

    A tool that takes several ids names on its output each one that it is done with.
    """
    if result.rc == 0:
        return {}
    return {item.id: reason(result, item.id) for item in items if item.id not in result.out}


def reason(result: Result, wanted: str) -> str:
    """Pick the words about one id from all that a tool said."""
    # crictl logs each call that fails, and then says the same as its own error.
    said = [line for line in result.err.splitlines() if not re.match(r"[EWI]\d{4} ", line)]
    for line in said:
        _before, found, after = _plain(line).partition(wanted)
        if found:
            return after.strip('": ') or _plain(line)
    return _plain(" ".join(said)) or result.words


def _plain(line: str) -> str:
    """Return what a logger wraps in C(time=... level=fatal msg="...")."""
    match = re.search(r'msg="(.*)"$', line.strip())
    return match.group(1).replace('\\"', '"') if match else line.strip()
