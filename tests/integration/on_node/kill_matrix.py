"""Kill a run on the node at every step, and check that the next run finishes its work.

Usage: kill_matrix.py REQUEST. REQUEST is JSON with C(operations): by name, C(before) and C(after),
which are options of the module; and C(every): N to kill only every Nth step.

Prints one JSON object: the points, as "OPERATION: STEP", and the problems found.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys

import steps
from call import call

RECORD = "/var/lib/cruntime/files.json"
OURS = "Managed by cruntime.node"


class Killer:
    """Recorder of steps that kills this process at the given step."""

    def __init__(self, at):
        self._at = at
        self._numbered = steps.Numbered()
        self.taken = []

    def step(self, step):
        self.taken.append(self._numbered.name(step))
        if self.taken[-1] == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def run(options, kill_at=""):
    """Run the module in a separate process; return its result and steps, or None if killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        killer = Killer(kill_at)
        steps.watch(killer.step)
        result = call("cruntime_enable", options)
        os.write(writer, json.dumps([result, killer.taken]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _pid, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) else json.loads(text)


def prepare(before, after):
    """Bring the node to the state in which an operation begins."""
    result, _steps = run(before)
    if result.get("failed"):
        raise SystemExit(f"the node can't be prepared: {result['msg']}")
    if before["runtime"] != after["runtime"]:
        steps.as_an_admin_left_it(after)


def orphans():
    """Return the files in /etc that the collection wrote and that are not in its record."""
    argv = ["grep", "-rlI", OURS, "/etc"]
    found = subprocess.run(argv, check=False, capture_output=True, text=True).stdout.split()
    with open(RECORD, encoding="utf-8") as handle:
        record = json.load(handle)
    known = {os.path.realpath(path) for path in record["files"]}
    return [path for path in found if os.path.realpath(path) not in known]


def find_problem(before, after, kill_at, way_out):
    """Kill one run and return the problem found afterwards, or None if it never got to that step.

    :param way_out: options of the next run.
    """
    prepare(before, after)
    was = steps.contents(after)
    if run(after, kill_at) is not None:
        # For example, a directory that a daemon creates from time to time.
        return None
    problems = [
        f"{path} is neither the old file nor the new one"
        for path in steps.torn(was, steps.contents(after), after)
    ]
    (healed, _steps), (again, _more) = run(way_out), run(way_out)
    if healed.get("failed") or again.get("failed"):
        problems.append(f"the next run failed: {healed.get('msg') or again.get('msg')}")
    elif again["changed"]:
        problems.append(f"the next run left something to do: {again['units']} {again['diff']}")
    leftovers = glob.glob("/etc/**/.*.cruntime", recursive=True)
    if leftovers:
        problems.append(f"left behind: {leftovers}")
    return problems + [f"orphaned: {path}" for path in orphans()]


def main():
    request = json.loads(sys.argv[1])
    points, problems = [], []
    for name, operation in request["operations"].items():
        before, after = operation["before"], operation["after"]
        prepare(before, after)
        result, taken = run(after)
        if result.get("failed"):
            problems.append(f"{name}: {result['msg']}")
        for number, step in enumerate(taken[:: request["every"]]):
            # Half of the runs return to the first state: a half-removed runtime can be enabled.
            way_out = before if number % 2 and after.get("state") == "absent" else after
            found = find_problem(before, after, step, way_out)
            if found is not None:
                points.append(f"{name}: {step}")
                problems += [f"{name}: killed {step}: {problem}" for problem in found]
    print(json.dumps({"points": points, "problems": problems}))


if __name__ == "__main__":
    main()
