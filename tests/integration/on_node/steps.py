"""The steps of cruntime_enable: before and after each file and each job of a unit."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils import cni, services, swap
from ansible_collections.cruntime.node.plugins.module_utils.rendered import complete


def watch(happens):
    """Have a function called at each step, with words such as C(after _put /etc/crictl.yaml)."""
    for owner, name in (
        (swap.Swap, "_put"),
        (swap, "_write"),
        (services.Services, "_call"),
        (services.Services, "reset_failed"),
    ):
        setattr(owner, name, _watched(getattr(owner, name), name, happens))


def _watched(inner, name, happens):
    def watched(*args, **kwargs):
        words = [arg if isinstance(arg, str) else " ".join(arg) for arg in args if _names(arg)]
        happens(" ".join(["before", name, *words]))
        result = inner(*args, **kwargs)
        happens(" ".join(["after", name, *words]))
        return result

    return watched


def _names(argument):
    return isinstance(argument, (str, list, tuple))


def as_an_admin_left_it(options):
    """Write other words to the files, so that every kind of step has to be taken."""
    for path in {file["path"] for file in options["rendered_files"] if file["restart"]}:
        with open(path, "w", encoding="utf-8") as handle:
            handle.write("# old\n")


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


def torn(was, found, options):
    """Return the files that hold neither what they held before nor what they shall hold."""
    # CRI-O may find the plugins by itself.
    found_dirs = (cni.find_bin_dir(), None)
    wanted = {
        (file["path"], complete(file, {cni.BIN_DIR_FACT: found_dir})["content"])
        for file in options["rendered_files"]
        for found_dir in found_dirs
    }
    return [
        path
        for path, content in found.items()
        if content != was[path] and (path, content) not in wanted
    ]
