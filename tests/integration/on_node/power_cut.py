"""Run a switch up to a step and wait there for a power cut, or report the files after the cut.

Usage: power_cut.py {"options": OPTIONS, "at": STEP}     prints the old contents, and the step
       power_cut.py {"options": OPTIONS, "was": FILES}   prints the state of the files

Before the switch, the files have other contents, which are synced to the disk. Two witnesses are
written at the last moment. They show what the machine loses: one is written in the same way as the
module writes files, but without a sync; the other is written to the write cache of the disk.
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
# The machine does not boot from this file. It has existed since the first boot, in many clusters.
(IN_CACHE,) = glob.glob("/boot/vmlinuz-*")
WITNESSES = {RENAMED: "new", IN_CACHE: "xxx"}


def rename():
    with open(f"{RENAMED}.new", "w", encoding="utf-8") as handle:
        handle.write("new")
    os.rename(f"{RENAMED}.new", RENAMED)


def write_to_cache():
    # Overwrite whole pages in place, so no metadata has to be written.
    with mmap.mmap(-1, 1 << 20) as page:
        page.write(b"x" * len(page))
        descriptor = os.open(IN_CACHE, os.O_WRONLY | os.O_DIRECT)
        os.write(descriptor, page)
        os.close(descriptor)


def begins_with(path):
    """Return the first bytes of a file."""
    with open(path, "rb") as handle:
        return handle.read(3).decode("latin-1")


def cut(options, at):
    """Run the switch up to a step whose name begins with the text, and wait. Return the steps."""
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
    """Return the torn files, the new files, and the witnesses that survived."""
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
