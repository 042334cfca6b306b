"""Runtime downtime in seconds, compared with plain systemctl commands for the same change."""

from __future__ import annotations

import itertools
import pathlib
import time
from collections.abc import Callable, Iterator

from lab import HERE, PAIRS, SPEC, Figure, Fleet, nodes

_GOING, _FOUND = "/run/cruntime-bench-going", "/run/cruntime-bench-found"
_LEVELS = itertools.cycle(["debug", "info"])


def enable(**options: object) -> dict:
    return {"cruntime.node.cruntime_enable": {**SPEC, **options}}


def figures(directory: pathlib.Path) -> Iterator[Figure]:
    probe = (HERE / "probe.py").read_text()
    with nodes("trixie", directory) as node:
        node.sh(f"cat >/root/probe.py <<'END'\n{probe}\nEND")
        # Create the files of both runtimes first, so a switch changes only units.
        for runtime in ("docker", "containerd"):
            node.play(enable(runtime=runtime))
        # containerd is stopped with Docker, because systemctl does not check who else needs it.
        for old, new, units in (
            ("containerd", "docker", "containerd.service"),
            ("docker", "containerd", "docker.socket docker.service containerd.service"),
        ):
            yield Figure(
                f"seconds without a runtime, {old} to {new}",
                "switch / systemctl stop and start", "<= 1.2",
                _switches(node, old, new, units),
            )  # fmt: skip
        yield Figure(
            "seconds without containerd, its file changed",
            "cruntime_enable / systemctl restart", "<= 1.2",
            _restarts(node),
        )  # fmt: skip


def _switches(node: Fleet, old: str, new: str, units: str) -> list[float]:
    found = []
    unmask = "systemctl unmask --quiet docker.service"
    for _pair in range(PAIRS):
        node.play(enable(runtime=old))
        node.sh(unmask)
        bare = f"systemctl stop {units}; systemctl start {new}.service"
        floor = _without(node, [old, new], node.sh, bare)
        node.play(enable(runtime=old))
        ours = _without(node, [old, new], node.play, enable(runtime=new))
        found.append(ours / floor)
    return found


def _restarts(node: Fleet) -> list[float]:
    node.play(enable(log_level=next(_LEVELS)))
    found = []
    for _pair in range(PAIRS):
        floor = _without(node, ["containerd"], node.sh, "systemctl restart containerd.service")
        change = enable(log_level=next(_LEVELS))
        found.append(_without(node, ["containerd"], node.play, change) / floor)
    return found


def _without(
    node: Fleet, runtimes: list[str], action: Callable[..., object], *arguments: object
) -> float:
    """Return the seconds of an action in which none of these runtimes responds."""
    names = " ".join(runtimes)
    node.sh(f"touch {_GOING}; rm -f {_FOUND}")
    node.sh(f"setsid --fork python3 /root/probe.py {_GOING} {names} >{_FOUND} 2>&1")
    time.sleep(0.5)
    action(*arguments)
    return float(node.sh(f"rm {_GOING}; until [ -s {_FOUND} ]; do sleep 0.1; done; cat {_FOUND}"))
