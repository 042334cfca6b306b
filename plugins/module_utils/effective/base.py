# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface of the effective configuration of a runtime."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Iterable, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import (
    Difference,
    Leaves,
    Tree,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
    Path,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Start,
    Unit,
)


class Source(NamedTuple):
    """Place that decides the value of a key.

    :param kind: file, flag or environment; empty if it is not known.
    :param file: path of the file, or the name of the unit if the file is not known.
    :param name: the flag or the variable.
    """

    kind: str = ""
    file: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.file} ({_NAMES[self.kind]}{self.name})" if self.name else self.file


_NAMES = {"flag": "flag --", "environment": "variable "}


class Variable(NamedTuple):
    """Variable in the environment of a service.

    :param value: None if a file removes the variable.
    """

    value: str | None
    source: Source


class Effective:
    """Effective configuration of one runtime.

    :param runtime: the runtime as the spec configures it.
    :param version: version of the installed runtime.
    """

    #: Directory of the hosts.toml of each registry, empty if the runtime reads no such files.
    hosts_dir = ""
    #: Keys that describe the configuration files, and have no effect on the process.
    file_keys: tuple[Path, ...] = ()

    def __init__(self, runner: Runner, runtime: Runtime, version: str) -> None:
        self._runner = runner
        self._runtime = runtime
        self.equivalences = Equivalences(runtime.name, version)

    def find_config_place(self) -> str:
        """Return the path that the flag must name for the file of the collection."""
        return self._runtime.config_path

    def list_read_files(self, start: Start) -> list[str]:
        """Return the files and directories that C(read_filed) reads.

        :return: empty if they are not known, or if C(read_filed) starts no process.
        :raises CruntimeError: if one of them is not a regular file.
        """
        return []

    def leave_out(self, content: str, start: Start) -> str:
        """Return the content of the rendered file without the keys that flags must set alone."""
        return content

    def check_files(self, changes: Iterable[Change]) -> None:
        """Check that the runtime would read the other files of the collection.

        :raises CruntimeError: if it would read a file of others in their place.
        """
        for change in changes:
            directory, name = os.path.split(change.path)
            parent, registry = os.path.split(directory)
            host, colon, port = registry.rpartition(":")
            if (parent, name) != (self.hosts_dir, "hosts.toml") or not (colon and change.after):
                continue
            # The resolver of containerd looks for this name first.
            other = f"{parent}/{host}_{port}_"
            if os.path.isdir(other) and self.reads_hosts():
                raise CruntimeError(
                    f"{other}: setting overridden: {self._runtime.label} reads this directory in "
                    f"place of {directory}, so {name} there would have no effect. Move it away",
                    reason="setting_overridden",
                )

    def reads_hosts(self) -> bool:
        """Return whether the runtime of this node reads the hosts.toml of registries."""
        return True

    def find_variables(self, content: bytes, start: Start) -> dict[str, Variable]:
        """Return the variables that the runtime sets in place of those of its unit.

        :param content: content of the configuration file.
        """
        return {}

    def read_filed(self, start: Start, path: str) -> Leaves:
        """Return the configuration with which the runtime would start now.

        :param path: the configuration file of the collection, or a staged one in its place.
        :raises CruntimeError: if the runtime would not start with its files.
        """
        raise NotImplementedError

    def read_running(self, argv: list[str]) -> Leaves:
        """Return the values that the process of the runtime reports.

        :param argv: command line of the process.
        :raises CruntimeError: if the runtime does not respond.
        """
        raise NotImplementedError

    def parse_desired(self, content: bytes, filed: Leaves) -> Tree:
        """Return the keys of a rendered file that can be compared.

        :param filed: what the runtime would start with. Keys can depend on the files of others.
        """
        raise NotImplementedError

    def find_flag(self, path: Path, argv: list[str]) -> tuple[str, ...]:
        """Return the names of the flag of a command line that sets a key, empty if none does.

        :param path: the normalized path of the key.
        """
        raise NotImplementedError

    def find_variable(self, path: Path, environment: dict[str, str]) -> str:
        """Return the variable of an environment that sets a key, empty if none does."""
        return ""

    def list_drop_ins(self) -> list[str]:
        """Return the drop-ins of the runtime, in the order in which it reads them."""
        return []

    def find_source(self, difference: Difference, start: Start) -> Source:
        """Return the file, the flag or the variable that decides the filed value of a key."""
        raise NotImplementedError

    def find_conflicts(self, desired: Tree, filed: Leaves, start: Start) -> list[str]:
        """Return warnings about settings that take the effect from others.

        For example, an OCI runtime of another file can have another cgroup driver.
        """
        return []


def find_flag_file(unit: Unit, names: Sequence[str]) -> Source:
    """Return the file that sets a flag of a unit.

    :param names: names of the flag without dashes.
    """
    pattern = re.compile(rf"(?<![\w-])--?(?:{'|'.join(map(re.escape, names))})(?![\w-])")
    for path in reversed((unit.path, *unit.drop_ins, *unit.environment_files)):
        with contextlib.suppress(OSError, CruntimeError):
            if pattern.search(read_regular(path).decode("utf-8", errors="replace")):
                return Source("flag", path, names[0])
    return Source("flag", unit.name, names[0])
