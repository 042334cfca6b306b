# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of a CRI, through the CRI and the OCI runtimes.

The CRI has no paused state, so the OCI runtimes report which containers are paused.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import re
import shlex
from typing import Any, Callable, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import cri, cri_log
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    TOOL_TIME,
    Container,
    Containers,
    Item,
    Sandbox,
    Snapshot,
    name_images,
    utc,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
    RequestError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import full_id
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import (
    NOT_FOUND,
    Channel,
)

_STATES = {
    "CONTAINER_RUNNING": "running",
    "CONTAINER_EXITED": "exited",
    "CONTAINER_CREATED": "created",
    "SANDBOX_READY": "running",
    "SANDBOX_NOTREADY": "exited",
}
# Number of tools that run at the same time. They mostly need processor time.
_PARALLEL = 4
# Number of calls at the same time, which mostly wait for containers to exit. If 32 containers of a
# pod exit at once, the shim of containerd 2.4 needs two seconds for each of them.
_PARALLEL_CALLS = 8
# Time by which each of these calls can delay the others, in seconds.
_TIME_EACH = 10
# Time for a query, in seconds.
_QUERY_TIMEOUT = 10
#: Returns OCI runtimes by runtime handler; the name of the default handler is empty. The value is
#: None if a handler has no tool that lists its containers.
OciRuntimes = Callable[[], "dict[str, OciRuntime | None]"]


