# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of Docker, including containers of cri-dockerd and of the former dockershim."""

from __future__ import annotations

import json
import shlex
from typing import Any, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import docker_cli
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    TOOL_TIME,
    Container,
    Containers,
    Item,
    Sandbox,
    Snapshot,
    find_causes,
    name_images,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import parsing
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner

#: Template for the properties of a container, as a line of JSON, without the environment.
RECORD = (
    "[{{json .Id}},{{json .Name}},{{json .State}},{{json .Created}},{{json .Config.Image}},"
    "{{json .Image}},{{json .Config.Labels}}]"
)
#: Template for the properties of an image.
IMAGE = "[{{json .Id}},{{json .RepoTags}}]"
_ENVIRONMENT = "[{{json .Id}},{{json .Config.Env}}]"
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
    """Containers of Docker, through its command-line client.

    :param host: address of the engine.
    """

    def __init__(self, runner: Runner, host: str = docker_cli.ENDPOINT) -> None:
        super().__init__(runner)
        self._host = host

    def look(self) -> Snapshot:
        ids = self._ask("ps", "--all", "--quiet", "--no-trunc").split()
        snapshot = parse(self._inspect("container", RECORD, ids))
        return snapshot._replace(containers=name_images(snapshot.containers, self._image_names))

    def stop(self, containers: Sequence[Item], timeout: int) -> dict[str, str]:
        # Stop all containers at the same time, so each of them has the full timeout.
        return self._do(containers, "stop", "--time", str(timeout), patience=timeout)

    def remove(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._do(containers, "rm", "--force")

    def pause(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._do(containers, "pause")

    def unpause(self, items: Sequence[Item]) -> dict[str, str]:
        return self._do(items, "unpause")

    def stop_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self._do(sandboxes, "stop", "--time", "10", patience=10)

    def remove_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self._do(sandboxes, "rm", "--force")

    @parsing("docker container inspect")
    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        ids = [container.id for container in containers]
        text = self._inspect("container", _ENVIRONMENT, ids)
        return {key: env or [] for key, env in (json.loads(line) for line in text.splitlines())}

    def log(self, container: Container, lines: int) -> Result:
        return self._run("logs", "--tail", str(lines), container.id, merged=True)

    @property
    def _tool(self) -> str:
        return shlex.quote(self._runner.which("docker") or "docker")

    def _run(self, *words: str, timeout: float = TOOL_TIME, merged: bool = False) -> Result:
        return self._runner.run(
            *docker_cli.argv(*words, host=self._host), timeout=timeout, merged=merged
        )

    def _ask(self, *argv: str) -> str:
        result = self._run(*argv)
        if result.rc != 0:
            raise result.failure(f"docker {' '.join(argv)}")
        return result.out

    @parsing("docker image inspect")
    def _image_names(self, ids: list[str]) -> dict[str, str]:
        lines = self._inspect("image", IMAGE, ids).splitlines()
        return {key: tags[0] for key, tags in map(json.loads, lines) if tags}

    def _inspect(self, kind: str, template: str, ids: list[str]) -> str:
        return docker_cli.inspect(self._runner, kind, ids, "--format", template, host=self._host)

    def _do(self, items: Sequence[Item], *argv: str, patience: int = 0) -> dict[str, str]:
        ids = [item.id for item in items]
        timeout = TOOL_TIME + patience + 10 * len(ids)
        return find_causes(self._run(*argv, *ids, timeout=timeout), items)


@parsing("docker container inspect")
def parse(lines: str) -> Snapshot:
    """Parse C(docker container inspect) with the template RECORD."""
    found = [_Found(*json.loads(line)) for line in lines.splitlines() if line.strip()]
    named = [(each, names(each.name[1:], each.labels or {})) for each in found]
    sandboxes = [(each, name) for each, name in named if name.container == _SANDBOX and name.pod]
    # Only containers of cri-dockerd have a label with their sandbox, so use the names of the pod.
    by_pod = {name.of_pod: each.id for each, name in sandboxes}
    return Snapshot(
        [
            _container(each, name, by_pod)
            for each, name in named
            if not (name.container == _SANDBOX and name.pod)
        ],
        [
            Sandbox(
                id=each.id,
                pod=name.pod or "",
                namespace=name.namespace or "",
                state="exited" if _state(each) == "created" else _state(each),
            )
            for each, name in sandboxes
        ],
    )


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


class _Found(NamedTuple):
    """Fields of C(RECORD)."""

    id: str
    name: str
    state: dict[str, Any]
    created: str
    image: str
    image_id: str
    labels: dict[str, str] | None


def _container(found: _Found, name: Names, by_pod: dict[tuple[str | None, ...], str]) -> Container:
    labels = found.labels or {}
    return Container(
        id=found.id,
        name=name.container,
        namespace=name.namespace,
        pod=name.pod,
        pod_id=labels.get("io.kubernetes.sandbox.id") or by_pod.get(name.of_pod),
        image=found.image,
        image_id=found.image_id,
        state=_state(found),
        # Remove the fraction of a second.
        created=found.created[:19] + "Z",
        labels=labels,
        pid=found.state["Pid"] or None,
    )


def _state(found: _Found) -> str:
    return _STATES.get(found.state["Status"], "unknown")
