# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the running runtimes of a node for their running containers.

Only runs that would stop or restart a runtime need this module.
"""

from __future__ import annotations

import contextlib
from typing import Any, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import (
    cgroups,
    command_line,
    containerd_api,
    cri,
)
from ansible_collections.cruntime.node.plugins.module_utils.at_risk import Container, Daemon
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.shims import (
    PLUGINS_OF_DOCKER,
    namespace_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

_RUNNING = "CONTAINER_RUNNING"
_LABEL = "io.kubernetes."


class _Answer(NamedTuple):
    """Response of a runtime.

    :param containers: running containers. The IDs of their pod sandboxes are in C(sandboxes).
    :param known: IDs of all containers and pod sandboxes, in any state.
    :param sandboxes: by ID of a container, the ID of its pod sandbox.
    :param outlive_stop: see C(at_risk.Daemon).
    :param is_complete: whether other processes that look like holders hold no containers.
    """

    containers: list[Container]
    known: frozenset[str]
    sandboxes: dict[str, str]
    outlive_stop: bool = True
    is_complete: bool = False


def read_daemons(
    runtimes: Iterable[Runtime], units: dict[str, Unit], *, outlive_start: bool
) -> list[Daemon]:
    """Return the running runtimes with their running containers.

    :param outlive_start: whether the containers of Docker would keep running at its next start.
    """
    active = [runtime for runtime in runtimes if runtime.active(units)]
    processes = list(command_line.list_processes()) if active else []
    return [_read_daemon(runtime, processes, outlive_start) for runtime in active]


def _read_daemon(
    runtime: Runtime, processes: list[tuple[int, list[str]]], outlive_start: bool
) -> Daemon:
    is_docker = isinstance(runtime, Docker)
    holders: dict[str, set[int]] = {}
    for pid, argv in processes:
        if runtime.holds_container(argv):
            holders.setdefault(_find_id(argv), set()).add(pid)
    try:
        answer = (
            ask_docker(runtime)
            if isinstance(runtime, Docker)
            else ask_cri(runtime.socket_path, runtime.request_timeout)
        )
    except RequestError:
        # The runtime does not respond, or has no CRI. Each holder is a container or a pod sandbox.
        answer = _Answer([], frozenset(), {}, outlive_stop=not is_docker)
    unknown = set() if answer.is_complete else {*holders} - answer.known - {""}
    containers = [*answer.containers, *(Container(each, each) for each in sorted(unknown))]
    return Daemon(
        runtime.name,
        runtime.label,
        runtime.services,
        [_locate(each, holders, answer.sandboxes) for each in containers],
        answer.outlive_stop,
        outlive_start or not is_docker,
    )


def find_orphans(runtime: Runtime, holders: dict[int, list[str]]) -> set[int]:
    """Return the processes that hold containers which the running runtime does not know.

    No runtime can end them. They remain, for example, after a downgrade of containerd.

    :param holders: command lines of processes that hold containers of the runtime, by PID.
    :return: PIDs, empty if the runtime does not respond.
    """
    # Docker does not list its plugins as containers.
    namespaces = {
        pid: namespace_of(argv)
        for pid, argv in holders.items()
        if namespace_of(argv) != PLUGINS_OF_DOCKER
    }
    known: dict[str, frozenset[str]] = {}
    try:
        for namespace in {*namespaces.values()}:
            known[namespace] = _read_known(runtime, namespace)
    except RequestError:
        return set()
    return {
        pid
        for pid, namespace in namespaces.items()
        if _find_id(holders[pid]) not in known[namespace]
    }


def _read_known(runtime: Runtime, namespace: str) -> frozenset[str]:
    """Return the IDs of all containers and pod sandboxes that a runtime knows.

    :param namespace: namespace of containerd, empty if the processes of the runtime have none.
    :raises RequestError: if the runtime does not respond.
    """
    if isinstance(runtime, Docker):
        return ask_docker(runtime).known
    if not namespace:
        return ask_cri(runtime.socket_path, runtime.request_timeout).known
    metadata = {"containerd-namespace": namespace}
    with Channel(runtime.socket_path, runtime.request_timeout, metadata=metadata) as channel:
        return frozenset(each["id"] for each in containerd_api.list_tasks(channel))


def ask_docker(docker: Docker) -> _Answer:
    """Return the containers of Docker.

    :raises RequestError: if Docker does not respond.
    """
    api = docker.api()
    return parse_docker(api.info(), api.containers(include_stopped=True))


@parsing("GET /containers/json")
def parse_docker(info: dict[str, Any], listed: list[dict[str, Any]]) -> _Answer:
    """Parse the responses of Docker. The pod sandboxes of cri-dockerd are containers too."""
    containers = []
    for each in listed:
        labels = each["Labels"] or {}
        is_alive = each["State"] in ("running", "paused", "restarting")
        if is_alive and labels.get(f"{_LABEL}docker.type") != "podsandbox":
            containers.append(
                Container(
                    each["Id"],
                    labels.get(f"{_LABEL}container.name") or each["Names"][0].lstrip("/"),
                    labels.get(f"{_LABEL}pod.namespace"),
                    labels.get(f"{_LABEL}pod.name"),
                )
            )
    known = frozenset(each["Id"] for each in listed)
    # Docker starts its plugins again, which have shims too.
    return _Answer(containers, known, {}, info["LiveRestoreEnabled"], is_complete=True)


def ask_cri(path: str, timeout: float) -> _Answer:
    """Return the containers of a runtime with a CRI.

    :param path: CRI socket.
    :param timeout: time for each request, in seconds.
    :raises RequestError: if no CRI responds.
    """
    with Channel(path, timeout) as channel:
        return parse_cri(cri.list_containers(channel), cri.list_pod_sandboxes(channel))


def parse_cri(listed: list[dict[str, Any]], sandboxes: list[dict[str, Any]]) -> _Answer:
    """Parse the responses of a CRI. A paused container is running in the CRI."""
    pods = {each["id"]: each["metadata"] or {} for each in sandboxes}
    running = [each for each in listed if each["state"] == _RUNNING]
    containers = []
    for each in running:
        pod = pods.get(each["pod_sandbox_id"], {})
        name = (each["metadata"] or {}).get("name") or each["id"]
        containers.append(Container(each["id"], name, pod.get("namespace"), pod.get("name")))
    known = frozenset(each["id"] for each in (*listed, *sandboxes))
    return _Answer(containers, known, {each["id"]: each["pod_sandbox_id"] for each in running})


def _find_id(argv: list[str]) -> str:
    """Return the ID in the command line of a shim or of conmon, empty if it has none."""
    # conmon has the short flag only.
    return command_line.find_flag(argv, "id", "c", "cid") or ""


def _locate(
    container: Container, holders: dict[str, set[int]], sandboxes: dict[str, str]
) -> Container:
    """Add the units in which the processes that hold a container run."""
    # A shim holds all containers of a pod, under the ID of the pod sandbox.
    ids = (container.id, sandboxes.get(container.id, ""))
    pids = {pid for each in ids for pid in holders.get(each, ())}
    units: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            units |= cgroups.read_units(pid)
    return container._replace(units=frozenset(units))
