# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions: real files, a runtime without a daemon, and a systemd that only keeps states."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import (
    files,
    plan,
    services,
    takeover,
    transaction,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.effective.known_files import KnownFiles
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import Identity
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Plan, Step
from ansible_collections.cruntime.node.plugins.module_utils.removal import Kept
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.base import Runtime
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.module_utils.stored_data import Data
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

UNIT = "x.service"
UP = Unit(UNIT, "loaded", "active", "enabled", pid=1, started=1.0)
DOWN = Unit(UNIT, "loaded", "inactive", "disabled")
DROP_INS = ("/etc/x.d/admin.conf", "/etc/x.d/50-cruntime.conf")
VERBS = ("start", "stop", "reload", "restart")
START, STOP, RELOAD, RESTART = (Step(verb, (UNIT,)) for verb in VERBS)


class Fake(Runtime):
    """Runtime without a daemon.

    Tests can set its lists: the errors of the next calls, and the settings in use.
    """

    identity = Identity(
        name="x",
        label="X",
        binaries=("x",),
        units=(UNIT,),
        config_path="/etc/x.conf",
        socket_path="/run/x.sock",
        data_root="/var/lib/x",
        versions=("1.0.0",),
    )
    config_flag = ("config",)
    overrides = "/etc/x.d"

    def __init__(self, runner):
        super().__init__(runner)
        self.probes, self.reloads_done = [], []
        self.used = {"cgroup_driver": "systemd"}

    def check_responding(self):
        problem = self.probes.pop(0) if self.probes else ""
        if problem:
            raise CommandError(problem, reason="command_failed", stderr=problem)

    def reloaded(self, since):
        return self.reloads_done.pop(0) if self.reloads_done else False

    def settings(self):
        return self.used


class FakeChecks(Checks[Fake]):
    """Checks that record the validated files, and can reject them."""

    def __init__(self, runner, runtime):
        super().__init__(runner, runtime)
        self.changed, self.validated = [], []
        self.errors = []

    def check_changes(self, changes, units):
        self.changed.append([change.path for change in changes])

    def validate(self, staged, version, units):
        self.validated.append((sorted(staged), version))
        for path in staged.values():
            with open(path, encoding="utf-8") as handle:
                assert handle.read() == "new\n"
        for error in self.errors:
            raise error


class Systemd(services.Services):
    """Unit states without systemd. C(broken) has the error of a verb."""

    def __init__(self, unit, journal=(), broken=()):
        # The base class rejects a machine without systemd, and the test machine can be one.
        self.units = {UNIT: unit}
        self.calls = []
        self.broken = dict(broken)
        self._journal = journal

    def look(self, names):
        return {name: self.units[name] for name in names}

    def apply(self, verb, names):
        self.calls.append(verb)
        changed = plan.predict(self.units, [Step(verb, tuple(names))])[UNIT]
        if verb in ("start", "restart"):
            changed = changed._replace(pid=2, started=2.0)
        if verb in self.broken:
            # The verb has its effect except for a start, and the call fails.
            if verb not in ("start", "restart"):
                self.units[UNIT] = changed
            raise self.broken[verb]
        self.units[UNIT] = changed

    def reset_failed(self, names):
        self.calls.append("reset-failed")

    def daemon_reload(self):
        self.calls.append("daemon-reload")

    def journal(self, names, since, secrets):
        assert names == (UNIT,)
        assert time.time() - 60 < since <= time.time()
        if not self._journal:
            raise CommandError("journalctl is not on this node", reason="tool_not_found")
        return self._journal


HANGS = CruntimeError("it hangs", reason="unit_not_stopped")
FAILED = CommandError("it is broken", reason="unit_not_started", cmd=["systemctl"], rc=1, stderr="")


class Lab:
    """A node with one runtime, and its transactions."""

    def __init__(self, tmp_path, module, unit=UP, timeout=0, **systemd):
        runner = Runner()
        self.runtime = Fake(runner)
        self.checks = FakeChecks(runner, self.runtime)
        self.systemd = Systemd(unit, **systemd)
        self.record = ManagedFiles(str(tmp_path / "state"))
        versions = KnownVersions(keep=False, state_dir=str(tmp_path))
        files = KnownFiles(keep=False, state_dir=str(tmp_path))
        runtimes = {"x": self.runtime}
        self.node = Node(module, runner, runtimes, self.systemd, versions, files, timeout)
        self.units = {UNIT: unit}

    @property
    def about(self):
        return {"units": self.units, "record": self.record}

    def look(self, *paths, restart=True):
        wanted = [
            {"path": str(path), "content": "new\n", "restart": restart, "when": {}}
            for path in paths
        ]
        return files.look(wanted, self.record, "x")

    def enable(self, changes, up, down=(), waits=False, loaded=()):
        whole = Plan(changes, list(up), list(down))
        transaction.validate(self.node, self.runtime, whole, version="1.2.3", units=self.units)
        about = {**self.about, "version": "1.2.3", "waits": waits, "loaded": loaded}
        return transaction.enable(self.node, self.runtime, whole, **about)

    def disable(self, *steps):
        transaction.disable(self.node, self.runtime, list(steps), **self.about)

    def remove(self, changes, steps, kept):
        whole = Plan(changes, [], list(steps))
        transaction.remove(self.node, self.runtime, whole, kept, **self.about)


