# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the runtime that the running kubelet uses."""

from __future__ import annotations

import contextlib
import os
from typing import Iterator

from ansible_collections.cruntime.node.plugins.module_utils import command_line, kubelet_config
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular


def find_socket() -> str | None:
    """Return the resolved path of the CRI socket of the running kubelet, None if not known."""
    for _pid, argv in _list_kubelets():
        return read_socket(argv)
    return None


def find_argv(pid: int) -> list[str]:
    """Return the command line of the kubelet that a unit runs, empty if it does not run.

    :param pid: PID of the main process of the unit, 0 for no process.
    """
    cgroup = _read_cgroup(pid)
    for other, argv in _list_kubelets() if cgroup else ():
        # The main process can be a wrapper that starts the kubelet.
        if _read_cgroup(other) == cgroup:
            return argv
    return command_line.read_argv(pid)


def read_socket(argv: list[str]) -> str | None:
    """Return the resolved path of the CRI socket of a kubelet, None if not known.

    :param argv: command line of the kubelet. A flag takes precedence over the configuration files.
    """
    endpoint = command_line.find_flag(argv, "container-runtime-endpoint")
    for path in () if endpoint else kubelet_config.list_files(argv):
        # A kubelet before 1.27 only has the flag.
        endpoint = kubelet_config.find_field(_read(path), "containerRuntimeEndpoint") or endpoint
    return resolve(endpoint) if endpoint else None


def resolve(endpoint: str) -> str:
    """Return the resolved path of the socket of a CRI endpoint."""
    return os.path.realpath(endpoint.replace("unix://", "", 1))


def _list_kubelets() -> Iterator[tuple[int, list[str]]]:
    """Yield the PID and the command line of each kubelet, except those in containers."""
    for pid, argv in command_line.list_processes():
        # A wrapper script is an argument of its interpreter.
        if any(os.path.basename(word) == "kubelet" for word in argv[:2]):
            with contextlib.suppress(OSError):
                if os.path.samefile(f"/proc/{pid}/ns/pid", "/proc/self/ns/pid"):
                    yield pid, argv


def _read_cgroup(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="utf-8") as handle:
        return handle.read()
    return ""


def _read(path: str) -> str:
    with contextlib.suppress(OSError, CruntimeError):
        return read_regular(path).decode("utf-8", errors="replace")
    return ""
