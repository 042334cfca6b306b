# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for the kubelet, and their rollback. A stand-in replaces systemd."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import (
    atomic,
    kubelet_pointing,
    kubelet_process,
    services,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.modules import cruntime_kubelet
from ansible_collections.cruntime.node.tests.unit.plugins.cri_replay import Cri
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

OLD, NEW = "unix:///run/old.sock", "unix:///run/new.sock"
FLAG = "--container-runtime-endpoint"
pytestmark = pytest.mark.usefixtures("clock")


class Systemd:
    """Stand-in for the unit of the kubelet. Its process has the flags of the file at its start."""

    def __init__(self, monkeypatch, tmp_path):
        self.file, self.env = tmp_path / "kubelet.service", tmp_path / "kubelet.env"
        self.program = tmp_path / "kubelet"
        self.program.write_bytes(b"\x7fELF")
        self.file.write_text(f"EnvironmentFile={self.env}\nExecStart={self.program} $A\n")
        self.env.write_text(f"A={FLAG}={OLD}\n")
        self.calls, self.errors, self.pid = [], [], 7
        self.argv = self.read_argv()
        self.unit = Unit(
            "kubelet.service",
            "loaded",
            "active",
            path=str(self.file),
            pid=7,
            started=time.time() + 9,
        )
        monkeypatch.setattr(services, "find_drop_ins", lambda name: [])
        monkeypatch.setattr(kubelet_process, "find_argv", lambda pid: self.argv if pid else [])

    def read_argv(self):
        return ["kubelet", *self.env.read_text().partition("=")[2].split()]

    def look(self, names):
        return {"kubelet.service": self.unit._replace(pid=self.pid)}

    def restart(self, names):
        self.calls.append("restart")
        self.argv = self.read_argv()
        if self.errors:
            raise self.errors.pop()

    def __getattr__(self, name):
        return lambda *args: self.calls.append(name) or []


@pytest.fixture
def systemd(monkeypatch, tmp_path):
    return Systemd(monkeypatch, tmp_path)


@pytest.fixture
def cri(monkeypatch):
    return Cri(monkeypatch, Version=b"")


def plan(systemd, **more):
    options = {"endpoint": NEW, "cgroup_driver": None, "unsafe_writes": False, **more}
    return kubelet_pointing.plan_endpoint(systemd.unit, **options)


def test_the_kubelet_is_restarted_once(module, systemd, cri):
    before = systemd.env.read_text()
    planned = plan(systemd)
    assert planned.result["changed"] is True
    assert planned.result["files"] == {str(systemd.env): before}
    assert planned.result["before"]["endpoint"] == OLD
    assert planned.result["after"]["endpoint"] == NEW
    file, unit = planned.result["diff"]
    assert (file["before"], file["after"]) == (before, before.replace(OLD, NEW))
    assert unit["before"].startswith("active")
    assert unit["after"] == "active, restarted\n"
    assert systemd.env.read_text() == before
    kubelet_pointing.apply(module, systemd, planned, 60)
    assert systemd.calls == ["reset_failed", "restart"]
    assert cri.methods == ["Version"] * 2
    again = plan(systemd)
    assert again.result["changed"] is False
    assert again.result["diff"] == []
    kubelet_pointing.apply(module, systemd, again, 60)
    assert systemd.calls == ["reset_failed", "restart"]
    # The result restores the files.
    restored = kubelet_pointing.plan_files(systemd.unit, planned.result["files"])
    kubelet_pointing.apply(module, systemd, restored, 60)
    assert systemd.env.read_text() == before
    assert (
        kubelet_pointing.plan_files(systemd.unit, {str(systemd.env): before}).needs_start is False
    )


def test_a_changed_unit_file_is_reloaded(module, systemd, cri):
    systemd.file.write_text(f"ExecStart={systemd.program} {FLAG}={OLD}\n")
    systemd.env.write_text(f"A={FLAG}={NEW}\n")
    kubelet_pointing.apply(module, systemd, plan(systemd), 60)
    assert systemd.calls == ["daemon_reload", "reset_failed", "restart"]


@pytest.mark.parametrize("active", [True, False])
def test_a_failed_start_is_rolled_back(module, systemd, cri, active):
    before = systemd.env.read_text()
    systemd.unit = systemd.unit._replace(active_state="active" if active else "inactive")
    systemd.errors = [CommandError("no start", reason="unit_not_started")]
    with fails("unit_not_started", "no start. All changes were rolled back") as caught:
        kubelet_pointing.apply(module, systemd, plan(systemd), 60)
    assert caught.value.facts == {"rolled_back": True, "journal": []}
    assert systemd.env.read_text() == before
    end = ["reset_failed", "restart"] if active else ["stop"]
    assert systemd.calls == ["reset_failed", "restart", "journal", *end]


def test_a_rollback_that_fails_is_reported(module, systemd, cri):
    errors = [CommandError(text, reason="unit_not_started") for text in ("second", "first")]
    systemd.errors = errors
    with fails("unit_not_started", "first. The rollback failed: second") as caught:
        kubelet_pointing.apply(module, systemd, plan(systemd), 60)
    assert caught.value.facts["rolled_back"] is False


def test_a_file_that_cannot_be_written_is_restored(module, systemd, cri, monkeypatch):
    def fail(*_args):
        raise PermissionError(1, "no")

    planned = plan(systemd)
    monkeypatch.setattr(atomic, "write_file", fail)
    with fails("file_unwritable", str(systemd.env), "All changes were rolled back"):
        kubelet_pointing.apply(module, systemd, planned, 60)


