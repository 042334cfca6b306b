# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every runtime there is."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils.files import Ledger
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker


def runtimes(runner: Runner) -> dict[str, Runtime]:
    """Return every runtime of this node by its name in a spec, installed or not."""
    return {cls.name: cls(runner) for cls in (Containerd, Crio, Docker)}


def recall_sockets(known: dict[str, Runtime], ledger: Ledger) -> None:
    """Let each runtime be asked where it was last told to answer."""
    for runtime in known.values():
        runtime.socket_path = ledger.socket_of(runtime.name) or runtime.socket_path
