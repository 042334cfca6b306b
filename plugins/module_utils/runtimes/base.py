# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every runtime can be asked and told: the interface that the modules work with."""

from __future__ import annotations

import copy
import json
import re
from typing import Any, Iterable, NamedTuple, Optional, Tuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import Identity
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import has_dockershim, older
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

#: Regular expressions of names in a data root. A second one limits the names in a directory.
Names = Tuple[Tuple[str, Optional[str]], ...]


class OciRuntime(NamedTuple):
    """The tool that makes the kernel run a container, such as runc.

    :param root: the folder where it keeps its state, empty for its own default.
    """

    binary: str
    root: str


class Runtime:
    """One container runtime on this node.

    A subclass says how its runtime differs; it never knows another one.
    """

    #: Facts about the runtime that are the same on every node.
    identity: Identity
    #: Whether the adapter must run too. If not, its state does not matter.
    adapted = False
    #: What else may decide the same as its configuration file does.
    overrides: str
    #: Names that the runtime creates in its data root, see C(stored_data.Names).
    data_names: Names
    #: The names to remove first, because the other data has no meaning without them.
    data_first: tuple[str, ...] = ()
    #: Whether its store has namespaces, in which other clients can keep data too.
    keeps_namespaces = False
    #: The namespaces that belong to the runtime, in its own store or in another one.
    namespaces: tuple[str, ...] = ()

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        #: CRI socket of this runtime on this node.
        self.socket_path = self.identity.socket_path

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
        """Units of the runtime. A socket comes before its service."""
        return self.identity.units

    @property
    def adapters(self) -> tuple[str, ...]:
        """Units of the CRI adapter, which are stopped together with the runtime."""
        return self.identity.adapters

    @property
    def all_units(self) -> tuple[str, ...]:
        """Everything that goes down with this runtime, in that order."""
        return self.adapters + self.units

    @property
    def wanted_units(self) -> tuple[str, ...]:
        """Everything that runs when this runtime is enabled, in that order."""
        return self.units + (self.adapters if self.adapted else ())

    @property
    def services(self) -> tuple[str, ...]:
        """The units that have a process."""
        return tuple(name for name in self.units if name.endswith(".service"))

    @property
    def cri_endpoint(self) -> str:
        return f"unix://{self.socket_path}"

    @property
    def binary_path(self) -> str | None:
        """Where the daemon's binary is, None where the node has none."""
        return self._runner.which(self.binary)

    def installed(self, units: dict[str, Unit]) -> bool:
        return self.binary_path is not None and all(units[name].found for name in self.services)

    def check_installed(self, units: dict[str, Unit]) -> None:
        """Check that the node has all that shall run.

        :raises CruntimeError: it has not.
        """
        if not self.installed(units):
            raise CruntimeError(
                f"{self.label} is not installed on this node: "
                f"{self.binary} and {' and '.join(self.services)} must be there first",
                reason="runtime_not_installed",
            )

    def active(self, units: dict[str, Unit]) -> bool:
        return all(units[name].active for name in self.services)

    def enabled(self, units: dict[str, Unit]) -> bool:
        """Something brings it up at boot."""
        return any(units[name].enabled for name in self.units)

    def configured(self, options: dict[str, Any]) -> Runtime:
        """Return this runtime as a spec wants it: it may answer elsewhere than it does now."""
        wanted = copy.copy(self)
        wanted.socket_path = options.get("socket") or self.identity.socket_path
        return wanted

    def kubelet_options(self, kubernetes: str | None = None) -> dict[str, str]:
        """The flags that point a kubelet at this runtime, by name.

        :param kubernetes: the kubelet's version, None for any that is still maintained.
        """
        if kubernetes and not older(kubernetes, "1.27.0"):
            return {}
        options = {"container-runtime-endpoint": self.cri_endpoint}
        if kubernetes and has_dockershim(kubernetes):
            options["container-runtime"] = "remote"
        return options

    def kubelet_config(self, kubernetes: str | None, driver: str | None) -> dict[str, str]:
        """The fields of KubeletConfiguration that go with this runtime.

        :param driver: the cgroup driver that the runtime was given.
        """
        config = {"cgroupDriver": driver} if driver else {}
        if not (kubernetes and older(kubernetes, "1.27.0")):
            config["containerRuntimeEndpoint"] = self.cri_endpoint
        return config

    def version(self) -> str:
        """Ask the daemon's binary; works while it is stopped.

        :raises CruntimeError: it answers something that is no version.
        """
        raise NotImplementedError

    def find_facts(self) -> dict[str, Any]:
        """Return facts of this node that select rendered files, or complete their content."""
        return {}

    def unused_options(self, options: dict[str, Any]) -> dict[str, str]:
        """Return the options given that change nothing on this node, each with the reason."""
        return {}

    def reloads(self, changes: Iterable[Change]) -> bool:
        """Say whether the running process takes these changes by a reload, without a restart."""
        return False

    def reloads_first(self, change: Change) -> bool:
        """Say whether a restart is gentler when the process has read this change before."""
        return False

    def reloaded(self, since: float) -> bool:
        """Say whether a reload has taken effect: the signal for it returns at once.

        :param since: when the reload was asked for, in seconds since the epoch.
        :raises CruntimeError: it failed.
        """
        raise NotImplementedError

    def configured_root(self, files: Iterable[Change]) -> str:
        """Return the data root that is set in these files."""
        for file in files:
            if file.path == self.identity.config_path and isinstance(file.after, bytes):
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

        :raises CruntimeError: if there are foreign ones.
        """

    def settings(self) -> dict[str, str]:
        """Ask the running runtime what it goes by.

        :return: by option, C(cgroup_driver) and, where the runtime has one, C(sandbox_image).
        :raises CruntimeError: it does not answer.
        """
        raise NotImplementedError

    def cgroup_driver(self) -> str:
        """Ask the running runtime: systemd or cgroupfs.

        :raises CruntimeError: it does not answer.
        """
        return self.settings()["cgroup_driver"]

    def probe(self) -> None:
        """Ask the running runtime for a sign of life.

        :raises CruntimeError: it gives none.
        """
        raise NotImplementedError

    def oci_runtimes(self) -> dict[str, OciRuntime | None]:
        """Ask the running runtime which OCI runtime is behind each handler of pods.

        :return: by the handler's name, empty for the default; None where a handler has no OCI
            runtime.
        :raises CruntimeError: it does not answer.
        """
        raise NotImplementedError
