"""Measure the controller: its time, CPU and memory, by the number of hosts, next to ping.

The hosts are stubs: their connection is local, and their Python prints a response that a real node
gave before. Usage: scale.py [SIZE...]. The results replace the table of docs/scale.md.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from lab import HERE, SPEC, Fleet, nodes

DOCS = HERE.parent.parent / "docs"
SIZES = (1, 8, 64, 256, 512)
#: Runs of each playbook, in turn.
RUNS = 3
BEGIN, END = "<!-- begin of the table -->\n", "<!-- end of the table -->\n"
HEAD = (
    "| hosts | seconds, ping | provision | CPU seconds, ping | provision | MiB, ping | provision "
    "| memory, provision / ping |\n|---|---|---|---|---|---|---|---|\n"
)
PING = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]
VARIABLES = {
    "ansible_become": False,
    "runtime_spec": SPEC,
    "runtime_packages": [],
    "runtime_extra_packages": [],
}
_RECORDER = "/usr/local/bin/recording-python"
_RECORD = f"""cat >{_RECORDER} <<'END'
#!/bin/sh
/usr/bin/python3 "$@" | tee "/run/${{1##*/}}"
END
chmod +x {_RECORDER}"""


class Cost(NamedTuple):
    """Cost of a run on the controller; memory is that of its largest process."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


def record(fleet: Fleet, directory: pathlib.Path) -> None:
    """Provision a real node, and write the response of each module to a file."""
    fleet.sh(_RECORD)
    variables = {
        "ansible_connection": "community.docker.docker",
        "ansible_python_interpreter": _RECORDER,
    }
    inventory = write_inventory(directory, fleet.names, variables)
    # The first run changes the node.
    for playbook in ("cruntime.node.provision", "cruntime.node.provision", directory / "ping.json"):
        run(inventory, playbook)
    for module in ("cruntime_provision", "ping"):
        text = fleet.sh(f"cat /run/AnsiballZ_{module}.py")
        if json.loads(text).get("changed"):
            sys.exit(f"{module}: the recorded run changed the node")
        (directory / f"AnsiballZ_{module}.py").write_text(text)


def write_inventory(directory: pathlib.Path, names: list[str], variables: dict) -> pathlib.Path:
    """Write an inventory of hosts with the same variables; return its path."""
    path = directory / f"{len(names)}-{names[0]}.json"
    group = {"hosts": {name: {} for name in names}, "vars": {**VARIABLES, **variables}}
    path.write_text(json.dumps({"all": group}))
    return path


def run(inventory: pathlib.Path, playbook: str | pathlib.Path) -> Cost:
    """Run a playbook; return its cost."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            ["ansible-playbook", "--inventory", inventory, playbook],
            stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, "ANSIBLE_PIPELINING": "False"},
        )  # fmt: skip
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if process.returncode:
            sys.exit(output.read())
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(directory: pathlib.Path, size: int) -> str:
    """Run both playbooks in turn on stub hosts; return the row of the table."""
    stub = directory / "stub"
    # Only without pipelining, there is a file whose name tells the module.
    stub.write_text(f'#!/bin/sh\nexec cat "{directory}/${{1##*/}}"\n')
    stub.chmod(0o755)
    variables = {"ansible_connection": "local", "ansible_python_interpreter": str(stub)}
    inventory = write_inventory(directory, [f"host{number}" for number in range(size)], variables)
    pairs = [
        [
            run(inventory, playbook)
            for playbook in (directory / "ping.json", "cruntime.node.provision")
        ]
        for _run in range(RUNS)
    ]
    ping, ours = (Cost(*map(statistics.median, zip(*side))) for side in zip(*pairs))
    cells = (f"{one:.0f} | {other:.0f}" for one, other in zip(ping, ours))
    return f"| {size} | {' | '.join(cells)} | {ours.mebibytes / ping.mebibytes:.2f} |\n"


def main() -> None:
    page = DOCS / "scale.md"
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "ping.json").write_text(json.dumps(PING))
        with nodes("trixie", directory) as fleet:
            record(fleet, directory)
        table = HEAD
        for size in map(int, sys.argv[1:] or SIZES):
            row = measure(directory, size)
            print(row, end="", flush=True)
            table += row
    before, _begin, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
