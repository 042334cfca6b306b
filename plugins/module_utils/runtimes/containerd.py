# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime containerd."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, Container, cast

from ansible_collections.cruntime.node.plugins.module_utils import cni
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_DROP_INS,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import OCI_SPEC_FACT
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import (
    OciRuntime,
    Runtime,
)
from ansible_collections.cruntime.node.plugins.module_utils.shims import (
    DOCKER_NAMESPACES,
    is_shim,
    namespace_of,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
)

if TYPE_CHECKING:
    pass

# State directory of runc's shim, in every version, if its options set no other directory. The shim
# appends the containerd namespace, which is C(NAMESPACE) for everything that the CRI creates.
_RUNC_ROOT = "/run/containerd/runc"
#: Namespace in which the CRI of containerd keeps images and containers.
NAMESPACE = "k8s.io"


class Containerd(Runtime):
    identity = CONTAINERD
    data_names = ((r"io\.containerd\..+|tmpmounts", None), ("opt", "bin|lib"))
    # Without the metadata, containerd has no references to the rest.
    data_first = ("io.containerd.metadata.v1.bolt",)
    keeps_namespaces = True
    namespaces = (NAMESPACE,)
    config_flag = ("config", "c")
    overrides = f"a drop-in in {' or '.join(CONTAINERD_DROP_INS)}"
    #: Whether the rendered file has bin_dirs that no option sets.
    unasked_bin_dirs = False

    def configured(self, options: dict[str, Any]) -> Runtime:
        wanted = cast("Containerd", super().configured(options))
        wanted.unasked_bin_dirs = not (options.get("cni") or {}).get("bin_dirs")
        return wanted

    def version(self) -> str:
        return parse_version(self._runner.output("containerd", "--version"))

    def find_facts(self, names: Container[str]) -> dict[str, Any]:
        found: dict[str, Any] = {cni.BIN_DIR_FACT: cni.find_bin_dir()}
        if OCI_SPEC_FACT in names:
            # The command does not need a running containerd.
            found[OCI_SPEC_FACT] = self._runner.output("ctr", "oci", "spec")
        return found

    def holds_container(self, argv: list[str]) -> bool:
        # Docker runs its containers through containerd, in separate namespaces.
        return is_shim(argv) and namespace_of(argv) not in DOCKER_NAMESPACES

    def cgroup_driver(self) -> str:
        return self._reported_settings()["cgroup_driver"]

    def _reported_settings(self) -> dict[str, str]:
        """Return the settings that the running process reports, see C(settings)."""
        from ansible_collections.cruntime.node.plugins.module_utils import cri
        from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

        with Channel(self.socket_path, self.request_timeout) as channel:
            found = parse_settings(_read_config(cri.status(channel)))
            # containerd 2.x tells the kubelet its driver. 1.x only reports its configuration.
            found["cgroup_driver"] = cri.cgroup_driver(channel) or found["cgroup_driver"]
        return found

    def settings(self) -> dict[str, str]:
        found = self._reported_settings()
        if "sandbox_image" not in found:
            # containerd 2.x does not report the sandbox image. Use the configuration that
            # containerd was started with.
            dump = self._runner.output("containerd", "config", "dump")
            found = {**parse_dumped_settings(dump), **found}
        return found

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        return parse_oci_runtimes(self.running_config())

    def check_responding(self) -> None:
        # If the CRI plugin failed, containerd still serves its other services.
        self.check_cri()

    def has_pods(self) -> bool:
        from ansible_collections.cruntime.node.plugins.module_utils import cri
        from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

        # Docker's packages disable the CRI, and a broken CRI has no pods either.
        with contextlib.suppress(CruntimeError), Channel(
            self.socket_path, self.request_timeout
        ) as channel:
            pods = cri.list_pod_sandboxes(channel)
            return any(pod["state"] == "SANDBOX_READY" for pod in pods)
        return False

    def running_config(self) -> str:
        """Return the configuration of the CRI in the running process, as JSON."""
        from ansible_collections.cruntime.node.plugins.module_utils import cri
        from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

        with Channel(self.socket_path, self.request_timeout) as channel:
            return _read_config(cri.status(channel))


def _read_config(status: dict[str, Any]) -> str:
    """Return the configuration in a status of the CRI, as JSON."""
    return str(status["info"].get("config", "{}"))


def parse_version(line: str) -> str:
    """Parse C(containerd --version): C(containerd NAME VERSION [REVISION]).

    :raises CruntimeError: if the line has another format.
    """
    words = line.split(" ")
    if len(words) < 4 or words[0] != "containerd":
        raise CruntimeError(
            f"Could not parse the version of containerd: {line.strip()!r}",
            reason="version_unreadable",
        )
    version = words[2].replace("v", "", 1).partition("~")[0].strip()
    try:
        Version(version)
    except ValueError:
        return version.partition("-")[0]
    return version


@parsing("Status of the CRI of containerd")
def parse_settings(text: str) -> dict[str, str]:
    """Parse the configuration of the CRI, which its status contains.

    :return: the cgroup driver of the default handler, and the sandbox image of 1.x.
    """
    config = json.loads(text)
    handlers = config.get("containerd") or {}
    default = (handlers.get("runtimes") or {}).get(handlers.get("defaultRuntimeName")) or {}
    # containerd accepts systemdCgroup too, and uses it if the file has both spellings.
    options = {key.lower(): value for key, value in sorted((default.get("options") or {}).items())}
    settings = {"cgroup_driver": "systemd" if options.get("systemdcgroup") else "cgroupfs"}
    if config.get("sandboxImage"):
        settings["sandbox_image"] = config["sandboxImage"]
    return settings


@parsing("Status of the CRI of containerd")
def parse_oci_runtimes(text: str) -> dict[str, OciRuntime | None]:
    """Parse the configuration of the CRI: the OCI runtime of each handler."""
    config = json.loads(text)["containerd"]
    found = {name: _oci_runtime(handler) for name, handler in config["runtimes"].items()}
    return dict(found, **{"": found.get(config["defaultRuntimeName"])})


def _oci_runtime(handler: dict[str, Any]) -> OciRuntime | None:
    # Other shims do not use an OCI runtime with the command line of runc.
    if not handler["runtimeType"].startswith("io.containerd.runc."):
        return None
    options = handler.get("options") or {}
    root = options.get("Root") or _RUNC_ROOT
    return OciRuntime(options.get("BinaryName") or "runc", f"{root}/{NAMESPACE}")


def parse_dumped_settings(dump: str) -> dict[str, str]:
    """Parse C(containerd config dump): the sandbox image."""
    found = re.findall(r"^ *sandbox(?:_image)? = (.*)$", dump, re.MULTILINE)
    return {"sandbox_image": found[-1].strip("\"'")} if found else {}
