# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the values of options with which a runtime runs, each with its source."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Callable, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.contents import read
from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    environment,
    unreported,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Source,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import Leaves
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    ANY,
    Path,
    Scope,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact, redact_user
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Start,
    Unit,
    read_start,
)

#: Returns the value of an option from the leaves that set it.
Read = Callable[[Leaves], Any]


class Option(NamedTuple):
    """Keys that an option sets.

    :param paths: normalized paths of the keys, in all versions.
    """

    paths: tuple[Path, ...]
    read: Read


def _read_first(leaves: Leaves) -> Any:
    return next(iter(leaves.values()))


def _read_list(leaves: Leaves) -> list[Any]:
    value = _read_first(leaves)
    return list(value) if isinstance(value, list) else [value]


def _read_systemd_cgroup(leaves: Leaves) -> str:
    """Return the cgroup driver of the default handler of containerd."""
    name = next((value for path, value in leaves.items() if path[-1] == "defaultruntimename"), "")
    is_systemd = any(
        value is True and path[-3] == str(name).lower() for path, value in leaves.items()
    )
    return "systemd" if is_systemd else "cgroupfs"


def _read_config_path(leaves: Leaves) -> dict[str, Any]:
    return {"config_path": _read_first(leaves)}


def _read_exec_opts(leaves: Leaves) -> str | None:
    found = dict(str(each).partition("=")[::2] for each in _read_list(leaves))
    return found.get("native.cgroupdriver")


def _read_names(leaves: Leaves) -> list[str]:
    """Return the names of OCI runtimes, which are tables."""
    names = {path[path.index("runtimes") + 1] for path in leaves}
    return sorted(name for name in names if not name.startswith("io.containerd."))


def _read_ulimits(leaves: Leaves) -> dict[str, dict[str, Any]]:
    """Return the limits of Docker in the form of the option."""
    limits: dict[str, dict[str, Any]] = {}
    for path, value in leaves.items():
        if path[-1] != "name":
            limits.setdefault(path[1], {})[path[-1]] = value
    return limits


def _read_last_keys(leaves: Leaves) -> dict[str, Any]:
    return {path[-1]: value for path, value in leaves.items()}


def _read_pinned(leaves: Leaves) -> list[str]:
    return sorted(value for path, value in leaves.items() if path[-1] != "sandbox")


def _read_all(leaves: Leaves) -> bool:
    return all(leaves.values())


def _read_crio_metrics(leaves: Leaves) -> str | None:
    values = _read_last_keys(leaves)
    address = f"{values.get('metricshost', '')}:{values.get('metricsport', '')}"
    return address if values.get("enablemetrics") else None


_CRI = ("plugins", "io.containerd.grpc.v1.cri")
_RUNTIME = ("plugins", "io.containerd.cri.v1.runtime")
_IMAGES = ("plugins", "io.containerd.cri.v1.images")


def _in_cri(*path: str, images: bool = False) -> tuple[Path, ...]:
    """Return the paths of a key of the CRI plugin of containerd 2.x and 1.x."""
    return (*(_IMAGES if images else _RUNTIME), *path), (*_CRI, *path)


