# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node, with the interfaces through which a run changes it."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.effective.known_files import KnownFiles
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import (
    look_at_units,
    runtimes,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import Services, Unit


class Node(NamedTuple):
    """Node, with the interfaces through which a run reads and changes it.

    :param module: the running module. It provides check mode, a private temporary directory and the
        SELinux context of files.
    :param runner: starts processes on the node.
    :param timeout: time in seconds for a started runtime to respond.
    """

    module: AnsibleModule
    runner: Runner
    runtimes: dict[str, Runtime]
    services: Services
    versions: KnownVersions
    known_files: KnownFiles
    timeout: int

    @classmethod
    def of(cls, module: AnsibleModule, timeout: int) -> Node:
        """Return the node that a module runs on.

        :raises CruntimeError: if systemd is not the init system, or the user is not root.
        """
        if os.geteuid() != 0:
            raise CruntimeError(
                "Managing a container runtime requires root privileges. Set become: true",
                reason="not_root",
            )
        runner = Runner(timeout)
        return cls(
            module=module,
            runner=runner,
            runtimes=runtimes(runner),
            services=Services(runner, timeout),
            versions=KnownVersions(keep=not module.check_mode),
            known_files=KnownFiles(keep=not module.check_mode),
            timeout=timeout,
        )

    @property
    def check_mode(self) -> bool:
        return bool(self.module.check_mode)

    def look(self) -> dict[str, Unit]:
        """Return the units of all runtimes."""
        return look_at_units(self.runtimes, self.services)
