# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface of the container runtimes."""

from __future__ import annotations

import copy
import json
import os
import re
from typing import Any, Container, Iterable, NamedTuple, Optional, Tuple

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.compatibility import NO_CGROUPS_V1_SINCE
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import Identity
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import (
    find_cgroup,
    has_dockershim,
    older,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Unit,
    read_start,
)

#: Slice of systemd for services without another one.
DEFAULT_SLICE = "system.slice"
# Longest time for a request to a running runtime, in seconds.
_REQUEST_TIMEOUT = 10
# Programs that write the configuration file of their runtime at each start.
_GENERATORS = ("k3s", "rke2", "minikube")
#: Regular expressions of names in a data root. A second one limits the names in a directory.
Names = Tuple[Tuple[str, Optional[str]], ...]


class OciRuntime(NamedTuple):
    """OCI runtime, such as runc.

    :param root: directory of its state, empty for the default of the OCI runtime.
    """

    binary: str
    root: str


class Runtime:
    """Container runtime on this node.

    A subclass implements one runtime, and is independent of the other runtimes.
    """

    #: Facts about the runtime that are the same on every node.
    identity: Identity
    #: Whether the adapter must run too. If not, its state does not matter.
    adapter_enabled = False
    #: Flag with which the daemon reads another configuration file, with its short form.
    config_flag: tuple[str, ...]
    #: Whether a CRI listens on the CRI socket.
    has_cri = True
    #: Places that can override its configuration file, for messages.
    overrides: str
    #: Names that the runtime creates in its data root, see C(stored_data.Names).
    data_names: Names
    #: The names to remove first, because the other data has no meaning without them.
    data_first: tuple[str, ...] = ()
    #: Whether its store has namespaces, in which other clients can also keep data.
    keeps_namespaces = False
    #: The namespaces that belong to the runtime, in its own store or in another one.
    namespaces: tuple[str, ...] = ()

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        #: CRI socket of this runtime on this node.
        self.socket_path = self.identity.socket_path
        #: Configuration file that the collection writes on this node.
        self.config_path = self.identity.config_path
        #: Slice of systemd that contains the service.
        self.slice = DEFAULT_SLICE
        self._left_out: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Name of the runtime in a spec."""
        return self.identity.name

    @property
    def label(self) -> str:
        """Spelling of the runtime in messages."""
        return self.identity.label

    @property
    def binary(self) -> str:
        """Name of the daemon's binary."""
        return self.identity.binaries[0]

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the runtime on this node. A socket comes before its service."""
        return self._without_left_out(self.identity.units)

    @property
    def adapters(self) -> tuple[str, ...]:
        """Units of the CRI adapter on this node, which are stopped together with the runtime."""
        return self._without_left_out(self.identity.adapters)

    @property
    def all_units(self) -> tuple[str, ...]:
        """Units that are stopped with this runtime, in that order, if they exist."""
        return self.identity.adapters + self.identity.units

    @property
    def wanted_units(self) -> tuple[str, ...]:
        """Units that run if this runtime is enabled, in that order."""
        return self.units + (self.adapters if self.adapter_enabled else ())

    @property
    def services(self) -> tuple[str, ...]:
        """The units that have a process."""
        return tuple(name for name in self.units if name.endswith(".service"))

    def read_units(self, units: dict[str, Unit]) -> None:
        """Learn from the units which sockets, binary and configuration file the runtime uses.

        A socket that does not exist, or that its service does not use, is not changed, because an
        administrator can have disabled it. The binary of the service can be outside of the PATH.
        """
        sockets = [name for name in self.all_units if name.endswith(".socket")]
        self._left_out = frozenset(name for name in sockets if not _uses_socket(name, units))
        self.slice = units[self.identity.service].slice or self.slice
        binary = next(iter(units[self.identity.service].command), "")
        if os.path.basename(binary) == self.binary and os.access(binary, os.X_OK):
            self._runner.search_first(os.path.dirname(binary))
        argv = read_start(units[self.identity.service]).argv
        path = command_line.find_flag(argv, *self.config_flag)
        if path is not None and self._can_replace(path):
            self.config_path = path

    def _can_replace(self, path: str) -> bool:
        """Return whether the collection can write its configuration file to this path."""
        resolved = os.path.realpath(path)
        return (
            resolved.startswith("/etc/")
            and not any(name in resolved for name in _GENERATORS)
            and (os.path.isfile(resolved) or not os.path.lexists(resolved))
        )

    def _without_left_out(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in self._left_out)

    @property
    def request_timeout(self) -> float:
        """Time for a request to the running runtime, in seconds."""
        return self._runner.limit(_REQUEST_TIMEOUT)

    @property
    def cri_endpoint(self) -> str:
        return f"unix://{self.socket_path}"

    @property
    def cri_facts(self) -> dict[str, str | None]:
        """Return the CRI socket and endpoint as the modules return them. Both can be None."""
        return {
            "socket_path": self.socket_path if self.has_cri else None,
            "cri_endpoint": self.cri_endpoint if self.has_cri else None,
        }

    @property
    def binary_path(self) -> str | None:
        """Path of the daemon's binary, None if it is not installed."""
        return self._runner.which(self.binary)

    def installed(self, units: dict[str, Unit]) -> bool:
        return self.binary_path is not None and all(units[name].found for name in self.services)

    def check_installed(self, units: dict[str, Unit]) -> None:
        """Check that the runtime is installed.

        :raises CruntimeError: if it is not installed.
        """
        if not self.installed(units):
            raise CruntimeError(
                f"{self.label} is not installed on this node: {self.binary} or "
                f"{' or '.join(self.services)} not found. Install it, for example with the role "
                "cruntime.node.runtime",
                reason="runtime_not_installed",
            )

    def active(self, units: dict[str, Unit]) -> bool:
        return all(units[name].active for name in self.services)

    def enabled(self, units: dict[str, Unit]) -> bool:
        """Return whether the runtime starts at boot."""
        return any(units[name].enabled for name in self.units)

    def configured(self, options: dict[str, Any]) -> Runtime:
        """Return this runtime as the spec configures it, for example with another CRI socket."""
        wanted = copy.copy(self)
        wanted.socket_path = options.get("socket") or self.identity.socket_path
        return wanted

    def kubelet_options(self, kubernetes: str | None = None) -> dict[str, str]:
        """Return the flags, by name, that configure a kubelet for this runtime.

        :param kubernetes: version of the kubelet, None for any maintained version.
        """
        if not self.has_cri:
            return {}
        # No field of KubeletConfiguration has this setting.
        options = {"runtime-cgroups": find_cgroup(self.slice, self.identity.service)}
        if kubernetes and not older(kubernetes, "1.27.0"):
            return options
        options["container-runtime-endpoint"] = self.cri_endpoint
        if kubernetes and has_dockershim(kubernetes):
            options["container-runtime"] = "remote"
        return options

    def kubelet_config(
        self, kubernetes: str | None, driver: str | None, cgroups: int
    ) -> dict[str, Any]:
        """Return the fields of KubeletConfiguration for this runtime.

        :param driver: cgroup driver of the runtime.
        :param cgroups: version of the node's cgroups.
        """
        config: dict[str, Any] = {"cgroupDriver": driver} if driver else {}
        if cgroups == 1 and kubernetes and not older(kubernetes, f"1.{NO_CGROUPS_V1_SINCE}.0"):
            config["failCgroupV1"] = False
        if self.has_cri and not (kubernetes and older(kubernetes, "1.27.0")):
            config["containerRuntimeEndpoint"] = self.cri_endpoint
        return config

    def version(self) -> str:
        """Return the version of the daemon's binary. The daemon need not run.

        :raises CruntimeError: if the output of the binary is not a version.
        """
        raise NotImplementedError

    def find_facts(self, names: Container[str]) -> dict[str, Any]:
        """Return facts of this node that select rendered files, or complete their content.

        :param names: the facts that the files need. Others may be missing.
        """
        return {}

    def unused_options(self, options: dict[str, Any]) -> dict[str, str]:
        """Return the options that are set but ignored on this node, each with the reason."""
        return {}

    def reloads(self, changes: Iterable[Change]) -> bool:
        """Return whether a reload of the running process applies these changes."""
        return False

    def reloads_first(self, change: Change) -> bool:
        """Return whether the process must reload this change before a restart."""
        return False

    def protects(self, path: Iterable[str], value: Any) -> bool:
        """Return whether containers survive a restart once a reload has set this key."""
        return False

    def outlives_start(self, files: Iterable[Change], units: dict[str, Unit]) -> bool:
        """Return whether containers keep running if the runtime starts with these files."""
        return True

    def reloaded(self, since: float) -> bool:
        """Return whether a reload is complete. The signal for a reload returns immediately.

        :param since: start of the reload, in seconds since the epoch.
        :raises CruntimeError: if the reload failed.
        """
        raise NotImplementedError

    def warn_of_reload(self, units: dict[str, Unit]) -> list[str]:
        """Return warnings about settings that a reload changes although no file changes them."""
        return []

    def _read_journal(self, since: float) -> str:
        """Return what the process logged since a time, in seconds since the epoch."""
        return self._runner.output(
            "journalctl",
            *("--no-pager", "--output=cat", f"--since=@{since:.6f}"),
            *(f"_SYSTEMD_UNIT={name}" for name in self.services),
            timeout=self.request_timeout,
        )

    def configured_root(self, files: Iterable[Change]) -> str:
        """Return the data root that is set in these files."""
        for file in files:
            if file.path == self.config_path and isinstance(file.after, bytes):
                found = re.search(r'^ *root = (".*")$', file.after.decode(), re.MULTILINE)
                if found:
                    root: str = json.loads(found[1])
                    return root
        return self.identity.data_root

    def holds_container(self, argv: list[str]) -> bool:
        """Return whether a process with this command line holds a container of this runtime."""
        raise NotImplementedError

    def check_data(self, roots: Iterable[str]) -> None:
        """Check that all containers and volumes in these data roots belong to this runtime.

        :raises CruntimeError: if there are foreign containers or volumes.
        """

    def settings(self) -> dict[str, str]:
        """Return the settings that the running runtime uses.

        :return: by option, C(cgroup_driver) and, if the runtime reports it, C(sandbox_image).
        :raises CruntimeError: if the runtime does not respond.
        """
        raise NotImplementedError

    def cgroup_driver(self) -> str:
        """Return the cgroup driver that the running runtime uses: systemd or cgroupfs.

        :raises CruntimeError: if the runtime does not respond.
        """
        return self.settings()["cgroup_driver"]

    def check_responding(self) -> None:
        """Check that the running runtime responds.

        :raises CruntimeError: if the runtime does not respond.
        """
        raise NotImplementedError

    def check_cri(self) -> None:
        """Check that a CRI responds on the CRI socket.

        :raises RequestError: if no CRI responds.
        """
        # Only few runs need these imports, which take longer than the call.
        from ansible_collections.cruntime.node.plugins.module_utils import cri
        from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

        with Channel(self.socket_path, self.request_timeout) as channel:
            cri.version(channel)

    def has_pods(self) -> bool:
        """Return whether the CRI of the running runtime has pods that run."""
        return False

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        """Return the OCI runtime of each runtime handler of the running runtime.

        :return: by the name of the handler, empty for the default handler. None if a handler has no
            OCI runtime.
        :raises CruntimeError: if the runtime does not respond.
        """
        raise NotImplementedError


def _uses_socket(name: str, units: dict[str, Unit]) -> bool:
    """Return whether a socket exists and its service uses it."""
    service = units[name.replace(".socket", ".service")]
    if not units[name].found:
        return False
    # Without a command, it is not known what the service uses.
    has_descriptor = any("fd://" in word for word in service.command)
    return name in service.needs or has_descriptor or not service.command
