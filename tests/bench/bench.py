"""Measure the modules beside what they are to be compared with, in pairs on the same node.

Every figure is a ratio of two runs that followed each other; nothing is asserted. Writes
results.json beside this file and prints a table.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
NODES = HERE.parent / "nodes"
PAIRS = 5
OURS = "localhost/cruntime-test"
# The nodes that are measured: CRI-O's is there where its binaries could be had.
NODE = {"containerd": "trixie", "docker": "trixie-forky", "crio": "trixie-crio"}
SPEC = {
    "containerd": {
        "cgroup_driver": "systemd",
        "sandbox_image": f"{OURS}/pause:1",
        # A node may not lower an OOM score, as the sandbox of a pod asks for.
        "rootless": True,
    },
    "docker": {},
    "crio": {},
}
CONTAINERS, PAUSED, SINGLE = 200, 50, 5
# Notes each process that a Python on the node starts.
COUNT = "/run/cruntime-bench-processes"
COUNTER = f"""import sys; sys.addaudithook(lambda event, args: event == "subprocess.Popen" \
and open("{COUNT}", "a").write(str(args[0]) + chr(10)))"""
POD = {
    "metadata": {"name": "bench", "namespace": "bench", "uid": "1"},
    "log_directory": "/tmp",
    "linux": {
        "cgroup_parent": "kubepods.slice",
        "security_context": {"namespace_options": {"network": 2}},
    },
}
CONTAINER = {
    "metadata": {"name": "NAME"},
    "image": {"image": f"{OURS}/busybox:1"},
    "command": ["/bin/sleep", "86400"],
}
PODS = f"""
cd /root
echo '{json.dumps(POD)}' >pod.json
pod=$(crictl runp pod.json)
for n in $(seq {CONTAINERS}); do
    echo '{json.dumps(CONTAINER)}' | sed s/NAME/c$n/ >c.json
    crictl start $(crictl create $pod c.json pod.json)
