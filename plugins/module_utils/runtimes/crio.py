# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime CRI-O."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from typing import Any, Container, Iterable, Iterator, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import cni, command_line
from ansible_collections.cruntime.node.plugins.module_utils.contents import Content
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CRIO
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CRIO_DROP_INS,
    CRIO_REGISTRIES,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import (
    read_regular,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import refuse
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import (
    OciRuntime,
    Runtime,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
    installed_version,
)

CONFIG_PATH = "/etc/crio/crio.conf"
# Maximum number of bytes of a file that are searched for a key.
_CONFIG_LIMIT = 1024 * 1024
_OWN_CONMON = "/usr/libexec/crio/conmon"
_NO_ROOT = 'runtime_root = ""'
_HANDLERS = "crio.runtime.runtimes."
# Keys that every version since 1.28 reloads on SIGHUP, and then reports with their new values.
_RELOAD_REPORTED = frozenset(
    (
        ("crio.image", "pause_command"),
        ("crio.image", "pause_image"),
        ("crio.image", "pause_image_auth_file"),
        ("crio.runtime", "apparmor_profile"),
        ("crio.runtime", "decryption_keys_path"),
        ("crio.runtime", "log_filter"),
        ("crio.runtime", "log_level"),
        ("crio.runtime", "seccomp_profile"),
    )
)
# The keys among them that configure logging.
_LOGGING = frozenset((("crio.runtime", "log_filter"), ("crio.runtime", "log_level")))
# Files and keys that CRI-O also reloads, but does not report. It only logs the end of the reload.
# CRI-O also reports new OCI runtimes after a reload, but still runs pods with the old ones.
_RELOAD_LOGGED_ONLY = frozenset(((CRIO_REGISTRIES, ""), ("crio.image", "pinned_images")))
_SHORT_FLAGS = {"log_level": ("l",)}
_RELOAD_COMPLETED = "Configuration reload completed"
# From this version on, CRI-O logs the end of a reload, and unpins images that were removed from the
# list.
_RELOAD_LOGGED_SINCE = Version("1.31.0")
_RELOAD_LOG_LEVELS = ("info", "debug", "trace")


class Storage(NamedTuple):
    """Directories, driver and options of the store of CRI-O."""

    root: str
    runroot: str
    driver: str
    options: list[str]


class Crio(Runtime):
    identity = CRIO
    config_flag = ("config-dir", "d")
    overrides = f"another file in {CRIO_DROP_INS}, or a flag of crio.service"
    # Names of containers/storage, and names that podman adds if it uses the same store.
    data_names = (
        ("(overlay|vfs|btrfs|zfs|aufs|devicemapper)(-(containers|images|layers))?", None),
        ("cache|mounts|tmp|secrets|networks|artifacts|libpod|volumes|defaultNetworkBackend", None),
        (r"(storage|userns)\.lock|db\.sql(-(shm|wal|journal))?", None),
    )
    data_first = tuple(f"overlay-{kind}" for kind in ("containers", "images", "layers"))

    def version(self) -> str:
        return parse_version(self._runner.output("crio", "--version"))

    def _can_replace(self, path: str) -> bool:
        # The flag names the directory of all drop-ins.
        return False

    def find_facts(self, names: Container[str]) -> dict[str, Any]:
        # The packages of CRI-O include a conmon that is not on the PATH.
        return {
            "own_conmon": os.access(_OWN_CONMON, os.X_OK),
            cni.BIN_DIR_FACT: _find_other_bin_dir(),
        }

    def reloads(self, changes: Iterable[Change]) -> bool:
        keys = {key for change in changes for key in changed_keys(change)}
        logged_only = keys - _RELOAD_REPORTED
        if not logged_only <= _RELOAD_LOGGED_ONLY:
            return False
        # Restart CRI-O if it would not log the end of the reload. Containers survive a restart.
        return not logged_only or (
            _LOGGING.isdisjoint(keys) and self._logs_reload(self._running_settings())
        )

    def reloaded(self, since: float) -> bool:
        log = self._read_journal(since)
        failure = re.search(r'msg="Unable to reload configuration: ((?:[^"\\]|\\.)*)"', log)
        if failure:
            raise refuse(self.label, failure.group(1).replace('\\"', '"'))
        shown = self._running_settings()
        if self._logs_reload(shown) and _RELOAD_COMPLETED not in log:
            return False
        # CRI-O also logs completion if it ignored a directory that did not exist when it started,
        # so compare the settings too.
        return shown == parse_shown(self._runner.output("crio", "config"), escaped=False)

    def warn_of_reload(self, units: dict[str, Unit]) -> list[str]:
        unit = units[CRIO.service]
        environment = command_line.read_environment(unit.environment, unit.environment_files)
        argv = command_line.expand(unit.command, environment)
        found = [
            name
            for _table, key in sorted(_RELOAD_REPORTED | _RELOAD_LOGGED_ONLY)
            for name in [key.replace("_", "-")]
            if key
            and (
                f"CONTAINER_{key.upper()}" in environment
                or command_line.find_flag(argv, name, *_SHORT_FLAGS.get(key, ())) is not None
            )
        ]
        if not found:
            return []
        return [
            f"{unit.name}: the reload ignores the flags {', '.join(f'--{name}' for name in found)} "
            "of the unit until CRI-O is restarted: CRI-O reloads files only. Set them in the spec "
            "instead"
        ]

    def holds_container(self, argv: list[str]) -> bool:
        is_monitor = os.path.basename(argv[0]).startswith("conmon")
        return is_monitor and any("/crio/" in word for word in argv)

    def check_data(self, roots: Iterable[str]) -> None:
        for root in roots:
            foreign = glob.glob(f"{root}/volumes/*")
            for path in glob.glob(f"{root}/*-containers/containers.json"):
                foreign += find_foreign_containers(read_regular(path), os.path.dirname(path))
            if foreign:
                raise CruntimeError(
                    f"{root}: foreign data: {self.label} did not create {', '.join(foreign[:10])}. "
                    "Remove them, for example with podman or buildah, or set keep_data: true",
                    reason="data_foreign",
                )

    def settings(self) -> dict[str, str]:
        return parse_settings_in_use(self.running_config())

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        config = self.running_config()
        if _NO_ROOT not in config:
            return parse_oci_runtimes(config)
        # Handlers without a root use the default of CRI-O, which is the same for all tools.
        version = installed_version(self._running_version())
        runc = (version.major, version.minor) < (1, 31)
        return parse_oci_runtimes(config, "/run/runc" if runc else "/run/crun")

    def _running_version(self) -> str:
        """Return the version of the running process."""
        from ansible_collections.cruntime.node.plugins.module_utils import cri
        from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

        with Channel(self.socket_path, self.request_timeout) as channel:
            return str(cri.version(channel)["runtime_version"])

    def storage(self) -> Storage:
        """Return the store of the running process. A flag or any drop-in can have set it."""
        return parse_storage(self.running_config())

    def check_responding(self) -> None:
        self.check_cri()

    def _running_settings(self) -> dict[str, str]:
        """Return the settings of the running process; empty if it does not respond."""
        with contextlib.suppress(CommandError):
            return parse_shown(self.running_config(), escaped=True)
        return {}

    def _logs_reload(self, shown: dict[str, str]) -> bool:
        """Return whether a process with these settings logs the end of a reload."""
        is_verbose = shown.get("log_level") in _RELOAD_LOG_LEVELS and not shown["log_filter"]
        return is_verbose and installed_version(self.version()) >= _RELOAD_LOGGED_SINCE

    def running_config(self) -> str:
        """Return the configuration of the running process, as TOML.

        :raises RequestError: if CRI-O does not respond.
        """
        # Most runs do not need the import.
        from ansible_collections.cruntime.node.plugins.module_utils import crio_api

        return crio_api.config(self.socket_path, self.request_timeout)


def _find_other_bin_dir() -> str | None:
    """Return the directory of CNI plugins, None if CRI-O finds it without the managed drop-in.

    CRI-O finds it if it is the default, or if a file of an admin or a package sets plugin_dirs.
    """
    found = cni.find_bin_dir(cni.BIN_DIRS[1:])
    return None if found is None or any(map(_decides_plugin_dirs, _others_files())) else found


def _others_files() -> Iterator[str]:
    """Return the paths of foreign configuration files that CRI-O reads."""
    yield CONFIG_PATH
    with contextlib.suppress(OSError), os.scandir(CRIO_DROP_INS) as entries:
        yield from (entry.path for entry in entries if entry.path != CRIO.config_path)


def _decides_plugin_dirs(path: str) -> bool:
    # Reading a FIFO could block.
    if not os.path.isfile(path):
        return False
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as handle:
        text = handle.read(_CONFIG_LIMIT)
        return re.search(r"^\s*plugin_dirs?\s*=", text, re.MULTILINE) is not None
    return False


def parse_version(text: str) -> str:
    """Parse C(crio --version): C(crio version 1.36.3), and more lines."""
    return text.partition("\n")[0].replace("crio version ", "", 1).strip()


def parse_settings_in_use(config: str) -> dict[str, str]:
    """Parse C(crio config), which comments out defaults, or C(crio status config)."""
    found = dict(re.findall(r'^ *(cgroup_manager|pause_image) = "(.*)"$', config, re.MULTILINE))
    settings = {"cgroup_driver": found.get("cgroup_manager", "systemd")}
    if "pause_image" in found:
        settings["sandbox_image"] = found["pause_image"]
    return settings


def parse_oci_runtimes(config: str, default_root: str = "") -> dict[str, OciRuntime | None]:
    """Parse C(crio status config): the OCI runtime of each handler.

    :param default_root: state directory of OCI runtimes without a configured root.
    """
    table, default = "", ""
    handlers: dict[str, dict[str, str]] = {}
    for line in config.splitlines():
        text = line.strip()
        key, _equals, value = (part.strip() for part in text.partition("="))
        if text.startswith("["):
            table = text.strip("[]")
        elif table == "crio.runtime" and key == "default_runtime":
            default = value.strip('"')
        elif table.startswith(_HANDLERS):
            name = table[len(_HANDLERS) :].strip('"')
            handlers.setdefault(name, {})[key] = value.strip('"')
    found = {
        # Without a path, the OCI runtime has the name of the handler. A handler with virtual
        # machines has no OCI runtime.
        name: OciRuntime(
            handler.get("runtime_path") or name, handler.get("runtime_root") or default_root
        )
        for name, handler in handlers.items()
        if handler.get("runtime_type") != "vm"
    }
    return dict(found, **{"": found.get(default)})


def find_foreign_containers(document: bytes, directory: str) -> list[str]:
    """Return the containers in a C(containers.json) that belong to no pod.

    :param directory: directory of the file and of the containers' data.
    """
    with parsing(f"{directory}/containers.json"):
        return [
            f"{directory}/{each['id']} ({', '.join(each.get('names') or ['no name'])})"
            for each in json.loads(document)
            if "pod-id" not in json.loads(each.get("metadata") or "{}")
        ]


@parsing("crio status config")
def parse_storage(config: str) -> Storage:
    """Parse C(crio status config)."""
    keys = "root|runroot|storage_driver|storage_option"
    found = dict(re.findall(rf"^ *({keys}) = (.+)$", config, re.MULTILINE))
    root, runroot, driver = (json.loads(found[key]) for key in keys.split("|")[:3])
    return Storage(root, runroot, driver, json.loads(found.get("storage_option", "[]")))


def changed_keys(change: Change) -> set[tuple[str, str]]:
    """Return the differences: table and key in the drop-in, or the path of another file."""
    if change.path != CRIO.config_path:
        return {(change.path, "")}
    before, after = (parse_settings(text) for text in (change.before, change.after))
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def parse_settings(drop_in: Content) -> dict[tuple[str, str], str]:
    """Return the lines of a drop-in by table and key. The key of another line is the line."""
    text = drop_in.decode("utf-8", errors="replace") if isinstance(drop_in, bytes) else ""
    settings, table = {}, ""
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("["):
            table = line.strip("[]")
        elif line and not line.startswith("#"):
            settings[table, line.partition("=")[0].strip()] = line
    return settings


@parsing("crio config")
def parse_shown(config: str, escaped: bool) -> dict[str, str]:
    """Parse the keys of C(crio config) or C(crio status config) that a reload can change.

    :param escaped: whether strings are escaped as in TOML; C(crio config) does not escape them.
    """
    keys = "|".join(key for _table, key in _RELOAD_REPORTED)
    found = re.findall(rf'^[# \t]*({keys}) = (".*")$', config, re.MULTILINE)
    # The first occurrence belongs to CRI-O itself. Handlers can have keys of the same name.
    return {key: json.loads(text) if escaped else text[1:-1] for key, text in reversed(found)}
