# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of Docker, including containers of cri-dockerd and of the former dockershim."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import docker_streams
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    TOOL_TIME,
    Container,
    Containers,
    Item,
    Sandbox,
    Snapshot,
    name_images,
)
from ansible_collections.cruntime.node.plugins.module_utils.docker_api import (
    PARALLEL,
    DockerApi,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.paths import DOCKER_SOCKET
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

# Length of the end of a log that is kept, in bytes: much longer than the text that is returned.
_LOG_KEPT = 4 * 1024 * 1024
# Codes of success: the object already has the state, or does not exist.
_NOTHING_TO_DO = (304, 404)
_STATES = {
    "created": "created",
    "running": "running",
    # Docker starts the container again until it is stopped.
    "restarting": "running",
    "paused": "paused",
    "exited": "exited",
    "dead": "exited",
}
_PREFIX = "k8s_"
_SANDBOX = "POD"


class Names(NamedTuple):
    """Names of a container in Kubernetes, None outside of Kubernetes."""

    container: str
    pod: str | None = None
    namespace: str | None = None
    uid: str | None = None

    @property
    def of_pod(self) -> tuple[str | None, ...]:
        """Return the names that all containers of a pod have in common."""
        return self[1:]


class DockerContainers(Containers):
    """Containers of Docker, through the API of the engine.

    :param path: path of the unix socket of the engine.
    """

    def __init__(self, runner: Runner, path: str = DOCKER_SOCKET) -> None:
        super().__init__(runner)
        self._path = path
        self._api = DockerApi(TOOL_TIME, path)

    def look(self) -> Snapshot:
        ids = [item["Id"] for item in self._api.containers(include_stopped=True)]
        snapshot = parse(self._inspect(ids))
        return snapshot._replace(containers=name_images(snapshot.containers, self._image_names))

    def stop(self, containers: Sequence[Item], timeout: int) -> dict[str, str]:
        return self._do(containers, "POST", "/stop", patience=timeout, t=str(timeout))

    def remove(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._do(containers, "DELETE", force="1")

    def pause(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._do(containers, "POST", "/pause")

    def unpause(self, items: Sequence[Item]) -> dict[str, str]:
        return self._do(items, "POST", "/unpause")

    def stop_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self.stop(sandboxes, 10)

    def remove_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self.remove(sandboxes)

    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        return parse_environments(self._inspect([container.id for container in containers]))

    def log(self, container: Container, lines: int) -> str:
        found = self._api.find(f"/containers/{container.id}/json") or {}
        has_terminal = bool((found.get("Config") or {}).get("Tty"))
        query = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        target = f"/containers/{container.id}/logs"
        with self._api.stream("GET", target, query) as pieces:
            # The log of a terminal has no frames.
            content = pieces if has_terminal else docker_streams.read_frames(pieces)
            text = docker_streams.keep_last(content, _LOG_KEPT)
        return text.decode("utf-8", errors="replace")

    @property
    def _tool(self) -> str:
        return shlex.quote(self._runner.which("docker") or "docker")

    @parsing("GET /images/ID/json")
    def _image_names(self, ids: list[str]) -> dict[str, str]:
        found = self._api.find_all(f"/images/{each}/json" for each in ids)
        return {item["Id"]: item["RepoTags"][0] for item in found if item["RepoTags"]}

    def _inspect(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the properties of containers. Containers that no longer exist are skipped."""
        return self._api.find_all(f"/containers/{each}/json" for each in ids)

    def _do(
        self, items: Sequence[Item], method: str, action: str = "", patience: int = 0, **query: str
    ) -> dict[str, str]:
        """Perform an action on all items at once, and return the cause of each failure, by ID."""
        ids = [item.id for item in items]
        api = DockerApi(TOOL_TIME + patience + 10 * len(ids), self._path)

        def act(each: str) -> str:
            try:
                api.change(method, f"/containers/{each}{action}", **query)
            except RequestError as error:
                return "" if error.code in _NOTHING_TO_DO else error.cause
            return ""

        with ThreadPoolExecutor(PARALLEL) as pool:
            return {each: cause for each, cause in zip(ids, pool.map(act, ids)) if cause}


@parsing("GET /containers/ID/json")
def parse(items: list[dict[str, Any]]) -> Snapshot:
    """Return containers and sandboxes from the properties of containers."""
    named = [(each, names(each["Name"][1:], _labels(each))) for each in items]
    sandboxes = [(each, name) for each, name in named if name.container == _SANDBOX and name.pod]
    # Only containers of cri-dockerd have a label with their sandbox, so use the names of the pod.
    by_pod = {name.of_pod: each["Id"] for each, name in sandboxes}
    return Snapshot(
        [
            _container(each, name, by_pod)
            for each, name in named
            if not (name.container == _SANDBOX and name.pod)
        ],
        [
            Sandbox(
                id=each["Id"],
                pod=name.pod or "",
                namespace=name.namespace or "",
                state="exited" if _state(each) == "created" else _state(each),
            )
            for each, name in sandboxes
        ],
    )


@parsing("GET /containers/ID/json")
def parse_environments(items: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the environment of containers from their properties, by ID."""
    return {item["Id"]: item["Config"]["Env"] or [] for item in items}


def names(name: str, labels: dict[str, str]) -> Names:
    """Return the names of a container in Kubernetes from its labels or its name.

    The name is C(k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT). Its parts have no underscore.
    """
    parts = name.split("_")[1:5] if name.startswith(_PREFIX) else [name]
    container, pod, namespace, uid = (*parts, *[""] * 4)[:4]
    key = "io.kubernetes."
    return Names(
        labels.get(f"{key}container.name") or container or name,
        labels.get(f"{key}pod.name") or pod or None,
        labels.get(f"{key}pod.namespace") or namespace or None,
        labels.get(f"{key}pod.uid") or uid or None,
    )


def _container(
    item: dict[str, Any], name: Names, by_pod: dict[tuple[str | None, ...], str]
) -> Container:
    labels = _labels(item)
    return Container(
        id=item["Id"],
        name=name.container,
        namespace=name.namespace,
        pod=name.pod,
        pod_id=labels.get("io.kubernetes.sandbox.id") or by_pod.get(name.of_pod),
        image=item["Config"]["Image"],
        image_id=item["Image"],
        state=_state(item),
        # Remove the fraction of a second.
        created=item["Created"][:19] + "Z",
        labels=labels,
        pid=item["State"]["Pid"] or None,
    )


def _labels(item: dict[str, Any]) -> dict[str, str]:
    return item["Config"]["Labels"] or {}


def _state(item: dict[str, Any]) -> str:
    return _STATES.get(item["State"]["Status"], "unknown")
