# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converge works with."""

from __future__ import annotations

from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
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

    @property
    def check_mode(self) -> bool:
        return bool(self.module.check_mode)

    def look(self) -> dict[str, Unit]:
        """Return the units of all runtimes."""
        return self.services.look(
            name for runtime in self.runtimes.values() for name in runtime.all_units
        )