_HANDLERS = _in_cri("containerd", "runtimes", ANY, "runtimetype")
#: By runtime, the options that can be listed.
OPTIONS: dict[str, dict[str, Option]] = {
    "containerd": {
        "cgroup_driver": Option(
            (
                *_in_cri("containerd", "runtimes", ANY, "options", "systemdcgroup"),
                *_in_cri("containerd", "defaultruntimename"),
            ),
            _read_systemd_cgroup,
        ),
        "sandbox_image": Option(
            ((*_IMAGES, "pinnedimages", "sandbox"), (*_CRI, "sandboximage")), _read_first
        ),
        "cni.bin_dirs": Option((*_in_cri("cni", "bindirs"), *_in_cri("cni", "bindir")), _read_list),
        "cni.conf_dir": Option(_in_cri("cni", "confdir"), _read_first),
        "oci_runtime": Option(_in_cri("containerd", "defaultruntimename"), _read_first),
        "oci_runtimes": Option(_HANDLERS, _read_names),
        "rootless": Option(
            (*_in_cri("restrictoomscoreadj"), *_in_cri("disableapparmor")), _read_all
        ),
        "registries": Option(_in_cri("registry", "configpath", images=True), _read_config_path),
        "storage.root": Option((("root",),), _read_first),
        "storage.driver": Option(
            ((*_IMAGES, "snapshotter"), (*_CRI, "containerd", "snapshotter")), _read_first
        ),
        "log_level": Option((("debug", "level"),), _read_first),
        "metrics": Option((("metrics", "address"),), _read_first),
        "pinned_images": Option(((*_IMAGES, "pinnedimages", ANY),), _read_pinned),
        "socket": Option((("grpc", "address"),), _read_first),
    },
    "crio": {
        "cgroup_driver": Option((("crio", "runtime", "cgroupmanager"),), _read_first),
        "sandbox_image": Option((("crio", "image", "pauseimage"),), _read_first),
        "cni.bin_dirs": Option((("crio", "network", "plugindirs"),), _read_list),
        "cni.conf_dir": Option((("crio", "network", "networkdir"),), _read_first),
        "oci_runtime": Option((("crio", "runtime", "defaultruntime"),), _read_first),
        "oci_runtimes": Option((("crio", "runtime", "runtimes", ANY, "runtimepath"),), _read_names),
        "storage.root": Option((("crio", "root"),), _read_first),
        "storage.driver": Option((("crio", "storagedriver"),), _read_first),
        "log_level": Option((("crio", "runtime", "loglevel"),), _read_first),
        "metrics": Option(
            tuple(
                ("crio", "metrics", key) for key in ("enablemetrics", "metricshost", "metricsport")
            ),
            _read_crio_metrics,
        ),
        "ulimits": Option((("crio", "runtime", "defaultulimits"),), _read_list),
        "pinned_images": Option((("crio", "image", "pinnedimages"),), _read_list),
        "socket": Option((("crio", "api", "listen"),), _read_first),
    },
    "docker": {
        "cgroup_driver": Option((("exec-opts",),), _read_exec_opts),
        "oci_runtime": Option((("default-runtime",),), _read_first),
        "oci_runtimes": Option((("runtimes", ANY),), _read_names),
        "registries": Option((("registry-mirrors",), ("insecure-registries",)), _read_last_keys),
        "storage.root": Option((("data-root",),), _read_first),
        "storage.driver": Option((("storage-driver",),), _read_first),
        "log_level": Option((("log-level",),), _read_first),
        "metrics": Option((("metrics-addr",),), _read_first),
        "live_restore": Option((("live-restore",),), _read_first),
        "ulimits": Option((("default-ulimits", ANY),), _read_ulimits),
        "container_logs": Option((("log-driver",), ("log-opts", ANY)), _read_last_keys),
    },
}
#: Variables that options set, in the environment of the service.
_VARIABLES = {
    "proxy.http": ("HTTP_PROXY", "http_proxy"),
    "proxy.https": ("HTTPS_PROXY", "https_proxy"),
    "proxy.no_proxy": ("NO_PROXY", "no_proxy"),
}