@pytest.fixture
def make_lab(tmp_path, module, monkeypatch):
    """Return a function that creates a lab."""

    def make(*args, **options):
        lab = Lab(tmp_path, module, *args, **options)
        monkeypatch.setattr(transaction, "checks_of", lambda runner, runtime: lab.checks)
        return lab

    return make


@pytest.fixture
def config(tmp_path):
    return tmp_path / "x.conf"


# disable


def test_disable_stops_the_units(make_lab):
    lab = make_lab()
    lab.disable(STOP, Step("disable", (UNIT,)))
    assert lab.systemd.calls == ["stop", "disable"]
    assert lab.systemd.units[UNIT].stopped


def test_a_failure_has_the_journal_of_the_unit(make_lab):
    lab = make_lab(journal=["first", "last"], broken={"reload": FAILED})
    with fails("unit_not_started", "it is broken", "last") as caught:
        lab.disable(RELOAD)
    assert "first" not in str(caught.value)
    assert caught.value.facts == {
        **FAILED.facts,
        "rolled_back": False,
        "journal": ["first", "last"],
    }


def test_only_the_failure_of_a_command_is_explained_by_the_journal(make_lab):
    lab = make_lab(journal=["last"], broken={"stop": HANGS})
    with fails("unit_not_stopped", "it hangs") as caught:
        lab.disable(STOP)
    assert "last" not in str(caught.value)
    assert caught.value.facts == {"rolled_back": True, "journal": ["last"]}
    assert lab.systemd.calls == ["stop", "reset-failed", "start"]


@pytest.mark.parametrize("starts", [True, False])
def test_a_failure_names_foreign_drop_ins(make_lab, starts):
    broken = {"stop": CommandError("it hangs", reason="command_failed")}
    broken.update({} if starts else {"start": FAILED})
    lab = make_lab(UP._replace(drop_ins=DROP_INS), journal=["last"], broken=broken)
    with fails("command_failed", "it hangs", "last", DROP_INS[0]) as caught:
        lab.disable(STOP)
    # This drop-in is managed.
    assert DROP_INS[1] not in str(caught.value)
    assert ("it is broken" in str(caught.value)) is not starts
    assert caught.value.facts["rolled_back"] is starts


def test_a_rollback_does_not_need_a_readable_journal(make_lab):
    lab = make_lab(broken={"stop": CommandError("it hangs", reason="command_failed")})
    with fails("command_failed", "it hangs") as caught:
        lab.disable(STOP)
    assert "journalctl" not in str(caught.value)
    assert "(" not in str(caught.value)
    assert caught.value.facts == {"rolled_back": True, "journal": []}


def test_a_rollback_fails_if_the_runtime_does_not_respond(make_lab):
    lab = make_lab(broken={"stop": HANGS})
    lab.runtime.probes = ["no such socket"] * 9
    with fails("unit_not_stopped", "no such socket") as caught:
        lab.disable(STOP)
    assert caught.value.facts["rolled_back"] is False


def test_a_rollback_does_not_query_a_runtime_that_was_stopped(make_lab):
    lab = make_lab(DOWN, broken={"enable": FAILED})
    lab.runtime.probes = ["no such socket"] * 9
    with fails("unit_not_started") as caught:
        lab.disable(Step("enable", (UNIT,)))
    assert caught.value.facts["rolled_back"] is True


def test_an_error_of_the_operating_system_and_a_bug(make_lab):
    lab = make_lab(broken={"stop": OSError(28, "No space left on device")})
    with fails("system_error", "No space left on device") as caught:
        lab.disable(STOP)
    assert caught.value.facts == {"rolled_back": True, "journal": []}
    lab = make_lab(broken={"stop": KeyError("a bug")})
    with pytest.raises(RuntimeError, match="a bug"):
        lab.disable(STOP)
    assert lab.systemd.units[UNIT].active


# enable


def test_enable_validates_applies_starts_and_verifies(make_lab, config):
    lab = make_lab(DOWN)
    applied = lab.enable(lab.look(config), [START, Step("enable", (UNIT,))])
    assert applied == transaction.Applied({}, None)
    assert lab.checks.validated == [([str(config)], "1.2.3")]
    assert config.read_text() == "new\n"
    assert lab.systemd.calls == ["reset-failed", "start", "enable"]
    assert lab.record.entries[str(config)]["socket"] == "/run/x.sock"


