"""Kills a switch at every step, on the node: does the next run bring what the killed one owed?

Usage: kill_matrix.py FILE, where FILE holds {"before": OPTIONS, "after": OPTIONS} as JSON.
Prints one JSON object: the number of kills, and the trouble found.
"""

from __future__ import annotations

import contextlib
import glob
import io
import json
import os
import runpy
import signal
import sys

from ansible.module_utils import basic

from ansible_collections.cruntime.node.plugins.module_utils import files, services

MODULE = "ansible_collections.cruntime.node.plugins.modules.cruntime_enable"
# More kills than this means that the run never gets through.
LIMIT = 200


class Killer:
    """Kills this process at the Nth step; steps lie before and after each file and unit job."""

    def __init__(self, number):
        self.left = number

    def step(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner, name):
        inner = getattr(owner, name)

        def watched(*args, **kwargs):
            self.step()
            result = inner(*args, **kwargs)
            self.step()
            return result

        setattr(owner, name, watched)


def run(options, kill_at=0):
    """Run the module in a process of its own; return its result, or None if it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        killer = Killer(kill_at)
        for owner, name in (
            (files.Swap, "_put"),
            (files, "_write"),
            (services.Services, "_call"),
            (services.Services, "reset_failed"),
        ):
            killer.watch(owner, name)
        os.write(writer, call(options))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _pid, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) else json.loads(text)


def call(options):
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    output = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(output):
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
    return output.getvalue().encode()


def contents(options):
    """Return what each managed file holds, or None where there is none."""
    found = {}
    for file in options["rendered_files"]:
        try:
            with open(file["path"], encoding="utf-8") as handle:
                found[file["path"]] = handle.read()
        except FileNotFoundError:
            found[file["path"]] = None
    return found


def trouble_of(before, after, kill_at):
    """Kill one switch and say what is wrong afterwards, or return None when it got through."""
    run(before)
    for path in {file["path"] for file in after["rendered_files"] if file["restart"]}:
        # As an admin may have left it, so that every kind of step has to be taken.
        with open(path, "w", encoding="utf-8") as handle:
            handle.write("# old\n")
    was = contents(after)
    if run(after, kill_at) is not None:
        return None
    wanted = {(file["path"], file["content"]) for file in after["rendered_files"]}
    found = contents(after)
    trouble = [
        f"{path} is neither the old file nor the new one"
        for path, content in found.items()
        if content != was[path] and (path, content) not in wanted
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
    with open(sys.argv[1], encoding="utf-8") as handle:
        specs = json.load(handle)
    trouble = []
    for kill_at in range(1, LIMIT):
        found = trouble_of(specs["before"], specs["after"], kill_at)
        if found is None:
            break
        trouble += found
    print(json.dumps({"kills": kill_at - 1, "trouble": trouble}))


if __name__ == "__main__":
    main()
