# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units are described by their files and by their states."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import services
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit


def test_the_units_that_a_unit_file_requires():
    text = [
        "[Unit]\n",
        "After=network-online.target docker.socket firewalld.service containerd.service\n",
        "Wants=network-online.target containerd.service\n",
        "Requires = docker.socket\n",
        "[Service]\n",
        "ExecStart=/usr/sbin/dockerd -H fd:// --label=Wants=x\n",
    ]
    assert services.parse_needs(text) == {
        "network-online.target",
        "containerd.service",
        "docker.socket",
    }


def test_the_command_of_a_masked_unit():
    text = [
        "# ExecStart=/usr/bin/no",
        "ExecStart=-/usr/sbin/dockerd -H fd:// $DOCKER_OPTS",
        "[Service]",
        "ExecStart=",
        "ExecStart = /usr/sbin/dockerd --log-level=debug",
    ]
    assert services.parse_exec_start(text[:2]) == (
        "/usr/sbin/dockerd",
        "-H",
        "fd://",
        "$DOCKER_OPTS",
    )
    assert services.parse_exec_start(text[:4]) == ()
    assert services.parse_exec_start(text) == ("/usr/sbin/dockerd", "--log-level=debug")


@pytest.mark.parametrize(
    ("active_state", "active", "stopped"),
    [
        ("active", True, False),
        ("reloading", True, False),
        ("activating", False, False),  # The unit waits for its restart.
        ("deactivating", False, False),
        ("failed", False, True),
        ("inactive", False, True),
    ],
)
def test_states(active_state, active, stopped):
    unit = Unit("x.service", active_state=active_state)
    assert (unit.active, unit.stopped) == (active, stopped)


@pytest.mark.parametrize(
    ("file_state", "enabled", "enabled_for_good", "masked"),
    [
        ("enabled", True, True, False),
        ("enabled-runtime", True, False, False),
        ("disabled", False, False, False),
        ("static", False, True, False),
        ("masked", False, False, True),
        ("masked-runtime", False, False, True),
        ("", False, False, False),
    ],
)
def test_file_states(file_state, enabled, enabled_for_good, masked):
    unit = Unit("x.service", file_state=file_state)
    assert (unit.enabled, unit.enabled_for_good, unit.masked) == (enabled, enabled_for_good, masked)


def test_a_unit_file_of_an_admin_prevents_a_mask():
    assert not Unit("x.service", path="/etc/systemd/system/x.service").maskable
    assert Unit("x.service", path="/usr/lib/systemd/system/x.service").maskable


def test_a_binary_that_was_replaced_while_its_process_runs(tmp_path):
    program = tmp_path / "program"
    shutil.copy(shutil.which("sleep"), program)
    with subprocess.Popen([program, "60"]) as process:
        try:
            assert not services.is_binary_replaced(process.pid)
            newer = tmp_path / "newer"
            shutil.copy(program, newer)
            newer.rename(program)
            assert services.is_binary_replaced(process.pid)
        finally:
            process.kill()


def test_no_binary_is_replaced_without_a_process():
    assert not services.is_binary_replaced(0)


def test_the_environment_of_a_masked_unit_is_read_from_its_files(monkeypatch, tmp_path):
    main, drop_in = tmp_path / "docker.service", tmp_path / "docker.service.d" / "x.conf"
    drop_in.parent.mkdir()
    main.write_text(
        "[Service]\nEnvironment=OLD=1\nEnvironment=\nEnvironment=A=b 'C=d e'\n"
        "EnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd $DOCKER_OPTS\n"
    )
    drop_in.write_text("[Service]\nEnvironment=DOCKER_OPTS=--live-restore\n")
    monkeypatch.setattr(services, "unit_files", lambda name: [str(main), str(drop_in)])
    masked = services.Unit("docker.service", "masked", file_state="masked")
    unit = services.read_masked_unit(masked)
    assert unit.environment == ("A=b", "C=d e", "DOCKER_OPTS=--live-restore")
    assert unit.environment_files == ("/etc/default/docker",)
    assert unit.command == ("/usr/sbin/dockerd", "$DOCKER_OPTS")
    assert unit.drop_ins == (str(drop_in),)
    enabled = masked._replace(file_state="enabled")
    assert services.read_masked_unit(enabled) == enabled


class Journal:
    """Runner of journalctl, which prints the last line first."""

    def __init__(self, *lines):
        self.text = "\n".join(reversed(lines))

    def run(self, *_argv):
        return Result(0, self.text, "")


@pytest.fixture
def make(monkeypatch):
    """Return a function that returns the services of a node with systemd."""
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: "systemd" in path or exists(path))
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    return services.Services


#: CRI-O logs its whole configuration in one line when it is reloaded.
CONFIGURATION = (
    r'time="2026-11-30" level=info msg="Current CRI-O configuration:\n[crio]\n  root = \"/x\"'
    + r"\n  [crio.api]\n    stream_address = \"127.0.0.1\"" * 200
    + r'\n  registry_password = \"hunter2\"\n  url = \"http://me:hunter2@h:1\"\n"'
)


def test_the_journal_of_a_failure_is_short(make):
    lines = make(Journal("first", CONFIGURATION, "last")).journal(["crio.service"], 0)
    assert (lines[0], lines[-1]) == ("first", "last")
    assert lines[1].startswith('time="2026-11-30" level=info msg="Current CRI-O configuration')
    assert lines[1].endswith("…")
    assert all(len(line) <= 301 for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "{secret} is not a valid value",
        'level=fatal msg="invalid: registry_password = \\"{secret}\\""',
        'auth = {{"password":"{secret}"}}',
        "dial http://me:{secret}@p.test:3128: refused",
        "Authorization: Bearer {secret}",
        "x" * 296 + "{secret}",
    ],
)
def test_the_journal_of_a_failure_has_no_secret(make, line):
    journal = Journal(line.format(secret="hunter2"))
    lines = make(journal).journal(["crio.service"], 0, ["hunter2"])
    assert "hunt" not in str(lines)
    assert lines[0][:5] == line[:5] or line.startswith("{secret}")