def test_validation_changes_nothing(make_lab, config):
    lab = make_lab(DOWN)
    plan = Plan(lab.look(config), [START], [])
    found = transaction.validate(lab.node, lab.runtime, plan, version="1.2.3", units=lab.units)
    assert found == (takeover.NOTHING, None)
    assert len(lab.checks.validated) == 1
    assert lab.systemd.calls == []
    assert not config.exists()


def test_only_a_restart_of_the_only_runtime_is_a_downtime(make_lab, tmp_path, monkeypatch):
    config = tmp_path / "config"
    lab = make_lab()
    monkeypatch.setattr(transaction.time, "monotonic", itertools.count(1000.0).__next__)
    assert lab.enable(lab.look(config), []).downtime == 0.0
    assert lab.enable(lab.look(config), [RESTART]).downtime >= 1.0
    lab.node.runtimes["y"] = lab.runtime
    assert lab.enable(lab.look(config), [RESTART]).downtime == 0.0


def test_a_start_validates_all_files_and_other_runs_the_changed_ones(make_lab, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("new\n")
    lab = make_lab()
    lab.enable(lab.look(old, new), [])
    lab.enable(lab.look(old, new), [RESTART])
    lab.enable(lab.look(old, new), [])
    found = [paths for paths, _version in lab.checks.validated]
    assert found == [[str(new)], [str(new), str(old)]]
    assert lab.checks.changed == [[str(new)]]


def test_rejected_files_are_not_applied(make_lab, config):
    lab = make_lab()
    lab.checks.errors = [CruntimeError("unknown key", reason="configuration_refused")]
    with fails("configuration_refused", "unknown key") as caught:
        lab.enable(lab.look(config), [RESTART])
    assert caught.value.facts == {}
    assert lab.systemd.calls == []
    assert not config.exists()


def test_a_failed_start_restores_files_and_units(make_lab, config):
    lab = make_lab(DOWN, journal=["last"], broken={"start": FAILED})
    with fails("unit_not_started", "last") as caught:
        lab.enable(lab.look(config), [START])
    assert caught.value.facts["rolled_back"] is True
    assert not config.exists()
    assert lab.record.entries == {}
    # No unit file was changed.
    assert "daemon-reload" not in lab.systemd.calls


def test_systemd_reads_changed_unit_files_and_restored_ones(make_lab, config):
    unit_file = "/etc/systemd/system/x.service.d/50-cruntime.conf"
    lab = make_lab(DOWN, broken={"start": FAILED})
    (change,) = lab.look(config)
    with fails("unit_not_started"):
        lab.enable([change._replace(path=unit_file)], [START])
    assert lab.systemd.calls == ["daemon-reload", "reset-failed", "start", "daemon-reload"]


def test_systemd_reads_foreign_unit_files_before_a_start(make_lab):
    lab = make_lab(UP._replace(reload_needed=True))
    lab.disable(STOP)
    assert lab.systemd.calls == ["stop"]
    lab.disable(RESTART)
    assert lab.systemd.calls == ["stop", "daemon-reload", "reset-failed", "restart"]


def test_a_runtime_that_needs_a_stopped_unit_is_detected(make_lab, config, clock):
    lab = make_lab()
    # It responds after the start, and no longer after the stop.
    lab.runtime.probes = ["", "first", "last"]
    with fails("no_response", "X", "last") as caught:
        lab.enable(lab.look(config), [RESTART], [Step("disable", (UNIT,))])
    assert lab.systemd.calls[:3] == ["reset-failed", "restart", "disable"]
    assert caught.value.facts["stderr"] == "last"
    assert str(caught.value.__cause__.__cause__) == "last"
    assert clock.pauses == [0.2]


def test_a_slow_runtime_is_queried_again(make_lab, config, clock):
    lab = make_lab(timeout=20)
    lab.runtime.probes = ["no such socket", "no such socket", ""]
    lab.enable(lab.look(config), [RESTART])
    assert lab.runtime.probes == []
    assert clock.pauses == [0.2, 0.2]


def test_a_reload_without_effect_is_rolled_back(make_lab, config):
    lab = make_lab()
    with fails("no_response", "X", "state: restarted") as caught:
        lab.enable(lab.look(config), [RELOAD])
    # The rollback reloads the old files, and that has no effect either.
    assert lab.systemd.calls == ["reload", "reload"]
    assert caught.value.facts["rolled_back"] is False


def test_a_slow_reload_is_awaited_and_recorded(make_lab, tmp_path, clock):
    first, second = tmp_path / "first", tmp_path / "second"
    lab = make_lab(timeout=20)
    lab.runtime.reloads_done = [False, True]
    changes = lab.look(first) + lab.look(second, restart=False)
    lab.enable(changes, [RELOAD])
    assert clock.pauses == [0.1]
    loaded = {path: entry.get("loaded") for path, entry in lab.record.entries.items()}
    assert loaded == {str(first): [1, first.stat().st_mtime_ns], str(second): None}


@pytest.mark.parametrize(
    "change", [{"unit": "y.service"}, {"after": None, "before": b"old", "owned": True}]
)
def test_a_reload_is_recorded_only_for_files_that_the_process_read(make_lab, config, change):
    config.write_text("old")
    lab = make_lab(timeout=20)
    lab.runtime.reloads_done = [True]
    (look,) = lab.look(config)
    lab.enable([look._replace(owned=True)._replace(**change)], [RELOAD])
    assert "loaded" not in lab.record.entries.get(str(config), {})


def test_a_reload_before_a_restart_is_not_recorded(make_lab, config):
    lab = make_lab(timeout=20)
    lab.runtime.reloads_done = [True]
    lab.enable(lab.look(config), [RELOAD, RESTART])
    assert "loaded" not in lab.record.entries[str(config)]


def test_a_file_with_a_future_mtime_gets_the_current_time(make_lab, config):
    config.write_text("new\n")
    os.utime(config, (2**32, 2**32))
    lab = make_lab()
    lab.enable(lab.look(config), [RESTART])
    assert config.stat().st_mtime < 2**32


# Restarts that wait, and restarts that are not needed


def test_a_removed_file_keeps_its_restart_pending_while_the_restart_waits(make_lab, config):
    lab = make_lab(timeout=20)
    lab.enable(lab.look(config), [])
    lab.enable(lab.look(), [], waits=True)
    assert not config.exists()
    # The next run finds a removed file that is newer than the process.
    (change,) = lab.look()
    assert change.mtime_ns / 1e9 > UP.started
    lab.enable([change], [RESTART])
    assert lab.look() == []


def test_a_reload_is_not_recorded_while_a_restart_waits(make_lab, config):
    lab = make_lab(timeout=20)
    lab.runtime.reloads_done = [True]
    lab.enable(lab.look(config), [RELOAD], waits=True)
    assert "loaded" not in lab.record.entries[str(config)]


def test_a_file_that_the_process_need_not_read_is_recorded_as_loaded(make_lab, config):
    lab = make_lab()
    changes = lab.look(config)
    lab.enable(changes, [], loaded=changes)
    assert lab.record.entries[str(config)]["loaded"] == [1, config.stat().st_mtime_ns]
    (change,) = lab.look(config)
    assert change.loaded_by == UP.pid


# remove


@pytest.fixture
def removed(make_lab, config, tmp_path):
    """Return a lab whose runtime has a managed file and data, and the changes of its removal."""
    lab = make_lab()
    lab.enable(lab.look(config), [])
    root = tmp_path / "data"
    (root / "image").mkdir(parents=True)
    lab.systemd.calls.clear()
    lab.record.data_roots["x"] = [str(root)]
    return lab, lab.look(), Data(paths=(str(root / "image"),))


def test_remove_stops_the_runtime_and_removes_files_and_data(removed, config):
    lab, changes, data = removed
    lab.remove(changes, [STOP], Kept((data,)))
    assert lab.systemd.calls == ["stop"]
    assert not config.exists()
    assert not os.path.exists(data.paths[0])
    assert (lab.record.entries, lab.record.data_roots) == ({}, {})


def test_remove_reads_unit_files_again(removed):
    lab, changes, _data = removed
    (change,) = changes
    lab.record.entries["/etc/systemd/system/x"] = lab.record.entries[change.path]
    lab.remove([change._replace(path="/etc/systemd/system/x")], [STOP], Kept())
    assert lab.systemd.calls == ["stop", "daemon-reload"]
    # The data is kept, and the next run can remove it.
    assert list(lab.record.data_roots) == ["x"]


def test_a_failed_stop_removes_nothing(removed, config):
    lab, changes, data = removed
    lab.systemd.broken = {"stop": HANGS}
    with fails("unit_not_stopped") as caught:
        lab.remove(changes, [STOP], Kept((data,)))
    assert caught.value.facts["rolled_back"] is True
    assert config.exists()
    assert os.path.exists(data.paths[0])


def test_data_that_cannot_be_removed_is_an_error_after_the_stop(removed, config, tmp_path):
    lab, changes, _data = removed
    path = tmp_path / "file" / "below"
    (tmp_path / "file").write_text("")
    with fails("data_not_removed", "X", tmp_path / "file") as caught:
        lab.remove(changes, [STOP], Kept((Data(paths=(str(path),)),)))
    assert caught.value.facts["rolled_back"] is False
    assert not config.exists()
    # The record still has the runtime, so the next run removes the rest.
    assert list(lab.record.entries) == [str(config)]