def list_values(
    effective: Effective, runtime: Runtime, unit: Unit, warn: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Return the values of the options of a running runtime, as the module returns them.

    :param unit: service of the runtime.
    :param warn: called with the error if a part cannot be read.
    """
    start = read_start(unit)
    process = start._replace(
        argv=command_line.read_argv(unit.pid), environment=command_line.read_environ(unit.pid)
    )
    named = command_line.find_flag(start.argv, *runtime.config_flag)
    main = named if named and os.path.isfile(named) else runtime.config_path
    filed: Leaves = {}
    running: Leaves = {}
    try:
        filed = effective.read_filed(start, main)
    except CruntimeError as error:
        warn(f"Could not read the configuration of {runtime.label}: {error}")
    try:
        running = effective.read_running(process.argv)
    except CruntimeError as error:
        warn(f"Could not read the running configuration of {runtime.label}: {error}")
    found = {}
    for name, option in OPTIONS[runtime.name].items():
        reported = find_leaves(option.paths, running)
        leaves = {**_find_unreported(effective, option, filed), **reported} if reported else {}
        leaves = leaves or find_leaves(option.paths, filed)
        if leaves:
            sources = [find_source(effective, path, main, process) for path in leaves]
            source = next((each for each in sources if each.kind != "default"), sources[0])
            if not _is_filed(effective, reported, filed) and source.kind in ("file", "default"):
                # The process has read other files.
                source = Source()
            value = _redact(leaves, option.read(leaves))
            found[name] = _describe(value, source, is_running=len(leaves) == len(reported))
    return {**found, **list_variables(effective, main, process)}


def find_leaves(paths: Iterable[Path], leaves: Leaves) -> Leaves:
    """Return the leaves at these paths, in the order of the paths."""
    return {
        path: value
        for scope in (Scope("", path) for path in paths)
        for path, value in leaves.items()
        if scope.matches(path)
    }


def find_source(effective: Effective, path: Path, main: str, process: Start) -> Source:
    """Return what sets a key: a flag, a variable, a file, or the default of the runtime.

    :param main: the configuration file of the runtime.
    :param process: the command with which the process was started.
    """
    source = environment.find_start_source(effective, path, process)
    if source.kind:
        return source
    # The key in any spelling, at the beginning of a line or of a table.
    spelled = "_?".join(map(re.escape, path[-1]))
    pattern = rf"(?:^|[{{,])[ \t]*[\w.\"'-]*?\b{spelled}[\"']?\s*[=:]"
    setting = re.compile(pattern, re.MULTILINE | re.IGNORECASE)
    for file in (*reversed(effective.list_drop_ins()), main):
        with contextlib.suppress(OSError, CruntimeError):
            if setting.search(read_regular(file).decode("utf-8", errors="replace")):
                return Source("file", file)
    return Source("default")


def list_variables(effective: Effective, main: str, process: Start) -> dict[str, dict[str, Any]]:
    """Return the options that variables of the process set."""
    content = read(main)[0] if os.path.isfile(main) else None
    own = effective.find_variables(content if isinstance(content, bytes) else b"", process)
    found = {}
    for name, variables in _VARIABLES.items():
        for variable in variables:
            value = process.environment.get(variable)
            source = environment.find_source(process.unit, variable)
            if variable in own:
                value, source = own[variable]
            if value and name not in found:
                found[name] = _describe(redact_user(value), source, is_running=variable not in own)
    return found


def _find_unreported(effective: Effective, option: Option, filed: Leaves) -> Leaves:
    """Return the leaves of an option that the process does not report."""
    rules = effective.equivalences
    scopes = [each.scope for each in unreported.list_entries(rules.runtime, rules.version)]
    return {
        path: value
        for path, value in find_leaves(option.paths, filed).items()
        if any(scope.matches(path) for scope in scopes)
    }


def _is_filed(effective: Effective, reported: Leaves, filed: Leaves) -> bool:
    """Return whether the runtime would start with the reported values.

    A key that is not filed has its default.
    """
    return all(
        effective.equivalences.agree(path, value, filed[path])
        for path, value in reported.items()
        if path in filed
    )


def _redact(leaves: Leaves, value: Any) -> Any:
    return redact([key for path in leaves for key in path[-1:]], value)


def _describe(value: Any, source: Source, *, is_running: bool) -> dict[str, Any]:
    return {
        "value": value,
        "source": source.kind or None,
        "file": str(source) or None,
        "state": "running" if is_running else "filed",
    }
