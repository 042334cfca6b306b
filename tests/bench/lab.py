"""Nodes, playbook runs and figures, shared by all measurements."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
NODES = HERE.parent / "nodes"
ARCHIVES = "/usr/local/share/cruntime-test"
OURS = "localhost/cruntime-test"
PAIRS = 5
PING = {"ansible.builtin.ping": {}}
SPEC = {
    "runtime": "containerd",
    "cgroup_driver": "systemd",
    "sandbox_image": f"{OURS}/pause:1",
    # On a test node, a pod sandbox may not lower its OOM score.
    "rootless": True,
}

_COUNT = "/run/cruntime-bench-processes"
_MEMORY = "/run/cruntime-bench-memory"
_HOOK = "/usr/lib/python3/dist-packages/cruntime-bench.pth"
# Hook for every Python on the node. Names of a .pth file no longer exist when its functions run.
_WATCH = f"""import sys; sys.addaudithook(lambda event, args: event == "subprocess.Popen" \
and open("{_COUNT}", "a").write(str(args[0]) + chr(10))); import atexit, resource; \
atexit.register(lambda usage=resource.getrusage, whose=resource.RUSAGE_SELF: \
open("{_MEMORY}", "a").write(str(usage(whose).ru_maxrss) + chr(10)))"""


@dataclass
class Figure:
    """Result of a measurement.

    :param name: the measured action.
    :param unit: the two sides of the ratio, or the counted objects.
    :param goal: the expected value; empty if there is no goal.
    :param values: one value per pair of runs.
    """

    name: str
    unit: str
    goal: str
    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def row(self) -> str:
        low, high = min(self.values), max(self.values)
        spread = f"{low:.2f} to {high:.2f}" if len(self.values) > 1 else ""
        return f"| {self.name} | {self.unit} | {self.goal} | {self.median:.2f} | {spread} |"


class Cost(NamedTuple):
    """Cost of a playbook run.

    :param seconds: wall time.
    :param cpu_seconds: processor time of the controller.
    """

    seconds: float
    cpu_seconds: float


class Fleet:
    """Test nodes, and the playbooks that run on all nodes."""

    def __init__(self, names: list[str], directory: pathlib.Path) -> None:
        self.names = names
        self._directory = directory
        self._inventory = directory / f"{names[0]}-{len(names)}.json"
        variables = {
            "ansible_connection": "community.docker.docker",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory = {"all": {"hosts": dict.fromkeys(names, variables)}}
        self._inventory.write_text(json.dumps(inventory))

    def part(self, count: int) -> Fleet:
        """Return a fleet of the first nodes."""
        return Fleet(self.names[:count], self._directory)

    def sh(self, script: str, number: int = 0) -> str:
        """Run a shell script on a node; return its output."""
        command = ["docker", "exec", "--interactive", self.names[number], "sh", "-eu"]
        return subprocess.run(
            command, input=script, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def play(
        self, *tasks: dict, roles_path: str = "", keep_files: bool = False, **keywords: object
    ) -> Cost:
        """Run tasks in a new playbook.

        :param roles_path: directory of its roles.
        :param keep_files: whether files that Ansible sends to a node are kept there.
        :param keywords: further keywords of the play.
        """
        play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}
        playbook = self._directory / "play.json"
        playbook.write_text(json.dumps([play]))
        settings = {
            "ANSIBLE_ROLES_PATH": roles_path,
            "ANSIBLE_KEEP_REMOTE_FILES": str(int(keep_files)),
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        done = subprocess.run(
            ["ansible-playbook", "--inventory", self._inventory, playbook],
            check=False, capture_output=True, text=True, env={**os.environ, **settings},
        )  # fmt: skip
        seconds = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(seconds, cpu)

    def watched(self, task: dict) -> tuple[list[str], float]:
        """Run a task on the first node; return its module's commands and memory in KiB."""
        self.sh(f"cat >{_HOOK} <<'END'\n{_WATCH}\nEND\nrm -f {_COUNT} {_MEMORY}")
        self.part(1).play(task)
        commands = self.sh(f"rm {_HOOK}; cat {_COUNT} 2>/dev/null || true").splitlines()
        return commands, max(map(float, self.sh(f"cat {_MEMORY}").split()))

    def payload(self, task: dict) -> int:
        """Return the size in bytes of the largest module that a task sends, with its options."""
        self.sh("rm -rf /root/.ansible/tmp")
        self.part(1).play(task, keep_files=True)
        return int(
            self.sh("ls -S /root/.ansible/tmp/*/AnsiballZ_*.py | head -n 1 | xargs wc -c").split()[
                0
            ]
        )


@contextlib.contextmanager
def nodes(
    image: str, directory: pathlib.Path, count: int = 1, name: str = "node"
) -> Iterator[Fleet]:
    """Start nodes, and remove them at the end."""
    names = [f"cruntime-bench-{os.getpid()}-{image}-{name}-{number}" for number in range(count)]
    try:
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda name: _node_sh("up", name, image), names))
        yield Fleet(names, directory)
    finally:
        _node_sh("down", *names)


def exists(image: str) -> bool:
    """Return whether the image of a node exists."""
    command = ["docker", "image", "inspect", f"cruntime-node:{image}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _node_sh(*argv: str) -> None:
    subprocess.run([NODES / "node.sh", *argv], check=True)


def seconds(fleet: Fleet, *tasks: dict, **keywords: object) -> float:
    return fleet.play(*tasks, **keywords).seconds


def ratios(
    over: Callable[[], float], under: Callable[[], float], between: Callable[[], object] = int
) -> list[float]:
    """Run both in turn, several times, and return the ratios of the first to the second."""
    found = []
    for _pair in range(PAIRS):
        between()
        first = under()
        between()
        found.append(over() / first)
    return found
