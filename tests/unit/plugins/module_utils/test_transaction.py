# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction that fails, where what tells of it fails too."""

from __future__ import annotations

import types

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import transaction
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.files import Ledger
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

RUNTIME = types.SimpleNamespace(
    name="x", wanted_units=("x.service",), all_units=("x.service",), active=lambda units: False
)
UP = Unit("x.service", "loaded", "active", "enabled", pid=1)


class Services:
    """A systemd that stops a unit and says that it could not."""

    def __init__(self):
        self.unit = UP
        self.calls = []

    def look(self, names):
        return {"x.service": self.unit}

    def stop(self, names):
        self.unit = UP._replace(active_state="inactive", pid=0)
        raise CommandError("it hangs")

    def start(self, names):
        self.calls.append("start")
        self.unit = UP

    def reset_failed(self, names):
        pass

    def journal(self, names, since):
        raise CommandError("journalctl is not on this node")


def test_a_journal_that_cannot_be_read_keeps_no_node_from_going_back(tmp_path):
    services = Services()
    node = Node(None, {"x": RUNTIME}, services, None, timeout=1)
    with pytest.raises(CruntimeError, match=r"it hangs\. The node is back as it was") as failed:
        transaction.disable(
            node,
            RUNTIME,
            [Step("stop", ("x.service",))],
            units={"x.service": UP},
            ledger=Ledger(str(tmp_path)),
        )
    assert services.calls == ["start"]
    assert failed.value.facts == {"rolled_back": True, "journal": []}