done
"""


@dataclass
class Figure:
    """What was measured.

    :param unit: what is divided by what, or what is counted.
    :param values: one for each pair of runs.
    """

    name: str
    unit: str
    goal: str
    values: list[float]

    @property
    def row(self) -> str:
        low, middle, high = min(self.values), statistics.median(self.values), max(self.values)
        return f"| {self.name} | {self.unit} | {self.goal} | {middle:.2f} | {low:.2f}-{high:.2f} |"


class Node:
    """A test node, and the playbooks that run on it."""

    def __init__(self, name: str, folder: pathlib.Path) -> None:
        self.name = name
        self._folder = folder
        self._inventory = folder / f"{name}.json"
        self._inventory.write_text(
            json.dumps(
                {
                    "all": {
                        "hosts": {
                            name: {
                                "ansible_connection": "community.docker.docker",
                                "ansible_python_interpreter": "/usr/bin/python3",
                            }
                        }
                    }
                }
            )
        )

    def sh(self, script: str) -> str:
        command = ["docker", "exec", "--interactive", self.name, "sh", "-eu"]
        return subprocess.run(
            command, input=script, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def play(self, *tasks: dict) -> float:
        """Run tasks by a playbook of their own; return the seconds that it took."""
        playbook = self._folder / "play.json"
        playbook.write_text(
            json.dumps([{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}])
        )
        started = time.monotonic()
        done = subprocess.run(
            ["ansible-playbook", "--inventory", self._inventory, playbook],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return time.monotonic() - started

    def processes(self, task: dict) -> int:
        """Run a task; return how many processes its module started on the node."""
        hook = "/usr/lib/python3/dist-packages/cruntime-bench.pth"
        self.sh(f"cat >{hook} <<'END'\n{COUNTER}\nEND\nrm -f {COUNT}")
        self.play(task)
        return int(self.sh(f"rm {hook}; cat {COUNT} 2>/dev/null | wc -l"))


@contextlib.contextmanager
def node(image: str, folder: pathlib.Path) -> Iterator[Node]:
    name = f"cruntime-bench-{os.getpid()}-{image}"
    try:
        subprocess.run([NODES / "node.sh", "up", name, image], check=True)
        yield Node(name, folder)
    finally:
        subprocess.run([NODES / "node.sh", "down", name], check=True)


def exists(image: str) -> bool:
    command = ["docker", "image", "inspect", f"cruntime-node:{image}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def image(**options: object) -> dict:
    return {"cruntime.node.cruntime_image": options}


def containers(**options: object) -> dict:
    return {"cruntime.node.cruntime_containers": options}


def ratios(
    over: Callable[[], float], under: Callable[[], float], between: Callable[[], object] = int
) -> list[float]:
    """Run both in turn, several times, and return what one takes in terms of the other."""
    found = []
    for _pair in range(PAIRS):
        between()
        first = under()
        between()
        found.append(over() / first)
    return found


def images(node: Node, registry: str, runtime: str) -> Iterator[Figure]:
    names = [f"{OURS}/bench-{number}:1" for number in range(100)]
    node.play(image(name=names, tag_of=f"{OURS}/busybox:1"))
    present = image(name=names)
    yield Figure(
        f"100 images that are there, {runtime}", "module / ping", "<= 1.3",
        ratios(lambda: node.play(present), lambda: node.play({"ansible.builtin.ping": {}})),
    )  # fmt: skip
    yield Figure(
        f"100 images that are there, {runtime}", "processes on the node", "<= 3",
        [node.processes(present)],
    )  # fmt: skip

    script = (HERE / "images_of_size.py").read_text()
    node.sh(f"python3 - /root/bench 1 1024 <<'END'\n{script}\nEND")
    small, large = (image(archive=[f"/root/bench/{mib}.tar"]) for mib in (1, 1024))
    node.play(small, large)
    yield Figure(
        f"an archive that is loaded, {runtime}", "1 GiB / 1 MiB", "<= 1.2",
        ratios(lambda: node.play(large), lambda: node.play(small)),
    )  # fmt: skip

    eight = [f"{registry}/library/bench-{number}:1" for number in range(8)]
    yield Figure(
        f"8 images that are not there, {runtime}", "loop of tasks / one task", ">= 2",
        ratios(
            lambda: node.play(*(image(name=[name]) for name in eight)),
            lambda: node.play(image(name=eight, parallel=8)),
            lambda: node.play(image(name=eight, state="absent")),
        ),
    )  # fmt: skip


def pods(node: Node) -> Iterator[Figure]:
    node.sh(PODS)
    names = [f"c{number}" for number in range(1, CONTAINERS + 1)]

    def loop(count: int, **options: object) -> float:
        """What a loop would take, by some of its tasks: a play without any is left out."""
        empty = node.play({"ansible.builtin.meta": "noop"})
        some = node.play(*(containers(name=name, **options) for name in names[:SINGLE]))
        return (some - empty) * count / SINGLE + empty

    def unpause() -> None:
        node.play(containers(namespaces=["bench"], state="running"))

    listing = containers(namespaces=["bench"], state="listed")
    yield Figure(
        f"list {CONTAINERS} containers", f"loop of tasks / one task, by {SINGLE} of the loop",
        ">= 10", ratios(lambda: loop(CONTAINERS), lambda: node.play(listing)),
    )  # fmt: skip
    yield Figure(
        f"list {CONTAINERS} containers", "processes on the node", "", [node.processes(listing)]
    )
    some = "|".join(names[:PAUSED])
    pausing = containers(name_pattern=f"^({some})$", state="paused")
    yield Figure(
        f"pause {PAUSED} of them", f"loop of tasks / one task, by {SINGLE} of the loop", ">= 10",
        ratios(lambda: loop(PAUSED, state="paused"), lambda: node.play(pausing), unpause),
    )  # fmt: skip
    unpause()
    yield Figure(f"pause {PAUSED} of them", "processes on the node", "", [node.processes(pausing)])
    unpause()


def main() -> None:
    figures = []
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        registry = stack.enter_context(node("registry", folder))
        registry.sh("serve-registry >/dev/null")
        address = registry.sh("hostname --ip-address").strip() + ":5001"
        copy = "skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false"
        source = "docker://localhost:5001/library/mirrored:1"
        registry.sh(
            f"for n in 0 1 2 3 4 5 6 7; do {copy} {source} "
            "docker://localhost:5001/library/bench-$n:1; done"
        )
        entries = [{"registry": address, "insecure": True}]
        archives = [f"/usr/local/share/cruntime-test/{name}.tar" for name in ("busybox", "pause")]
        for runtime, name in NODE.items():
            if not exists(name):
                print(f"no {runtime}: there is no image {name} of a node with it", flush=True)
                continue
            with node(name, folder) as measured:
                spec = {**SPEC[runtime], "registries": entries}
                measured.play({"cruntime.node.cruntime_enable": {"runtime": runtime, **spec}})
                measured.play(image(archive=archives))
                further = pods(measured) if runtime == "containerd" else ()
                for figure in itertools.chain(images(measured, address, runtime), further):
                    figures.append(figure)
                    print(figure.row, flush=True)
    results = [dict(vars(figure)) for figure in figures]
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
