# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd."""

from __future__ import annotations

import glob
import json
import re
from typing import TYPE_CHECKING, Any, Iterable, cast

from ansible_collections.cruntime.node.plugins.module_utils import cni, crictl
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_CERTS,
    CONTAINERD_DROP_INS,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_drop_in
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import OciRuntime, Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.shims import (
    DOCKER_NAMESPACES,
    is_shim,
    namespace_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
    installed_version,
)

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.dropped import Dropped
    from ansible_collections.cruntime.node.plugins.module_utils.files import Change

# Where runc's shim keeps its state, in every version, if its options name no other place; it adds
# the containerd namespace, which is this one for all that comes through the CRI.
_RUNC_ROOT = "/run/containerd/runc"
#: Where its CRI keeps images and containers.
NAMESPACE = "k8s.io"


class Containerd(Runtime):
    identity = CONTAINERD
    drop_in_patterns = tuple(f"{each}/*.toml" for each in CONTAINERD_DROP_INS)
    data_names = ((r"io\.containerd\..+|tmpmounts", None), ("opt", "bin|lib"))
    # Without the metadata, containerd has no references to the rest.
    data_first = ("io.containerd.metadata.v1.bolt",)
    keeps_namespaces = True
    namespaces = (NAMESPACE,)
    overrides = f"a drop-in in {' or '.join(CONTAINERD_DROP_INS)}"
    # Whether the rendered file has bin_dirs that no option sets.
    _unasked_bin_dirs = False

    def configured(self, options: dict[str, Any]) -> Runtime:
        wanted = cast("Containerd", super().configured(options))
        wanted._unasked_bin_dirs = not (options.get("cni") or {}).get("bin_dirs")
        return wanted

    def version(self) -> str:
        return parse_version(self._runner.output("containerd", "--version"))

    def find_facts(self) -> dict[str, Any]:
        return {cni.BIN_DIR_FACT: cni.find_bin_dir()}

    def validate(self, staged: dict[str, str], version: str, units: dict[str, Unit]) -> None:
        path = staged.get(CONTAINERD.config_path)
        if path is None:
            return
        with open(path, encoding="utf-8") as handle:
            text = handle.read()
        if "io.containerd.cri.v1." in text and installed_version(version).major < 2:
            raise self._refuse(
                "the plugins io.containerd.cri.v1.* of extra_config are those of containerd 2.x; "
                f"{version} has io.containerd.grpc.v1.cri"
            )
        self._check_drop_ins()
        result = self._runner.run("containerd", "--config", path, "config", "dump")
        if result.rc != 0:
            raise self._refuse(result.err.strip().replace(path, CONTAINERD.config_path), result)
        if not re.search(r"^version = [0-9]+$", result.out, re.MULTILINE):
            raise CruntimeError(
                "containerd config dump: unreadable output: it has no version. Run the command on "
                "the node to see what it prints",
                reason="output_unreadable",
            )
        unknown = parse_unknown_keys(result.err)
        # A drop-in may know more than this version does; that is its admin's concern.
        ours = [key for key in unknown if key.rpartition(".")[2] in text]
        if ours:
            raise self._refuse(f"{version} knows no key {' and no key '.join(ours)}")
        from ansible_collections.cruntime.node.plugins.module_utils.runtimes import (
            containerd_store,
        )

        containerd_store.check(self._runner, self.socket_path, result.out)

        if "config_path" in text:
            self._check_mirrors(result.out)

    def _check_drop_ins(self) -> None:
        """Check that no drop-in would block containerd, or fill the memory of the node."""
        for path in (path for pattern in self.drop_in_patterns for path in glob.glob(pattern)):
            read_drop_in(path)

    def _check_mirrors(self, dump: str) -> None:
        from ansible_collections.cruntime.node.plugins.module_utils.runtimes import containerd_dump

        found = containerd_dump.find_mirror_drop_ins(dump)
        if found:
            raise CruntimeError(
                f"{' and '.join(found)}: registry.mirrors and registry.configs.*.tls are not "
                f"supported together with the config_path {CONTAINERD_CERTS}: containerd would "
                "start without its CRI plugin. Move them to registries, or to hosts.toml files in "
                f"{CONTAINERD_CERTS}",
                reason="configuration_refused",
            )

    def find_dropped(
        self, changes: Iterable[Change], foreign: dict[str, Change], staged: dict[str, str]
    ) -> list[Dropped]:
        if CONTAINERD.config_path not in foreign or CONTAINERD.config_path not in staged:
            return []
        from ansible_collections.cruntime.node.plugins.module_utils.runtimes import containerd_dump

        return containerd_dump.find_dropped(
            self._runner,
            foreign[CONTAINERD.config_path].target,
            staged[CONTAINERD.config_path],
            unasked_bin_dirs=self._unasked_bin_dirs,
        )

    def holds_container(self, argv: list[str]) -> bool:
        # Docker runs its containers through containerd, in separate namespaces.
        return is_shim(argv) and namespace_of(argv) not in DOCKER_NAMESPACES

    def settings(self) -> dict[str, str]:
        info = crictl.info(self._runner, self.cri_endpoint)
        found = {} if info is None else parse_settings(info)
        if "sandbox_image" not in found:
            # Without crictl, nothing asks the process, and 2.x tells it no image. This is what it
            # was started with.
            dump = self._runner.output("containerd", "config", "dump")
            found = {**parse_dumped_settings(dump), **found}
        return found

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        info = crictl.info(self._runner, self.cri_endpoint)
        return parse_oci_runtimes(info) if info else {}

    def probe(self) -> None:
        # Asks the daemon, not just the client; the CRI plugin is named in required_plugins,
        # so a containerd that runs has it.
        self._runner.output(
            "ctr", "--address", self.socket_path, "--connect-timeout", "5s", "version", timeout=10
        )


