# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a node: access to it, waiting runs, and the names of its holders."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import lock
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

HOLDER = """
import sys, time
from ansible_collections.cruntime.node.plugins.module_utils import lock
lock.LOCK_DIR = sys.argv[1]
with lock.locked(shared=sys.argv[2] == "shared", timeout=0, check_mode=False):
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LOCK_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


@contextlib.contextmanager
def held(directory, how):
    """Hold the lock in another process."""
    argv = [sys.executable, "-c", HOLDER, directory, how]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "locked\n"
            yield holder
        finally:
            holder.kill()


def lock_now(shared=False, check_mode=False):
    with lock.locked(shared=shared, timeout=0, check_mode=check_mode):
        pass


def test_only_its_owner_can_open_the_lock(directory):
    before = os.umask(0)
    try:
        lock_now()
    finally:
        os.umask(before)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_others_could_open_is_closed_to_them(directory):
    directory.mkdir(mode=0o777)
    (directory / "lock").touch(mode=0o666)
    directory.chmod(0o777)
    (directory / "lock").chmod(0o666)
    lock_now()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("held_as", "shared"), [("alone", False), ("alone", True), ("shared", False)]
)
def test_the_error_of_a_waiting_run_names_the_holder(directory, held_as, shared):
    with held(directory, held_as) as holder:
        with fails("lock_timeout", directory / "lock", holder.pid, "python"):
            lock_now(shared)
        # Check mode changes nothing, so it does not wait.
        lock_now(shared, check_mode=True)
    # A killed process no longer holds the lock.
    lock_now(shared)


def test_two_shared_locks_do_not_wait(directory):
    with held(directory, "shared"):
        lock_now(shared=True)


def test_the_lock_of_another_file_is_another_lock(directory):
    with held(directory, "alone") as holder, open("/proc/locks", encoding="ascii") as table:
        rows = table.read()
        assert lock.parse_holders(rows, (directory / "lock").stat().st_ino) == [holder.pid]
        assert lock.parse_holders(rows, directory.stat().st_ino) == []


def test_a_waiting_process_holds_no_lock():
    table = (
        "1: FLOCK  ADVISORY  WRITE 40 00:1a:7 0 EOF\n"
        "1: -> FLOCK  ADVISORY  WRITE 41 00:1a:7 0 EOF\n"
    )
    assert lock.parse_holders(table, 7) == [40]


def make_link(path):
    path.symlink_to("/dev")


def make_file(path):
    path.touch()


def make_foreign(path):
    path.mkdir()
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize("plant", [make_link, make_file, make_foreign])
def test_an_unsafe_lock_directory_is_refused(directory, plant):
    plant(directory)
    with fails("lock_unsafe", directory):
        lock_now()
    assert not os.path.exists("/dev/lock")


def make_foreign_file(path):
    path.touch()
    os.chown(path, 65534, 0)


@pytest.mark.parametrize("plant", [make_link, os.mkfifo, os.mkdir, make_foreign_file])
def test_another_file_type_in_place_of_the_lock_is_rejected(directory, plant):
    directory.mkdir(mode=0o700)
    plant(directory / "lock")
    with fails("lock_unsafe", directory):
        lock_now()
