# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction that fails, where what tells of it fails too."""

from __future__ import annotations

import types

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import services, transaction
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

RUNTIME = types.SimpleNamespace(
    name="x",
    label="X",
    services=("x.service",),
    wanted_units=("x.service",),
    all_units=("x.service",),
    active=lambda units: units["x.service"].active,
    probe=lambda: None,
    reloaded=lambda since: False,
    find_drop_ins=lambda units: list(units["x.service"].drop_ins),
)
UP = Unit("x.service", "loaded", "active", "enabled", pid=1)
STOP, RELOAD = (Step(verb, ("x.service",)) for verb in ("stop", "reload"))


class Services(services.Services):
    """A systemd whose stop succeeds but reports a failure."""

    def __init__(self, journal=(), starts=True):
        self.unit = UP
        self.calls = []
        self._journal = journal
        self._starts = starts

    def look(self, names):
        return dict.fromkeys(names, self.unit)

    def stop(self, names):
        self.unit = UP._replace(active_state="inactive", pid=0)
        raise CommandError("it hangs", reason="command_failed")

    def start(self, names):
        self.calls.append("start")
        if not self._starts:
            raise CommandError("it is broken", reason="command_failed")
        self.unit = UP

    def reload(self, names):
        self.calls.append("reload")

    def reset_failed(self, names):
        pass

    def journal(self, names, since):
        if not self._journal:
            raise CommandError("journalctl is not on this node", reason="command_failed")
        return self._journal


@pytest.fixture
def failure(tmp_path):
    """A function that takes a step of a transaction, which must fail, and returns its error."""

    def run(systemd, step, runtime=RUNTIME):
        node = Node(None, None, {"x": runtime}, systemd, None, timeout=0)
        record = ManagedFiles(str(tmp_path))
        with pytest.raises(CruntimeError) as failed:
            transaction.disable(node, runtime, [step], units={"x.service": UP}, record=record)
        return failed.value

    return run


def test_what_failed_is_told_with_the_last_words_of_the_journal(failure):
    systemd = Services(journal=["first", "last"])
    error = failure(systemd, STOP)
    assert str(error) == "it hangs (the journal ends: last). All changes were rolled back"
    assert error.facts == {"rolled_back": True, "journal": ["first", "last"]}
    assert systemd.calls == ["start"]


@pytest.mark.parametrize("starts", [True, False])
def test_what_failed_is_told_with_the_drop_ins_of_others(failure, monkeypatch, starts):
    monkeypatch.setitem(globals(), "UP", UP._replace(drop_ins=("/etc/x.d/admin.conf",)))
    error = failure(Services(journal=["last"], starts=starts), STOP)
    words = (
        "it hangs (the journal ends: last; drop-ins that the collection did not write: "
        "/etc/x.d/admin.conf). "
    )
    way_back = "All changes were rolled back" if starts else "The rollback failed: it is broken"
    assert str(error) == words + way_back


def test_a_journal_that_cannot_be_read_keeps_no_node_from_going_back(failure):
    systemd = Services()
    error = failure(systemd, STOP)
    assert str(error) == "it hangs. All changes were rolled back"
    assert error.facts == {"rolled_back": True, "journal": []}
    assert systemd.calls == ["start"]


def test_a_way_back_that_fails_too_says_so(failure):
    error = failure(Services(starts=False), STOP)
    assert str(error) == "it hangs. The rollback failed: it is broken"
    assert error.facts["rolled_back"] is False


def test_a_runtime_that_is_back_but_does_not_answer_is_not_back(failure):
    def probe():
        raise CommandError("no such socket", reason="command_failed")

    silent = types.SimpleNamespace(**{**vars(RUNTIME), "probe": probe})
    error = failure(Services(), STOP, silent)
    words = "The rollback failed: X gave no answer within 0 seconds: no such socket"
    assert words in str(error)
    assert error.facts["rolled_back"] is False


def test_a_reload_that_has_no_effect_is_taken_back(failure):
    systemd = Services()
    error = failure(systemd, RELOAD)
    assert "X did not take the new configuration by a reload within 0 seconds" in str(error)
    # Twice: the way back reloads what the old files say, and that has no effect either.
    assert systemd.calls == ["reload", "reload"]
    assert error.facts["rolled_back"] is False
