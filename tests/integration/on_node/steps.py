"""Watch the steps of cruntime_enable: each file, state of the record, unit job and removed tree.

The name of a step is the name of its function and arguments, and a number if the step repeats.
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
    """Call a function at each step, with a name such as C(after _put /etc/crictl.yaml)."""
    for owner, name in OWNERS:
        setattr(owner, name, _watched(getattr(owner, name), name, happens))


def _watched(inner, name, happens):
    def watched(*args, **kwargs):
        parts = [arg if isinstance(arg, str) else " ".join(arg) for arg in args if _names(arg)]
        # The names of the scratch directory and of backups are different in each run.
        step = STAMP.sub("STAMP", SCRATCH.sub("SCRATCH", " ".join([name, *parts])))
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
    """Name generator that makes each step unique."""

    def __init__(self):
        self._seen = collections.Counter()

    def name(self, step):
        """Return the name, with a number if it was used before."""
        self._seen[step] += 1
        return step if self._seen[step] == 1 else f"{step} ({self._seen[step]})"


def as_an_admin_left_it(options):
    """Write other contents to the files, so a run performs every kind of step."""
    for path in {file["path"] for file in options.get("rendered_files", ()) if file["restart"]}:
        with open(path, "w", encoding="utf-8") as handle:
            handle.write("{}\n" if path.endswith(".json") else "# old\n")


def contents(options):
    """Return the content of each managed file, or None if the file does not exist."""
    found = {}
    for file in options.get("rendered_files", ()):
        try:
            with open(file["path"], encoding="utf-8") as handle:
                found[file["path"]] = handle.read()
        except FileNotFoundError:
            found[file["path"]] = None
    return found


def torn(was, found, options):
    """Return the files that have neither their old content nor the content of the spec."""
    # CRI-O can work without the drop-in, if it finds the plugins.
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
    """Return a content in a comparable form: in JSON, the order of keys is ignored."""
    try:
        return json.dumps(json.loads(content or ""), sort_keys=True)
    except ValueError:
        return content
