"""Kills a switch at every step, on the node: does the next run bring what the killed one owed?

Usage: kill_matrix.py SPECS, which are {"before": OPTIONS, "after": OPTIONS} as JSON.
Prints one JSON object: the number of kills, and the trouble found.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import sys

import steps
from call import call

# More kills than this means that the run never gets through.
LIMIT = 200


class Killer:
    """Kills this process at the Nth step."""

    def __init__(self, number):
        self.left = number

    def step(self, _words):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def run(options, kill_at=0):
    """Run the module in a process of its own; return its result, or None if it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        steps.watch(Killer(kill_at).step)
        os.write(writer, json.dumps(call("cruntime_enable", options)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _pid, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) else json.loads(text)


def trouble_of(before, after, kill_at):
    """Kill one switch and say what is wrong afterwards, or return None when it got through."""
    run(before)
    steps.as_an_admin_left_it(after)
    was = steps.contents(after)
    if run(after, kill_at) is not None:
        return None
    trouble = [
        f"{path} is neither the old file nor the new one"
        for path in steps.torn(was, steps.contents(after), after)
    ]
    healed, again = run(after), run(after)
    if healed.get("failed") or again.get("failed"):
        trouble.append(f"the next run failed: {healed.get('msg') or again.get('msg')}")
    elif again["changed"]:
        trouble.append(f"the next run left something to do: {again['units']}")
    leftovers = glob.glob("/etc/**/.*.cruntime", recursive=True)
    if leftovers:
        trouble.append(f"left behind: {leftovers}")
    return [f"killed at step {kill_at}: {words}" for words in trouble]


def main():
    specs = json.loads(sys.argv[1])
    trouble = []
    for kill_at in range(1, LIMIT):
        found = trouble_of(specs["before"], specs["after"], kill_at)
        if found is None:
            break
        trouble += found
    print(json.dumps({"kills": kill_at - 1, "trouble": trouble}))


if __name__ == "__main__":
    main()
