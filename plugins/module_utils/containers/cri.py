# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of pods, through crictl and the OCI runtimes below the CRI.

The CRI knows no paused state: what the kernel does is asked of the OCI runtimes, and joined in.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import shlex
from typing import Any, Callable, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import crictl
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    PATIENCE,
    Container,
    Containers,
    Item,
    Sandbox,
    Snapshot,
    failures,
    name_images,
    reason,
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
# Tools that run side by side, which are short of processors rather than of anything else.
_AT_A_TIME = 4
#: By the name of a pod's handler, which is empty for the default one; None for a handler that
#: has no tool which could tell of its containers.
OciRuntimes = Callable[[], "dict[str, OciRuntime | None]"]


class CriContainers(Containers):
    """Through the CRI.

    :param endpoint: where it answers, as a URL.
    :param oci_runtimes: asks the runtime's configuration for its OCI runtimes.
    """

    def __init__(self, runner: Runner, endpoint: str, oci_runtimes: OciRuntimes) -> None:
        super().__init__(runner)
        self._endpoint = endpoint
        # A configuration does not change while containers are.
        self._oci_runtimes = functools.lru_cache(maxsize=None)(oci_runtimes)

    def look(self) -> Snapshot:
        try:
            return self._look()
        except CommandError:
            # What ends between one question and the next must not look like trouble.
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
        told = [self._told(oci) for oci in sorted(filter(None, used))]
        kernel = {each["id"]: each for answer in told for each in answer}
        expected = {
            each["id"]
            for each in ps
            if each["id"] in running and handlers.get(each["podSandboxId"])
        }
        if expected and not expected.intersection(kernel):
            tools = " and ".join(_words(oci, "list") for oci in sorted(filter(None, used)))
            raise CommandError(
                f"'{tools}' knows none of the {len(expected)} containers that run, as crictl says",
                reason="output_inconsistent",
            )
        snapshot = join(ps, pods, handlers, kernel)
        return snapshot._replace(containers=name_images(snapshot.containers, self._image_names))

    def _handlers(
        self, pods: list[dict[str, Any]], _known: dict[str, OciRuntime | None]
    ) -> dict[str, str]:
        """Return the handler of each pod by the id of its sandbox, empty for the default one."""
        return {pod["id"]: pod.get("runtimeHandler", "") for pod in pods}

    def stop(self, containers: list[Container], timeout: int) -> dict[str, str]:
        return self._one_by_one(containers, timeout, "stop", "--timeout", str(timeout))

    def remove(self, containers: list[Container]) -> dict[str, str]:
        return self._at_once(containers, "rm", "--force")

    def stop_sandboxes(self, sandboxes: list[Sandbox]) -> dict[str, str]:
        return self._one_by_one(sandboxes, PATIENCE, "stopp")

    def remove_sandboxes(self, sandboxes: list[Sandbox]) -> dict[str, str]:
        return self._at_once(sandboxes, "rmp", "--force")

    def pause(self, containers: list[Container]) -> dict[str, str]:
        return self._each("pause", containers)

    def unpause(self, containers: list[Container]) -> dict[str, str]:
        return self._each("resume", containers)

    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        ids = [container.id for container in containers]
        result = self._run("inspect", "--output", "json", *ids)
        if result.rc != 0 and len(ids) > 1:
            # One that is gone spoils the answer about the others.
            each = (self.environments([container]) for container in containers)
            return {key: value for answer in each for key, value in answer.items()}
        return parse_environments(result.out) if result.rc == 0 else {}

    def log(self, container: Container, lines: int) -> Result:
        return self._run("logs", "--tail", str(lines), container.id, merged=True)

    @property
    def _tool(self) -> str:
        return shlex.quote(self._runner.which("crictl") or "crictl")

    def _run(self, *argv: str, timeout: float = PATIENCE, merged: bool = False) -> Result:
        return crictl.run(self._runner, self._endpoint, *argv, timeout=timeout, merged=merged)

    def _ask(self, *argv: str) -> dict[str, Any]:
        with parsing(f"crictl {argv[0]}"):
            answer: dict[str, Any] = json.loads(self._output(*argv))
        return answer

    def _output(self, *argv: str) -> str:
        result = self._run(*argv)
        if result.rc != 0:
            raise result.failure(f"crictl {' '.join(argv)}", cause=reason(result, self._endpoint))
        return result.out

    def _at_once(self, items: Sequence[Item], *argv: str) -> dict[str, str]:
        ids = [item.id for item in items]
        return failures(self._run(*argv, *ids, timeout=PATIENCE + 10 * len(ids)), items)

    def _one_by_one(self, items: Sequence[Item], each: int, *argv: str) -> dict[str, str]:
        """Run a verb whose process ends at the first item that fails, until all had their turn."""
        failed: dict[str, str] = {}
        while items:
            ids = [item.id for item in items]
            result = self._run(*argv, *ids, timeout=PATIENCE + (each + 10) * len(ids))
            if result.rc == 0:
                break
            items = [item for item in items if item.id not in result.out]
            if items:
                failed[items[0].id] = reason(result, items[0].id)
            items = items[1:]
        return failed

    @parsing("crictl images")
    def _image_names(self, _ids: list[str]) -> dict[str, str]:
        images = self._ask("images", "--output", "json")["images"]
        return {full_id(image["id"]): image["repoTags"][0] for image in images if image["repoTags"]}

    def _told(self, oci: OciRuntime) -> list[dict[str, Any]]:
        argv = _argv(oci, "list", "--format", "json")
        # An empty list is null.
        with parsing(_words(oci, "list")):
            return json.loads(self._runner.output(*argv)) or []

    def _each(self, verb: str, containers: Sequence[Item]) -> dict[str, str]:
        """Run a verb that takes one container only: a process for each, a few at a time."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=_AT_A_TIME) as pool:
            reasons = pool.map(lambda container: self._one(verb, container), containers)
            return {
                container.id: why for container, why in zip(containers, reasons) if why is not None
            }

    def _one(self, verb: str, container: Container) -> str | None:
        """Return why a verb failed, or None."""
        if container.oci is None:
            return f"its runtime handler has no tool with the verb {verb}"
        try:
            result = self._runner.run(*_argv(container.oci, verb, container.id))
        except CommandError as error:
            return str(error)
        return None if result.rc == 0 else reason(result, container.id)


def join(
    ps: list[dict[str, Any]],
    pods: list[dict[str, Any]],
    handlers: dict[str, OciRuntime | None],
    kernel: dict[str, dict[str, Any]],
) -> Snapshot:
    """Make records of what crictl and the OCI runtimes said.

    :param ps: the containers of C(crictl ps), and of C(crictl pods) the pods.
    :param handlers: the OCI runtime of each pod, by the id of its sandbox.
    :param kernel: of C(runc list), by id.
    """
    names = {pod["id"]: pod["metadata"] for pod in pods}
    # A pod may be gone since its containers were listed; the kubelet's labels name it too.
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
        # 64 bits are a string in JSON, and these are nanoseconds.
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
    """Read C(crictl inspect)."""
    return {
        each["status"]["id"]: each["info"]["runtimeSpec"]["process"].get("env") or []
        for each in crictl.documents(inspected)
    }


def _argv(oci: OciRuntime, *argv: str) -> list[str]:
    return [oci.binary, *(["--root", oci.root] if oci.root else []), *argv]


def _words(oci: OciRuntime, verb: str) -> str:
    return " ".join(_argv(oci, verb))
