# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of a CRI, through crictl and the OCI runtimes.

The CRI has no paused state, so the OCI runtimes report which containers are paused.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import shlex
from typing import Any, Callable, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import crictl
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    TOOL_TIME,
    Container,
    Containers,
    Item,
    Sandbox,
    Snapshot,
    find_cause,
    find_causes,
    name_images,
    utc,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import full_id
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime

_STATES = {
    "CONTAINER_RUNNING": "running",
    "CONTAINER_EXITED": "exited",
    "CONTAINER_CREATED": "created",
    "SANDBOX_READY": "running",
    "SANDBOX_NOTREADY": "exited",
}
# Number of tools that run at once. They need mostly processor time.
_PARALLEL = 4
#: Returns OCI runtimes by runtime handler; the name of the default handler is empty. The value is
#: None if a handler has no tool that lists its containers.
OciRuntimes = Callable[[], "dict[str, OciRuntime | None]"]


class CriContainers(Containers):
    """Containers of containerd or CRI-O.

    :param endpoint: CRI endpoint, as a URL.
    :param oci_runtimes: returns the OCI runtimes in the configuration of the runtime.
    """

    def __init__(self, runner: Runner, endpoint: str, oci_runtimes: OciRuntimes) -> None:
        super().__init__(runner)
        self._endpoint = endpoint
        # The configuration does not change during a task.
        self._oci_runtimes = functools.lru_cache(maxsize=None)(oci_runtimes)

    def look(self) -> Snapshot:
        try:
            return self._look()
        except CommandError:
            # A container can end between two commands, which is not an error.
            return self._look()

    def _look(self) -> Snapshot:
        ps = self._ask("ps", "--all", "--output", "json")["containers"]
        pods = self._ask("pods", "--output", "json")["items"]
        alive = any(_STATES.get(item["state"]) == "running" for item in [*ps, *pods])
        known = self._oci_runtimes() if alive else {}
        handlers = {each: known.get(name) for each, name in self._handlers(pods, known).items()}
        running = {each["id"] for each in ps if each["state"] == "CONTAINER_RUNNING"}
        used = {handlers.get(each["podSandboxId"]) for each in ps if each["id"] in running}
        used |= {handlers[pod["id"]] for pod in pods if pod["state"] == "SANDBOX_READY"}
        lists = [self._list_of(oci) for oci in sorted(filter(None, used))]
        kernel = {each["id"]: each for listed in lists for each in listed}
        expected = {
            each["id"]
            for each in ps
            if each["id"] in running and handlers.get(each["podSandboxId"])
        }
        if expected and not expected.intersection(kernel):
            tools = " and ".join(_command(oci, "list") for oci in sorted(filter(None, used)))
            raise CommandError(
                f"'{tools}' lists none of the {len(expected)} containers that crictl lists as "
                "running",
                reason="output_inconsistent",
            )
        snapshot = join(ps, pods, handlers, kernel)
        return snapshot._replace(containers=name_images(snapshot.containers, self._image_names))

    def _handlers(
        self, pods: list[dict[str, Any]], _known: dict[str, OciRuntime | None]
    ) -> dict[str, str]:
        """Return the runtime handler of each pod by sandbox ID, empty for the default handler."""
        return {pod["id"]: pod.get("runtimeHandler", "") for pod in pods}

    def stop(self, containers: Sequence[Item], timeout: int) -> dict[str, str]:
        return self._one_by_one(containers, timeout, "stop", "--timeout", str(timeout))

    def remove(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._at_once(containers, "rm", "--force")

    def stop_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self._one_by_one(sandboxes, TOOL_TIME, "stopp")

    def remove_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self._at_once(sandboxes, "rmp", "--force")

    def pause(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._each("pause", containers)

    def unpause(self, items: Sequence[Item]) -> dict[str, str]:
        return self._each("resume", items)

    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        ids = [container.id for container in containers]
        result = self._run("inspect", "--output", "json", *ids)
        if result.rc != 0 and len(ids) > 1:
            # If one container no longer exists, crictl returns nothing about the others.
            each = (self.environments([container]) for container in containers)
            return {key: value for answer in each for key, value in answer.items()}
        return parse_environments(result.out) if result.rc == 0 else {}

    def log(self, container: Container, lines: int) -> Result:
        return self._run("logs", "--tail", str(lines), container.id, merged=True)

    @property
    def _tool(self) -> str:
        return shlex.quote(self._runner.which("crictl") or "crictl")

    def _run(self, *argv: str, timeout: float = TOOL_TIME, merged: bool = False) -> Result:
        return crictl.run(self._runner, self._endpoint, *argv, timeout=timeout, merged=merged)

    def _ask(self, *argv: str) -> dict[str, Any]:
        with parsing(f"crictl {argv[0]}"):
            answer: dict[str, Any] = json.loads(self._output(*argv))
        return answer

    def _output(self, *argv: str) -> str:
        result = self._run(*argv)
        if result.rc != 0:
            raise result.failure(
                f"crictl {' '.join(argv)}", cause=find_cause(result, self._endpoint)
            )
        return result.out

    def _at_once(self, items: Sequence[Item], *argv: str) -> dict[str, str]:
        ids = [item.id for item in items]
        return find_causes(self._run(*argv, *ids, timeout=TOOL_TIME + 10 * len(ids)), items)

    def _one_by_one(self, items: Sequence[Item], each: int, *argv: str) -> dict[str, str]:
        """Run a command that ends at the first failure, again for the remaining items."""
        failed: dict[str, str] = {}
        while items:
            ids = [item.id for item in items]
            result = self._run(*argv, *ids, timeout=TOOL_TIME + (each + 10) * len(ids))
            if result.rc == 0:
                break
            items = [item for item in items if item.id not in result.out]
            if items:
                failed[items[0].id] = find_cause(result, items[0].id)
            items = items[1:]
        return failed

    @parsing("crictl images")
    def _image_names(self, _ids: list[str]) -> dict[str, str]:
        images = self._ask("images", "--output", "json")["images"]
        return {full_id(image["id"]): image["repoTags"][0] for image in images if image["repoTags"]}

    def _list_of(self, oci: OciRuntime) -> list[dict[str, Any]]:
        argv = _argv(oci, "list", "--format", "json")
        # An empty list is null.
        with parsing(_command(oci, "list")):
            return json.loads(self._runner.output(*argv)) or []

    def _each(self, verb: str, items: Sequence[Item]) -> dict[str, str]:
        """Run a command that takes one item only, a few processes at once."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            causes = pool.map(lambda item: self._one(verb, item), items)
            return {item.id: cause for item, cause in zip(items, causes) if cause is not None}

    def _one(self, verb: str, item: Item) -> str | None:
        """Run a command, and return the cause of its failure; None if it succeeded."""
        if item.oci is None:
            return f"its runtime handler has no tool with the command {verb}"
        try:
            result = self._runner.run(*_argv(item.oci, verb, item.id))
        except CommandError as error:
            return str(error)
        return None if result.rc == 0 else find_cause(result, item.id)


def join(
    ps: list[dict[str, Any]],
    pods: list[dict[str, Any]],
    handlers: dict[str, OciRuntime | None],
    kernel: dict[str, dict[str, Any]],
) -> Snapshot:
    """Combine the output of crictl and of the OCI runtimes.

    :param ps: containers of C(crictl ps).
    :param pods: pods of C(crictl pods).
    :param handlers: OCI runtime of each pod, by sandbox ID.
    :param kernel: containers of C(runc list), by ID.
    """
    names = {pod["id"]: pod["metadata"] for pod in pods}
    # A pod can be removed after its containers were listed. Their labels name it too.
    return Snapshot(
        [
            _container(
                each,
                names.get(each["podSandboxId"], {}),
                handlers.get(each["podSandboxId"]),
                kernel.get(each["id"], {}),
            )
            for each in ps
        ],
        [
            Sandbox(
                id=pod["id"],
                pod=pod["metadata"]["name"],
                namespace=pod["metadata"]["namespace"],
                state=_state(pod["state"], kernel.get(pod["id"], {})),
                oci=handlers.get(pod["id"]),
            )
            for pod in pods
        ],
    )


def _container(
    each: dict[str, Any], pod: dict[str, Any], oci: OciRuntime | None, kernel: dict[str, Any]
) -> Container:
    labels = each.get("labels") or {}
    image = each["image"]
    return Container(
        id=each["id"],
        name=each["metadata"]["name"],
        namespace=pod.get("namespace", labels.get("io.kubernetes.pod.namespace")),
        pod=pod.get("name", labels.get("io.kubernetes.pod.name")),
        pod_id=each["podSandboxId"],
        image=image.get("userSpecifiedImage") or image["image"],
        image_id=full_id(each.get("imageId") or each["imageRef"]),
        state=_state(each["state"], kernel),
        # In JSON from protocol buffers, 64-bit numbers are strings. The unit is nanoseconds.
        created=utc(int(each["createdAt"]) // 10**9),
        labels=labels,
        pid=kernel.get("pid") or None,
        oci=oci,
    )


def _state(cri: str, kernel: dict[str, Any]) -> str:
    state = _STATES.get(cri, "unknown")
    return "paused" if state == "running" and kernel.get("status") == "paused" else state


@parsing("crictl inspect")
def parse_environments(inspected: str) -> dict[str, list[str]]:
    """Parse C(crictl inspect)."""
    return {
        each["status"]["id"]: each["info"]["runtimeSpec"]["process"].get("env") or []
        for each in crictl.documents(inspected)
    }


def _argv(oci: OciRuntime, *argv: str) -> list[str]:
    return [oci.binary, *(["--root", oci.root] if oci.root else []), *argv]


def _command(oci: OciRuntime, verb: str) -> str:
    return " ".join(_argv(oci, verb))
