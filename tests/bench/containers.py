"""Containers: list and pause many containers with one task, and with a loop of tasks."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator

from lab import ARCHIVES, OURS, SPEC, Figure, Fleet, nodes, ratios, seconds

LISTED, PAUSED = 200, 50
# Number of tasks of a loop that are run. The time of the other tasks is extrapolated.
_SAMPLE = 5
_POD = {
    "metadata": {"name": "bench", "namespace": "bench", "uid": "1"},
    "log_directory": "/tmp",
    "linux": {
        "cgroup_parent": "kubepods.slice",
        "security_context": {"namespace_options": {"network": 2}},
    },
}
_CONTAINER = {
    "metadata": {"name": "NAME"},
    "image": {"image": f"{OURS}/busybox:1"},
    "command": ["/bin/sleep", "86400"],
}
_START = f"""
cd /root
echo '{json.dumps(_POD)}' >pod.json
pod=$(crictl runp pod.json)
for n in $(seq {LISTED}); do
    echo '{json.dumps(_CONTAINER)}' | sed s/NAME/c$n/ >c.json
    crictl start $(crictl create $pod c.json pod.json)
done
"""
_NAMES = [f"c{number}" for number in range(1, LISTED + 1)]


def containers(**options: object) -> dict:
    return {"cruntime.node.cruntime_containers": options}


def listed(**options: object) -> dict:
    return {"cruntime.node.cruntime_info": {"gather_subset": ["containers"], **options}}


def figures(directory: pathlib.Path) -> Iterator[Figure]:
    with nodes("trixie", directory) as node:
        node.play({"cruntime.node.cruntime_enable": SPEC})
        archives = [f"{ARCHIVES}/{name}.tar" for name in ("busybox", "pause")]
        node.play({"cruntime.node.cruntime_image": {"archive": archives}})
        node.sh(_START)
        yield from _listed(node)
        yield from _paused(node)


def _listed(node: Fleet) -> Iterator[Figure]:
    listing = listed(namespaces=["bench"])
    yield Figure(
        f"list {LISTED} containers", f"loop of tasks / one task, by {_SAMPLE} of the loop", ">= 10",
        ratios(lambda: _loop(node, LISTED, listed), lambda: seconds(node, listing)),
    )  # fmt: skip
    commands, _memory = node.watched(listing)
    yield Figure(f"list {LISTED} containers", "processes on the node", "", [len(commands)])


def _paused(node: Fleet) -> Iterator[Figure]:
    some = "|".join(_NAMES[:PAUSED])
    pausing = containers(name_pattern=f"^({some})$", state="paused")
    unpausing = containers(namespaces=["bench"], state="running")
    yield Figure(
        f"pause {PAUSED} of them", f"loop of tasks / one task, by {_SAMPLE} of the loop", ">= 10",
        ratios(
            lambda: _loop(node, PAUSED, containers, state="paused"),
            lambda: seconds(node, pausing),
            lambda: node.play(unpausing),
        ),
    )  # fmt: skip
    node.play(unpausing)
    commands, _memory = node.watched(pausing)
    yield Figure(f"pause {PAUSED} of them", "processes on the node", "", [len(commands)])
    # A node with frozen processes cannot be removed.
    node.play(unpausing)


def _loop(node: Fleet, count: int, task: Callable[..., dict], **options: object) -> float:
    """Return the time of a loop, extrapolated from the time of some tasks and an empty play."""
    empty = seconds(node, {"ansible.builtin.meta": "noop"})
    some = seconds(node, *(task(name=name, **options) for name in _NAMES[:_SAMPLE]))
    return (some - empty) * count / _SAMPLE + empty
