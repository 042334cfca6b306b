# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction that fails, where what tells of it fails too."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import services, transaction
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit


class Responding(Runtime):
    """A runtime that responds at once. It needs no tool."""

    name = "x"
    label = "X"
    units = ("x.service",)

    def probe(self):
        pass

    def reloaded(self, since):
        return False


class Silent(Responding):
    """A runtime that does not respond."""

    def probe(self):
        raise CommandError("no such socket", reason="command_failed", rc=1)


UP = Unit("x.service", "loaded", "active", "enabled", pid=1)
DROP_INS = ("/etc/x.d/admin.conf", "/etc/x.d/50-cruntime.conf")
STOP, RELOAD = (Step(verb, ("x.service",)) for verb in ("stop", "reload"))


class Services(services.Services):
    """A systemd whose stop succeeds but reports a failure."""

    def __init__(self, journal=(), starts=True):
        # The base class refuses a machine without systemd, which this one may be.
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
def failure(tmp_path, module):
    """A function that takes a step of a transaction, which must fail, and returns its error."""

    def run(systemd, step, kind=Responding):
        runner = Runner()
        runtime = kind(runner)
        versions = KnownVersions(keep=False, state_dir=str(tmp_path))
        node = Node(module, runner, {"x": runtime}, systemd, versions, timeout=0)
        record = ManagedFiles(str(tmp_path))
        with pytest.raises(CruntimeError) as failed:
            transaction.disable(node, runtime, [step], units={"x.service": UP}, record=record)
        return failed.value

    return run


def test_a_failure_has_the_last_line_of_the_journal(failure):
    systemd = Services(journal=["first", "last"])
    error = failure(systemd, STOP)
    assert error.reason == "command_failed"
    assert "it hangs" in str(error)
    assert "last" in str(error)
    assert "first" not in str(error)
    assert error.facts == {"rolled_back": True, "journal": ["first", "last"]}
    assert systemd.calls == ["start"]


@pytest.mark.parametrize("starts", [True, False])
def test_a_failure_names_the_drop_ins_of_others(failure, monkeypatch, starts):
    monkeypatch.setitem(globals(), "UP", UP._replace(drop_ins=DROP_INS))
    error = failure(Services(journal=["last"], starts=starts), STOP)
    assert error.reason == "command_failed"
    assert "last" in str(error)
    assert DROP_INS[0] in str(error)
    # The collection wrote this one.
    assert DROP_INS[1] not in str(error)
    assert ("it is broken" in str(error)) is not starts
    assert error.facts["rolled_back"] is starts


def test_a_rollback_does_not_need_a_readable_journal(failure):
    systemd = Services()
    error = failure(systemd, STOP)
    assert "it hangs" in str(error)
    assert "journalctl" not in str(error)
    assert error.facts == {"rolled_back": True, "journal": []}
    assert systemd.calls == ["start"]


def test_a_failed_rollback_has_both_causes(failure):
    error = failure(Services(starts=False), STOP)
    assert error.reason == "command_failed"
    assert "it hangs" in str(error)
    assert "it is broken" in str(error)
    assert error.facts["rolled_back"] is False


def test_a_rollback_fails_if_the_runtime_does_not_respond(failure):
    error = failure(Services(), STOP, Silent)
    assert error.reason == "command_failed"
    assert "no such socket" in str(error)
    assert error.facts["rolled_back"] is False


def test_a_reload_without_effect_is_rolled_back(failure):
    systemd = Services()
    error = failure(systemd, RELOAD)
    assert error.reason == "no_response"
    assert "state: restarted" in str(error)
    # The rollback reloads the old files, and that has no effect either.
    assert systemd.calls == ["reload", "reload"]
    assert error.facts["rolled_back"] is False
