# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from typing import Any, Iterable, Iterator, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import cni
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
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime, Runtime
from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
    installed_version,
)

CONFIG_PATH = "/etc/crio/crio.conf"
# How much of a file is searched for a key, in bytes.
_CONFIG_LIMIT = 1024 * 1024
_OWN_CONMON = "/usr/libexec/crio/conmon"
_NO_ROOT = 'runtime_root = ""'
_HANDLERS = "crio.runtime.runtimes."
# What CRI-O takes over on SIGHUP, in every version since 1.28, and shows from then on.
_SHOWN = frozenset(
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
# What of that says how much it logs.
_LOGGING = frozenset((("crio.runtime", "log_filter"), ("crio.runtime", "log_level")))
# What it takes over too, but only tells of, when it has taken over everything. It shows new OCI
# runtimes as well, and still runs pods by the old ones.
_TOLD = frozenset(((CRIO_REGISTRIES, ""), ("crio.image", "pinned_images")))
_TAKEN_OVER = "Configuration reload completed"
# Since then it says so, and forgets pinned images that are named no more.
_TELLS_SINCE = Version("1.31.0")
_TELLING_LEVELS = ("info", "debug", "trace")


class Storage(NamedTuple):
    """Where CRI-O keeps images and containers, and how."""

    root: str
    runroot: str
    driver: str
    options: list[str]


class Crio(Runtime):
    identity = CRIO
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

    def find_facts(self) -> dict[str, Any]:
        # CRI-O's own packages bring one that is not on the PATH.
        return {
            "own_conmon": os.access(_OWN_CONMON, os.X_OK),
            cni.BIN_DIR_FACT: _find_other_bin_dir(),
        }

    def reloads(self, changes: Iterable[Change]) -> bool:
        keys = {key for change in changes for key in changed_keys(change)}
        told = keys - _SHOWN
        if not told <= _TOLD:
            return False
        # Where it would not tell, a restart is the surer way: containers outlive it.
        return not told or (_LOGGING.isdisjoint(keys) and self._tells(self._shown()))

    def reloaded(self, since: float) -> bool:
        log = self._runner.output(
            "journalctl",
            *("--no-pager", "--output=cat", f"--since=@{since:.6f}", "_SYSTEMD_UNIT=crio.service"),
            timeout=10,
        )
        failure = re.search(r'msg="Unable to reload configuration: ((?:[^"\\]|\\.)*)"', log)
        if failure:
            raise refuse(self.label, failure.group(1).replace('\\"', '"'))
        shown = self._shown()
        if self._tells(shown) and _TAKEN_OVER not in log:
            return False
        # It says so of one too that passed over a folder which was not there when it was started.
        return shown == parse_shown(self._runner.output("crio", "config"), escaped=False)

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
                    f"{root}: foreign data: {self.label} did not make {', '.join(foreign[:10])}, "
                    "but podman or buildah can have. Remove them with that tool, or set "
                    "keep_data to true",
                    reason="data_foreign",
                )

    def settings(self) -> dict[str, str]:
        return parse_settings_in_use(self.ask_status("config"))

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        config = self.ask_status("config")
        if _NO_ROOT not in config:
            return parse_oci_runtimes(config)
        # Its own default for all handlers, whichever tool they name.
        version = installed_version(self.version())
        runc = (version.major, version.minor) < (1, 31)
        return parse_oci_runtimes(config, "/run/runc" if runc else "/run/crun")

    def storage(self) -> Storage:
        """Ask the running process, which a flag or any drop-in may have told."""
        return parse_storage(self.ask_status("config"))

    def probe(self) -> None:
        self.ask_status("info")

    def _shown(self) -> dict[str, str]:
        """Return what the process that runs now goes by; nothing where it does not answer."""
        with contextlib.suppress(CommandError):
            return parse_shown(self.ask_status("config"), escaped=True)
        return {}

    def _tells(self, shown: dict[str, str]) -> bool:
        """Say whether a process that goes by this logs when a reload is done."""
        loud = shown.get("log_level") in _TELLING_LEVELS and not shown["log_filter"]
        return loud and installed_version(self.version()) >= _TELLS_SINCE

    def ask_status(self, what: str) -> str:
        """Return the output of C(crio status), which asks the running process."""
        return self._runner.output("crio", "status", "--socket", self.socket_path, what, timeout=10)


def _find_other_bin_dir() -> str | None:
    """Return the directory of CNI plugins, None if CRI-O finds it without our drop-in.

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
    """Read C(crio --version): C(crio version 1.36.3), and lines of detail."""
    return text.partition("\n")[0].replace("crio version ", "", 1).strip()


def parse_settings_in_use(config: str) -> dict[str, str]:
    """Read C(crio config), which comments out what is the default, or C(crio status config)."""
    found = dict(re.findall(r'^ *(cgroup_manager|pause_image) = "(.*)"$', config, re.MULTILINE))
    settings = {"cgroup_driver": found.get("cgroup_manager", "systemd")}
    if "pause_image" in found:
        settings["sandbox_image"] = found["pause_image"]
    return settings


def parse_oci_runtimes(config: str, default_root: str = "") -> dict[str, OciRuntime | None]:
    """Read C(crio status config): the OCI runtime of each handler.

    :param default_root: where those keep their state that are not told where.
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
        # A handler without a path is the tool of its name; one with virtual machines has no such.
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
    """Read C(crio status config)."""
    keys = "root|runroot|storage_driver|storage_option"
    found = dict(re.findall(rf"^ *({keys}) = (.+)$", config, re.MULTILINE))
    root, runroot, driver = (json.loads(found[key]) for key in keys.split("|")[:3])
    return Storage(root, runroot, driver, json.loads(found.get("storage_option", "[]")))


def changed_keys(change: Change) -> set[tuple[str, str]]:
    """Return what differs: a table and a key of the drop-in, or the path of another file."""
    if change.path != CRIO.config_path:
        return {(change.path, "")}
    before, after = (parse_settings(text) for text in (change.before, change.after))
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def parse_settings(drop_in: Content) -> dict[tuple[str, str], str]:
    """Return the lines of a drop-in by table and key; a line that is no setting by itself."""
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
    """Return what a reload can change of C(crio config) or C(crio status config), by key.

    :param escaped: as TOML has it; C(crio config) prints every text as it is.
    """
    keys = "|".join(key for _table, key in _SHOWN)
    found = re.findall(rf'^[# \t]*({keys}) = (".*")$', config, re.MULTILINE)
    # The first one is that of CRI-O itself; handlers may have their own.
    return {key: json.loads(text) if escaped else text[1:-1] for key, text in reversed(found)}
