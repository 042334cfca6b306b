"""No-op runs of cruntime_enable, compared with ping on the same nodes."""

from __future__ import annotations

import itertools
import pathlib
import statistics
from collections.abc import Iterator

from lab import PAIRS, PING, SPEC, Cost, Figure, Fleet, nodes

#: Pairs of runs, by the number of nodes. Shorter runs vary more, so they are repeated more often.
SIZES = {1: 15, 4: 9, 16: PAIRS, 32: PAIRS}
#: A spec that sets every option that renders a file.
FULL_SPEC = {
    **SPEC,
    "kubernetes_version": "1.33.2",
    "registries": [
        {
            "registry": "docker.io",
            "mirrors": [
                {"url": "https://mirror.example.com:5000"},
                {"url": "https://mirror2.example.com"},
            ],
        },
        {"registry": "quay.io", "mirrors": [{"url": "https://mirror.example.com:5000"}]},
        {"registry": "dev.example.com:5000", "insecure": True},
    ],
    "oci_runtimes": [{"name": "crun", "path": "/usr/bin/crun"}],
    "cni": {"bin_dirs": ["/usr/lib/cni"], "conf_dir": "/etc/cni/net.d"},
    "proxy": {
        "http": "http://proxy.example.com:3128",
        "https": "http://proxy.example.com:3128",
        "no_proxy": ["localhost", "10.0.0.0/8", ".svc"],
    },
    "container_logs": {"max_size": "100m", "max_files": 3},
    "log_level": "info",
}
ENABLE = {"cruntime.node.cruntime_enable": FULL_SPEC}
_COPY = {"ansible.builtin.copy": {"dest": "/root/copied", "content": "text\n", "mode": "0644"}}


def figures(directory: pathlib.Path) -> Iterator[Figure]:
    """Measure fleets of all sizes, and the cost on one node and on the controller."""
    with nodes("trixie", directory, max(SIZES)) as fleet:
        fleet.play(ENABLE)
        pings: dict[int, list[Cost]] = {}
        converges: dict[int, list[Cost]] = {}
        for size, count in SIZES.items():
            part = fleet.part(size)
            # The two runs of a pair follow each other; the first pair is not counted.
            pairs = [(part.play(PING), part.play(ENABLE)) for _pair in range(count + 1)][1:]
            pings[size], converges[size] = map(list, zip(*pairs))
            yield Figure(
                f"no-op converge, {size} nodes" if size > 1 else "no-op converge, 1 node",
                "cruntime_enable / ping", "<= 1.15",
                [ours.seconds / ping.seconds for ping, ours in pairs],
            )  # fmt: skip
        for few, many in itertools.pairwise(SIZES):
            yield Figure(
                f"growth per node, {few} to {many}", "cruntime_enable / ping", "<= 1",
                [_growth(converges, few, many) / _growth(pings, few, many)],
            )  # fmt: skip
        yield Figure(
            "the controller's CPU, per node of 16", "cruntime_enable / ping", "",
            [ours.cpu_seconds / ping.cpu_seconds for ping, ours in zip(pings[16], converges[16])],
        )  # fmt: skip
        yield from _costs(fleet)


def _growth(costs: dict[int, list[Cost]], few: int, many: int) -> float:
    """Return the additional seconds per node."""
    totals = [statistics.median(cost.seconds for cost in costs[size]) for size in (few, many)]
    return (totals[1] - totals[0]) / (many - few)


def _costs(fleet: Fleet) -> Iterator[Figure]:
    commands, memory = fleet.watched(ENABLE)
    _commands, ping_memory = fleet.watched(PING)
    yield Figure("no-op converge", "processes on the node", "<= 4", [len(commands)])
    yield Figure(
        "no-op converge, peak memory of the module", "cruntime_enable / ping", "<= 1.3",
        [memory / ping_memory],
    )  # fmt: skip
    yield Figure(
        "bytes sent as the module", "cruntime_enable / copy", "<= 1.5",
        [fleet.payload(ENABLE) / fleet.payload(_COPY)],
    )  # fmt: skip
