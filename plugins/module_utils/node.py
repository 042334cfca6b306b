# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converge works with."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.services import Services, Unit


class Node(NamedTuple):
    """The node, and how far this run may go on it.

    :param module: the running one: it says whether to check only, has a folder that nobody else
        reads, and knows how a file gets its SELinux context.
    :param runner: starts processes on the node.
    :param timeout: how long a started runtime may take until it answers, in seconds.
    """

    module: AnsibleModule
    runner: Runner
    runtimes: dict[str, Runtime]
    services: Services
    versions: KnownVersions
    timeout: int

    @classmethod
    def of(cls, module: AnsibleModule, timeout: int) -> Node:
        """Return the node that a module runs on.

        :raises CruntimeError: if systemd does not run the node, or the user is not root.
        """
        if os.geteuid() != 0:
            raise CruntimeError(
                "A runtime can only be changed by root: run this task with become",
                reason="not_root",
            )
        runner = Runner(timeout)
        return cls(
            module=module,
            runner=runner,
            runtimes=runtimes(runner),
            services=Services(runner, timeout),
            versions=KnownVersions(keep=not module.check_mode),
            timeout=timeout,
        )

    @property
    def check_mode(self) -> bool:
        return bool(self.module.check_mode)

    def look(self) -> dict[str, Unit]:
        """Return the units of all runtimes."""
        return self.services.look(
            name for runtime in self.runtimes.values() for name in runtime.all_units
        )
