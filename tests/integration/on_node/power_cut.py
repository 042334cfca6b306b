"""Runs a switch up to a step and waits there for the power to be cut; or looks what is left of it.

Usage: power_cut.py {"options": OPTIONS, "at": STEP}     prints what the files held, and the step
       power_cut.py {"options": OPTIONS, "was": FILES}   prints what became of them

The files hold other words before, which are on the disk. What the machine loses beside them is
shown by two witnesses, written at the last moment: one as the module writes files, but without
a sync, the other past the machine's own memory, to the write cache of its disk.
"""

from __future__ import annotations

import glob
import json
import mmap
import os
import signal
import sys

import steps
from call import call

RENAMED = "/var/lib/cruntime-renamed"
# It is not booted from there; it is as the machine began with it, in many clusters of its disk.
(IN_CACHE,) = glob.glob("/boot/vmlinuz-*")
WITNESSES = {RENAMED: "new", IN_CACHE: "xxx"}


def rename():
    with open(f"{RENAMED}.new", "w", encoding="utf-8") as handle:
        handle.write("new")
    os.rename(f"{RENAMED}.new", RENAMED)


def write_to_cache():
    # In place, and by whole pages: there is nothing else that has to be written.
    with mmap.mmap(-1, 1 << 20) as page:
        page.write(b"x" * len(page))
        descriptor = os.open(IN_CACHE, os.O_WRONLY | os.O_DIRECT)
        os.write(descriptor, page)
        os.close(descriptor)


def begins_with(path):
    """Return the first letters of a file."""
    with open(path, "rb") as handle:
        return handle.read(3).decode("latin-1")


def cut(options, at):
    """Run the switch up to a step whose words begin so, and wait; return what else there was."""
    steps.as_an_admin_left_it(options)
    with open(RENAMED, "w", encoding="utf-8") as handle:
        handle.write("old")
    os.sync()
    was, seen = steps.contents(options), []

    def wait(step):
        seen.append(step)
        if step.startswith(at):
            rename()
            write_to_cache()
            os.write(1, json.dumps({"was": was, "step": step}).encode() + b"\n")
            signal.pause()

    steps.watch(wait)
    return {"steps": seen, "result": call("cruntime_enable", options)}


def look(options, was):
    """Return which files are torn and which are new, and which of the witnesses were kept."""
    found = steps.contents(options)
    return {
        "torn": steps.torn(was, found, options),
        "new": [path for path, content in found.items() if content != was[path]],
        "kept": [path for path, new in WITNESSES.items() if begins_with(path) == new],
    }


def main():
    request = json.loads(sys.argv[1])
    print(json.dumps(cut(**request) if "at" in request else look(**request)))


if __name__ == "__main__":
    main()
