# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes and mtimes of changed files, and directories that are kept."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import files, swap
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles

OLD, FUTURE = 10**18, 2**62


def wanted(path, **file):
    return {"path": str(path), "restart": True, "when": [{}], **file}


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def date(path, mtime_ns):
    os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def mtime(path):
    return os.lstat(path).st_mtime_ns


@pytest.fixture
def record(tmp_path):
    return ManagedFiles(str(tmp_path / "state"))


@pytest.fixture
def make_swap(tmp_path, record):
    return lambda replace=os.replace: swap.Swap(replace, record, str(tmp_path / "state"))


def test_modes_of_new_files(tmp_path, record, make_swap):
    public, secret = tmp_path / "public", tmp_path / "secret"
    changes = files.look(
        [wanted(public, content="x\n"), wanted(secret, content="x\n", secret=True)], record, "x"
    )
    before = os.umask(0)
    try:
        make_swap().apply(changes, "x")
    finally:
        os.umask(before)
    assert [mode(path) for path in (public, secret, record.path)] == [0o644, 0o600, 0o644]


def test_staged_files_are_readable_by_root_only(tmp_path, record):
    before = os.umask(0)
    try:
        with swap.staged(
            files.look([wanted("/etc/x", content="x\n")], record, "x"), str(tmp_path)
        ) as paths:
            assert [mode(path) for path in paths.values()] == [0o600]
    finally:
        os.umask(before)


def test_only_root_reads_a_file_until_it_has_its_owner_again(tmp_path, record, make_swap):
    path, modes = tmp_path / "x", []
    path.write_text("old\n")
    path.chmod(0o644)

    def replace(source, target):
        modes.append((os.path.basename(target), mode(source)))
        os.replace(source, target)

    done = make_swap(replace)
    done.apply(files.look([wanted(path, content="new\n")], record, "x"), "x")
    modes.clear()
    done.restore()
    assert ("x", 0o600) in modes
    assert mode(path) == 0o644


def test_a_rollback_of_nothing_changes_no_unit_file(make_swap):
    assert make_swap().restore() is False


def test_a_rollback_restores_the_time_of_a_link_and_not_of_its_target(tmp_path, record, make_swap):
    path, target = tmp_path / "link", tmp_path / "target"
    target.write_text("x\n")
    path.symlink_to(target)
    date(path, OLD)
    date(target, OLD + 1)
    done = make_swap()
    done.apply(files.look([wanted(path, link="/etc/other")], record, "x"), "x")
    assert os.readlink(path) == "/etc/other"
    done.restore()
    assert (os.readlink(path), mtime(path)) == (str(target), OLD)
    assert mtime(target) == OLD + 1


def test_only_unchanged_files_with_a_future_mtime_get_the_current_time(tmp_path, record):
    same, old, changed = (tmp_path / name for name in ("same", "old", "changed"))
    for path, time in ((same, FUTURE), (old, OLD), (changed, FUTURE)):
        path.write_text("x\n")
        date(path, time)
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("x\n")
    link.symlink_to(target)
    date(link, FUTURE)
    date(target, FUTURE)
    absent = tmp_path / "absent"
    changes = files.look(
        [
            wanted(same, content="x\n"),
            wanted(old, content="x\n"),
            wanted(changed, content="y\n"),
            wanted(link, link=str(target)),
            wanted(absent, content="x\n"),
        ],
        record,
        "x",
    )
    swap.settle(changes)
    assert OLD < mtime(same) < FUTURE
    assert OLD < mtime(link) < FUTURE
    assert [mtime(path) for path in (old, changed, target)] == [OLD, FUTURE, FUTURE]
    assert not absent.exists()


@pytest.mark.parametrize(("name", "stays"), [("hosts", False), ("hosts.d", True)])
def test_an_empty_directory_is_removed_unless_others_use_it(
    tmp_path, record, make_swap, name, stays
):
    path = tmp_path / "deep" / name / "x"
    make_swap().apply(files.look([wanted(path, content="x\n")], record, "x"), "x")
    make_swap().apply(files.look([], record, "x"), "x")
    assert not path.exists()
    assert path.parent.exists() is stays