def parse_version(line: str) -> str:
    """Read C(containerd --version): C(containerd NAME VERSION [REVISION]).

    :raises CruntimeError: this is no such line.
    """
    words = line.split(" ")
    if len(words) < 4 or words[0] != "containerd":
        raise CruntimeError(
            f"unknown version of containerd: {line.strip()!r}", reason="version_unreadable"
        )
    version = words[2].replace("v", "", 1).partition("~")[0].strip()
    try:
        Version(version)
    except ValueError:
        return version.partition("-")[0]
    return version


def parse_unknown_keys(log: str) -> list[str]:
    """Read what C(containerd config dump) logs: 2.x names each key that it will ignore."""
    return re.findall(r'msg="Ignoring unknown key in TOML.* key=(\S+)', log)


@parsing("crictl info")
def parse_settings(info: str) -> dict[str, str]:
    """Read C(crictl info): the driver of the runtime handler runc, and the sandbox image of 1.x."""
    config = json.loads(info).get("config") or {}
    try:
        uses_systemd = config["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"]
    except (KeyError, TypeError):
        uses_systemd = False
    settings = {"cgroup_driver": "systemd" if uses_systemd else "cgroupfs"}
    if config.get("sandboxImage"):
        settings["sandbox_image"] = config["sandboxImage"]
    return settings


@parsing("crictl info")
def parse_oci_runtimes(info: str) -> dict[str, OciRuntime | None]:
    """Read C(crictl info): the OCI runtime of each handler."""
    config = json.loads(info)["config"]["containerd"]
    found = {name: _oci_runtime(handler) for name, handler in config["runtimes"].items()}
    return dict(found, **{"": found.get(config["defaultRuntimeName"])})


def _oci_runtime(handler: dict[str, Any]) -> OciRuntime | None:
    # A shim of another kind runs no such tool.
    if not handler["runtimeType"].startswith("io.containerd.runc."):
        return None
    options = handler.get("options") or {}
    root = options.get("Root") or _RUNC_ROOT
    return OciRuntime(options.get("BinaryName") or "runc", f"{root}/{NAMESPACE}")


def parse_dumped_settings(dump: str) -> dict[str, str]:
    """Read C(containerd config dump): the driver of the handler runc, and the sandbox image."""
    table, settings = "", {"cgroup_driver": "cgroupfs"}
    for line in dump.splitlines():
        text = line.strip()
        if text.startswith("["):
            table = text
        elif table.endswith("containerd.runtimes.runc.options]") and text == "SystemdCgroup = true":
            settings["cgroup_driver"] = "systemd"
        elif text.startswith(("sandbox = ", "sandbox_image = ")):
            settings["sandbox_image"] = text.partition(" = ")[2].strip("\"'")
    return settings