def test_a_kubelet_with_another_socket_is_rolled_back(module, systemd, cri, monkeypatch):
    planned = plan(systemd)
    monkeypatch.setattr(systemd, "read_argv", lambda: ["kubelet", f"{FLAG}={OLD}"])
    with fails("result_unexpected", f"does not use {NEW}", "/run/old.sock", "rolled back"):
        kubelet_pointing.apply(module, systemd, planned, 60)


def test_a_kubelet_that_ends_is_rolled_back(module, systemd, cri, clock, monkeypatch):
    planned = plan(systemd)

    def sleep(seconds):
        systemd.pid = 8

    monkeypatch.setattr(time, "sleep", sleep)
    with fails("unit_not_started", "does not keep running", "rolled back"):
        kubelet_pointing.apply(module, systemd, planned, 60)


def test_a_cri_that_does_not_respond_changes_nothing(module, systemd, cri):
    cri.answers["Version"] = CommandError("refused", reason="no_response")
    with fails("no_response", NEW, "refused", "60 seconds") as caught:
        kubelet_pointing.apply(module, systemd, plan(systemd), 60)
    assert caught.value.facts == {}
    assert systemd.calls == []


def test_an_old_kubelet_is_restarted_but_a_script_is_refused(systemd):
    systemd.env.write_text(f"A={FLAG}={NEW}\n")
    assert plan(systemd).result["changed"] is True
    systemd.program.write_text("#!/bin/sh\n")
    with fails("kubelet_not_editable", str(systemd.program), "/run/old.sock"):
        plan(systemd)
    systemd.argv = systemd.read_argv()
    assert plan(systemd).needs_start is False
    # The script sets the same flag again.
    systemd.argv.append(f"{FLAG}={NEW}")
    with fails("kubelet_not_editable", str(systemd.program)):
        plan(systemd)
    # A kubelet that is not running is not compared.
    systemd.unit = systemd.unit._replace(pid=0, active_state="inactive")
    assert plan(systemd).needs_start is True


def test_a_file_that_is_newer_than_the_kubelet_restarts_it(systemd):
    systemd.env.write_text(f"A={FLAG}={NEW}\n")
    systemd.argv = systemd.read_argv()
    assert plan(systemd).needs_start is False
    os.utime(systemd.env, (systemd.unit.started + 1,) * 2)
    assert plan(systemd).needs_start is True


def test_places_that_cannot_be_changed_are_refused(systemd, monkeypatch):
    systemd.file.write_text(f"Environment=X={OLD}\nExecStart={systemd.program} {FLAG}=$X\n")
    with fails("kubelet_not_editable", f"{systemd.file} (variable X)", OLD, "Nothing was changed"):
        plan(systemd)
    systemd.file.write_text(f"ExecStart={systemd.program} {FLAG}={OLD}\n")
    monkeypatch.setattr(kubelet_pointing, "_LOST", (f"{systemd.file.parent}/",))
    with fails("kubelet_not_editable", systemd.file, "/etc/systemd/system/kubelet.service.d"):
        plan(systemd)
    monkeypatch.undo()
    monkeypatch.setattr(services, "find_drop_ins", lambda name: [])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with fails("kubelet_not_editable", systemd.file, "read-only"):
        plan(systemd)
    monkeypatch.setattr(atomic, "list_mount_points", lambda: {str(systemd.file)})
    with fails("file_unwritable", systemd.file, "unsafe_writes"):
        plan(systemd)
    with fails("kubelet_not_editable", systemd.file, "read-only"):
        plan(systemd, unsafe_writes=True)


def test_a_kubelet_without_an_endpoint_is_refused(systemd):
    systemd.env.write_text(f"# A={FLAG}={OLD}\n")
    with fails("kubelet_endpoint_not_found", systemd.file, systemd.program, FLAG):
        plan(systemd)
    systemd.env.write_bytes(b"A=\xff\n")
    with fails("file_unreadable", systemd.env):
        plan(systemd)


@pytest.mark.parametrize(
    ("driver", "text", "warned"),
    [
        ("systemd", "", True),
        ("systemd", " --cgroup-driver=cgroupfs", False),
        ("cgroupfs", "", False),
        (None, "", False),
    ],
)
def test_a_cgroup_driver_that_no_file_sets_is_a_warning(systemd, *, driver, text, warned):
    systemd.env.write_text(f"A='{FLAG}={OLD}{text}'\n")
    planned = plan(systemd, cgroup_driver=driver)
    assert bool(planned.warnings) is warned
    assert planned.after["cgroup_driver"] == (driver if text else None)


@pytest.mark.parametrize("state", ["not-found", "masked"])
def test_a_node_without_a_kubelet(systemd, state):
    assert kubelet_pointing.find_unit(systemd).pid == 7
    systemd.unit = systemd.unit._replace(load_state=state)
    with fails("kubelet_not_found", state):
        kubelet_pointing.find_unit(systemd)


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({}, "exactly one"),
        ({"endpoint": NEW, "files": {}}, "exactly one"),
        ({"endpoint": "/run/x.sock"}, "not a CRI endpoint"),
        ({"endpoint": "unix:///run/x y.sock"}, "not a CRI endpoint"),
        ({"files": {}, "cgroup_driver": "systemd"}, "cgroup_driver"),
        ({"files": {"etc/x": ""}}, "etc/x"),
        ({"files": {"/etc/x": 1}}, "/etc/x"),
        ({"endpoint": NEW, "timeout": 0}, "timeout: 0"),
    ],
)
def test_invalid_options(options, fact):
    defaults = {"endpoint": None, "files": None, "cgroup_driver": None, "timeout": 60}
    with fails("option_invalid", fact):
        cruntime_kubelet.check_options({**defaults, **options})
