# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O."""

from __future__ import annotations

import os
import re
import shutil
import time

from ansible_collections.cruntime.node.plugins.module_utils.files import Change, Content
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime, Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.versions import Version

CONFIG_PATH = "/etc/crio/crio.conf"
DROP_IN_DIR = "/etc/crio/crio.conf.d"
DROP_IN_PATH = f"{DROP_IN_DIR}/50-cruntime.conf"
# Kept in memory by CRI-O, unlike by podman.
REGISTRIES_PATH = "/etc/containers/registries.conf.d/50-cruntime.conf"
_NO_ROOT = 'runtime_root = ""'
_HANDLERS = "crio.runtime.runtimes."
# More than enough for a reload, in seconds.
_RELOAD_TIME = 3
# What CRI-O takes over on SIGHUP, in every version since 1.28.
_RELOADABLE = frozenset(
    (
        "apparmor_profile",
        "decryption_keys_path",
        "log_filter",
        "log_level",
        "pause_command",
        "pause_image",
        "pause_image_auth_file",
        "seccomp_profile",
    )
)


class Crio(Runtime):
    name = "crio"
    label = "CRI-O"
    binary = "crio"
    units = ("crio.service",)
    overrides = f"another file in {DROP_IN_DIR}, or a flag of crio.service"
    socket_path = "/var/run/crio/crio.sock"

    def version(self) -> str:
        return parse_version(self._runner.output("crio", "--version"))

    def validate(self, staged: dict[str, str], version: str, units: dict[str, Unit]) -> None:
        path = staged.get(DROP_IN_PATH)
        if path is None:
            return
        # CRI-O reads the drop-ins of everyone, so they are judged together.
        drop_ins = f"{path}.d"
        if os.path.isdir(DROP_IN_DIR):
            shutil.copytree(DROP_IN_DIR, drop_ins)
        else:
            os.mkdir(drop_ins)
        try:
            shutil.copy(path, os.path.join(drop_ins, os.path.basename(DROP_IN_PATH)))
            result = self._runner.run(
                "crio",
                "--config",
                CONFIG_PATH if os.path.exists(CONFIG_PATH) else os.devnull,
                "--config-dir",
                drop_ins,
                "config",
            )
        finally:
            shutil.rmtree(drop_ins)
        if result.rc != 0:
            raise self._refuse(parse_refusal(result.err).replace(drop_ins, DROP_IN_DIR))
        with open(path, encoding="utf-8") as handle:
            # What CRI-O does not know, it ignores without a word.
            unknown = parse_keys(handle.read()) - parse_keys(result.out)
        if unknown:
            raise self._refuse(f"{version} knows no key {' and no key '.join(sorted(unknown))}")

    def reloads(self, change: Change) -> bool:
        if change.path == REGISTRIES_PATH:
            return True
        if change.path != DROP_IN_PATH or not isinstance(change.before, bytes):
            return False
        before, after = (parse_settings(text) for text in (change.before, change.after))
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        return changed <= _RELOADABLE

    def reloaded(self, since: float) -> bool:
        log = self._runner.output(
            "journalctl",
            *("--no-pager", "--output=cat", f"--since=@{since:.6f}", "_SYSTEMD_UNIT=crio.service"),
            timeout=10,
        )
        failure = re.search(r'Unable to reload configuration: ([^"]*)', log)
        if failure:
            raise self._refuse(failure.group(1))
        # With a log level above info it does not say that it is done.
        return "Configuration reload completed" in log or time.time() - since > _RELOAD_TIME

    def settings(self) -> dict[str, str]:
        return parse_settings_in_use(self._status("config"))

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        config = self._status("config")
        if _NO_ROOT not in config:
            return parse_oci_runtimes(config)
        # Its own default for all handlers, whichever tool they name.
        version = Version(self.version())
        runc = (version.major, version.minor) < (1, 31)
        return parse_oci_runtimes(config, "/run/runc" if runc else "/run/crun")

    def probe(self) -> None:
        self._status("info")

    def _status(self, what: str) -> str:
        return self._runner.output("crio", "status", "--socket", self.socket_path, what, timeout=10)


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


def parse_keys(config: str) -> set[str]:
    """Return the names of all keys of a configuration, those commented out too."""
    return set(re.findall(r"^[ \t#]*([\w-]+) *=", config, re.MULTILINE))


def parse_settings(drop_in: Content) -> dict[str, str]:
    """Return the lines of a drop-in by key; a table's head and what is no setting by themselves."""
    text = drop_in.decode("utf-8", errors="replace") if isinstance(drop_in, bytes) else ""
    lines = [line.strip() for line in text.splitlines()]
    return {
        line.partition("=")[0].strip(): line
        for line in lines
        if line and not line.startswith(("#", "["))
    }


def parse_refusal(log: str) -> str:
    """Pick what ended C(crio config) from all that it logs."""
    errors = re.findall(r'level=(?:fatal|error) msg="(.*)"', log)
    return errors[-1].replace('\\"', '"') if errors else log.strip()
