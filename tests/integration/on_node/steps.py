"""Watch the steps of cruntime_enable: each file, state of the record, unit job and removed tree.

A step has the name of its function and of its arguments, with a number if the same step repeats.
"""

from __future__ import annotations

import collections
import json
import re

from ansible_collections.cruntime.node.plugins.module_utils import (
    atomic,
    cni,
    containerd_namespaces,
    removal,
    services,
    stored_data,
    swap,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import complete

SCRATCH = re.compile("/[^ ]*/ansible-moduletmp-[^/ ]+")
STAMP = re.compile(r"\d{8}T\d{6}Z")
OWNERS = (
    (swap.Swap, "_put"),
    (swap.Swap, "_save_record"),
    (swap.Swap, "apply"),
    (swap.Swap, "finish"),
    (swap.Swap, "forget"),
    (swap.Swap, "mark_loaded"),
    (atomic, "write_new"),
    (atomic, "write_link"),
    (atomic, "remove_file"),
    (services.Services, "_call"),
    (services.Services, "daemon_reload"),
    (services.Services, "reset_failed"),
    (stored_data, "_remove_tree"),
    (stored_data, "remove"),
    (containerd_namespaces, "remove_namespace"),
    (removal, "remove_kept"),
)


def watch(happens):
    """Have a function called at each step, with words such as C(after _put /etc/crictl.yaml)."""
    for owner, name in OWNERS:
        setattr(owner, name, _watched(getattr(owner, name), name, happens))


def _watched(inner, name, happens):
    def watched(*args, **kwargs):
        words = [arg if isinstance(arg, str) else " ".join(arg) for arg in args if _names(arg)]
        # The names of the scratch directory and of backups are different in each run.
        step = STAMP.sub("STAMP", SCRATCH.sub("SCRATCH", " ".join([name, *words])))
        happens(f"before {step}")
        result = inner(*args, **kwargs)
        happens(f"after {step}")
        return result

    return watched


def _names(argument):
    """Return whether an argument is part of the name of a step."""
    if isinstance(argument, tuple) and hasattr(argument, "_fields"):
        return False
    many = isinstance(argument, (list, tuple)) and all(isinstance(each, str) for each in argument)
    return isinstance(argument, str) or many


class Numbered:
    """Gives each step a unique name."""

    def __init__(self):
        self._seen = collections.Counter()

    def name(self, words):
        """Return the words, with a number if the same words were used before."""
        self._seen[words] += 1
        return words if self._seen[words] == 1 else f"{words} ({self._seen[words]})"


def as_an_admin_left_it(options):
    """Write other words to the files, so that every kind of step has to be taken."""
    for path in {file["path"] for file in options.get("rendered_files", ()) if file["restart"]}:
        with open(path, "w", encoding="utf-8") as handle:
            handle.write("{}\n" if path.endswith(".json") else "# old\n")


def contents(options):
    """Return what each managed file holds, or None where there is none."""
    found = {}
    for file in options.get("rendered_files", ()):
        try:
            with open(file["path"], encoding="utf-8") as handle:
                found[file["path"]] = handle.read()
        except FileNotFoundError:
            found[file["path"]] = None
    return found


def torn(was, found, options):
    """Return the files that hold neither what they held before nor what they shall hold."""
    # CRI-O can find the plugins without the drop-in.
    found_dirs = (cni.find_bin_dir(), None)
    wanted = {
        (file["path"], _text(complete(file, {cni.BIN_DIR_FACT: found_dir})["content"]))
        for file in options.get("rendered_files", ())
        for found_dir in found_dirs
        if "content" in file
    }
    return [
        path
        for path, content in found.items()
        if content != was[path] and (path, _text(content)) not in wanted
    ]


def _text(content):
    """Return a content in a form that can be compared: in JSON, the order of keys is ignored."""
    try:
        return json.dumps(json.loads(content or ""), sort_keys=True)
    except ValueError:
        return content