class CriContainers(Containers):
    """Containers of containerd or CRI-O.

    :param socket_path: CRI socket.
    :param oci_runtimes: returns the OCI runtimes in the configuration of the runtime.
    """

    def __init__(self, runner: Runner, socket_path: str, oci_runtimes: OciRuntimes) -> None:
        super().__init__(runner)
        self._socket_path = socket_path
        # The configuration does not change during a task.
        self._oci_runtimes = functools.lru_cache(maxsize=None)(oci_runtimes)

    def look(self) -> Snapshot:
        try:
            return self._look()
        except CommandError:
            # A container can exit between two commands. Retry once before reporting an error.
            return self._look()

    def _look(self) -> Snapshot:
        with self._channel() as channel:
            listed = cri.list_containers(channel)
            pods = cri.list_pod_sandboxes(channel)
        alive = any(_STATES.get(item["state"]) == "running" for item in [*listed, *pods])
        known = self._oci_runtimes() if alive else {}
        handlers = {each: known.get(name) for each, name in self._handlers(pods, known).items()}
        running = {each["id"] for each in listed if each["state"] == "CONTAINER_RUNNING"}
        used = {handlers.get(each["pod_sandbox_id"]) for each in listed if each["id"] in running}
        used |= {handlers[pod["id"]] for pod in pods if pod["state"] == "SANDBOX_READY"}
        lists = [self._list_of(oci) for oci in sorted(filter(None, used))]
        kernel = {each["id"]: each for found in lists for each in found}
        expected = {
            each["id"]
            for each in listed
            if each["id"] in running and handlers.get(each["pod_sandbox_id"])
        }
        if expected and not expected.intersection(kernel):
            tools = " and ".join(_command(oci, "list") for oci in sorted(filter(None, used)))
            raise CommandError(
                f"'{tools}' does not list any of the {len(expected)} containers that the CRI lists "
                "as running",
                reason="output_inconsistent",
            )
        snapshot = join(listed, pods, handlers, kernel)
        return snapshot._replace(containers=name_images(snapshot.containers, self._image_names))

    def _handlers(
        self, pods: list[dict[str, Any]], _known: dict[str, OciRuntime | None]
    ) -> dict[str, str]:
        """Return the runtime handler of each pod by sandbox ID, empty for the default handler."""
        return {pod["id"]: pod["runtime_handler"] for pod in pods}

    def stop(self, containers: Sequence[Item], timeout: int) -> dict[str, str]:
        def stop_one(channel: Channel, item: Item) -> None:
            cri.stop_container(channel, item.id, timeout)

        return self._call_each(stop_one, containers, timeout)

    def remove(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._call_each(_remove_container, containers)

    def stop_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self._call_each(_stop_sandbox, sandboxes)

    def remove_sandboxes(self, sandboxes: Sequence[Item]) -> dict[str, str]:
        return self._call_each(_remove_sandbox, sandboxes)

    def pause(self, containers: Sequence[Item]) -> dict[str, str]:
        return self._each("pause", containers)

    def unpause(self, items: Sequence[Item]) -> dict[str, str]:
        return self._each("resume", items)

    def environments(self, containers: list[Container]) -> dict[str, list[str]]:
        found = {}
        with self._channel() as channel:
            for container in containers:
                try:
                    status = cri.container_status(channel, container.id, verbose=True)
                except RequestError as error:
                    # A single container can be gone or broken.
                    if error.code is None:
                        raise
                else:
                    found[container.id] = parse_environment(status)
        return found

    def log(self, container: Container, lines: int) -> str:
        with self._channel() as channel:
            path = cri.container_status(channel, container.id)["status"]["log_path"]
        if not path:
            raise CruntimeError(
                "the container has no log: its pod was created without a log directory",
                reason="file_unreadable",
            )
        try:
            return cri_log.tail(path, lines)
        except OSError as error:
            problem = f"could not be read: {error.strerror}"
        except ValueError as error:
            problem = f"could not be read: {error}"
        raise CruntimeError(f"{path}: {problem}", reason="file_unreadable")

    @property
    def _tool(self) -> str:
        return shlex.quote(self._runner.which("crictl") or "crictl")

    def _channel(self, timeout: float = _QUERY_TIMEOUT) -> Channel:
        return Channel(self._socket_path, timeout)

    def _call_each(
        self, call: Callable[[Channel, Item], None], items: Sequence[Item], patience: int = 0
    ) -> dict[str, str]:
        """Call the CRI for each item, with several calls at the same time.

        :param patience: time that a container can take to exit, in seconds.
        :return: the cause of each failure, by ID. An item that no longer exists is not a failure.
        """

        # The containers of a pod can exit one after another, if their shim is slow.
        timeout = TOOL_TIME + patience + _TIME_EACH * min(len(items), _PARALLEL_CALLS)

        def attempt(item: Item) -> str | None:
            try:
                # A channel makes one call at a time.
                with self._channel(timeout) as channel:
                    call(channel, item)
            except RequestError as error:
                return None if error.code == NOT_FOUND else error.cause
            return None

        return _find_causes(attempt, items, _PARALLEL_CALLS)

    def _image_names(self, _ids: list[str]) -> dict[str, str]:
        with self._channel() as channel:
            images = cri.list_images(channel)
        return {
            full_id(image["id"]): image["repo_tags"][0] for image in images if image["repo_tags"]
        }

    def _list_of(self, oci: OciRuntime) -> list[dict[str, Any]]:
        argv = _argv(oci, "list", "--format", "json")
        # An empty list is null.
        with parsing(_command(oci, "list")):
            return json.loads(self._runner.output(*argv)) or []

    def _each(self, verb: str, items: Sequence[Item]) -> dict[str, str]:
        """Run a command for each item, with a few processes at the same time."""
        return _find_causes(functools.partial(self._one, verb), items, _PARALLEL)

    def _one(self, verb: str, item: Item) -> str | None:
        """Run a command, and return the cause of its failure; None if it succeeded."""
        if item.oci is None:
            return f"its runtime handler does not support {verb}"
        try:
            result = self._runner.run(*_argv(item.oci, verb, item.id))
        except CommandError as error:
            return str(error)
        return None if result.rc == 0 else _find_cause(result, item.id)


def _find_causes(
    attempt: Callable[[Item], str | None], items: Sequence[Item], parallel: int
) -> dict[str, str]:
    """Return the cause of each failure, by ID.

    :param attempt: returns the cause of a failure, or None; called in several threads.
    """
    with concurrent.futures.ThreadPoolExecutor(max_workers=parallel) as pool:
        causes = pool.map(attempt, items)
        return {item.id: cause for item, cause in zip(items, causes) if cause is not None}


def _remove_container(channel: Channel, item: Item) -> None:
    status = cri.container_status(channel, item.id)["status"]
    if status["state"] == "CONTAINER_RUNNING":
        # CRI-O would wait some seconds for the container to exit before it kills it.
        cri.stop_container(channel, item.id, 0)
    cri.remove_container(channel, item.id)
    # The kubelet does not remove the log of a container that it did not remove itself.
    cri_log.remove(status["log_path"])


def _stop_sandbox(channel: Channel, item: Item) -> None:
    cri.stop_pod_sandbox(channel, item.id)


def _remove_sandbox(channel: Channel, item: Item) -> None:
    # CRI-O would wait some seconds for each container to exit before it kills it.
    if item.state != "exited":
        cri.stop_pod_sandbox(channel, item.id)
    cri.remove_pod_sandbox(channel, item.id)


def join(
    listed: list[dict[str, Any]],
    pods: list[dict[str, Any]],
    handlers: dict[str, OciRuntime | None],
    kernel: dict[str, dict[str, Any]],
) -> Snapshot:
    """Combine the lists of the CRI and of the OCI runtimes.

    :param listed: containers of the CRI.
    :param pods: pod sandboxes of the CRI.
    :param handlers: OCI runtime of each pod, by sandbox ID.
    :param kernel: containers of C(runc list), by ID.
    """
    names = {pod["id"]: pod["metadata"] or {} for pod in pods}
    # A pod can be removed after its containers were listed. Their labels also have its name.
    return Snapshot(
        [
            _container(
                each,
                names.get(each["pod_sandbox_id"], {}),
                handlers.get(each["pod_sandbox_id"]),
                kernel.get(each["id"], {}),
            )
            for each in listed
        ],
        [
            Sandbox(
                id=pod["id"],
                pod=names[pod["id"]].get("name", ""),
                namespace=names[pod["id"]].get("namespace", ""),
                state=_state(pod["state"], kernel.get(pod["id"], {})),
                oci=handlers.get(pod["id"]),
            )
            for pod in pods
        ],
    )


def _container(
    each: dict[str, Any], pod: dict[str, Any], oci: OciRuntime | None, kernel: dict[str, Any]
) -> Container:
    labels = each["labels"]
    image = each["image"] or {}
    return Container(
        id=each["id"],
        name=(each["metadata"] or {}).get("name", ""),
        namespace=pod.get("namespace", labels.get("io.kubernetes.pod.namespace")),
        pod=pod.get("name", labels.get("io.kubernetes.pod.name")),
        pod_id=each["pod_sandbox_id"],
        image=image.get("user_specified_image") or image.get("image", ""),
        image_id=cri.image_id_of(each),
        state=_state(each["state"], kernel),
        created=utc(each["created_at"] // 10**9),
        labels=labels,
        pid=kernel.get("pid") or None,
        oci=oci,
    )


def _state(cri: str, kernel: dict[str, Any]) -> str:
    state = _STATES.get(cri, "unknown")
    return "paused" if state == "running" and kernel.get("status") == "paused" else state


@parsing("ContainerStatus")
def parse_environment(status: dict[str, Any]) -> list[str]:
    """Parse the status of a container with its details."""
    process = json.loads(status["info"]["info"])["runtimeSpec"]["process"]
    return list(process.get("env") or [])


def _argv(oci: OciRuntime, *argv: str) -> list[str]:
    return [oci.binary, *(["--root", oci.root] if oci.root else []), *argv]


def _command(oci: OciRuntime, verb: str) -> str:
    return " ".join(_argv(oci, verb))


def _find_cause(result: Result, item_id: str) -> str:
    """Return the part of an error output about one ID; the whole output if no part is."""
    lines = result.err.splitlines()
    for line in lines:
        _before, found, after = _message(line).partition(item_id)
        if found:
            return after.strip('": ') or _message(line)
    return _message(" ".join(lines)) or result.error_text


def _message(line: str) -> str:
    """Return the message in C(time=... level=fatal msg="...")."""
    match = re.search(r'msg="(.*)"$', line.strip())
    return match.group(1).replace('\\"', '"') if match else line.strip()
