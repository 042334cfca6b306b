# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is replaced as a whole, with the right access, and no link is followed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import atomic

POLICY, FOUND = ["u", "r", "policy_t", "s0"], ["u", "r", "found_t", "s0"]
#: Replaces a file on which another file is mounted, with what Swap does for each change.
MOUNTED = """
import subprocess, sys
from ansible_collections.cruntime.node.plugins.module_utils import atomic
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
source, path = sys.argv[1:]
subprocess.run(["mount", "--bind", source, path], check=True)
for write in (lambda: atomic.write_file(path, b"new", 0o644), lambda: atomic.remove_file(path)):
    try:
        write()
    except OSError as error:
        described = atomic.describe_error(path, error)
        print(described.reason, path in str(described), "mounted here" in str(described))
"""


class Module(AnsibleModule):
    """A module on a node with SELinux, whose policy labels every new file."""

    def __init__(self):
        self.labeled, self.params = [], {}

    def selinux_default_context(self, path, mode=0):
        return POLICY

    def selinux_context(self, path):
        return FOUND

    def set_context_if_different(self, path, context, changed, diff=None):
        assert os.path.isfile(path)
        self.labeled.append(context)
        return changed


@pytest.fixture
def module():
    return Module()


@pytest.fixture
def source(tmp_path):
    """Return a complete new file that only root can replace."""
    (tmp_path / "private").mkdir(mode=0o700)
    path = tmp_path / "private" / "new"
    path.write_text("new")
    path.chmod(0o600)
    return path


def test_a_new_file_gets_the_context_of_the_policy(tmp_path, module, source):
    atomic.replace(module, str(source), str(tmp_path / "file"))
    assert module.labeled == [POLICY]
    assert (tmp_path / "file").read_text() == "new"


def test_a_replaced_file_keeps_owner_mode_and_context(tmp_path, module, source):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    os.chown(path, 12, 34)
    atomic.replace(module, str(source), str(path))
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12, 34, 0o640)
    assert module.labeled == [FOUND]


@pytest.mark.parametrize("unsafe_writes", [True, False])
def test_a_mounted_file_is_overwritten_only_if_requested(
    tmp_path, module, source, monkeypatch, unsafe_writes
):
    def rename(old, new):
        raise OSError(errno.EBUSY, "Device or resource busy", new)

    path = tmp_path / "file"
    path.write_text("a longer old content")
    before = path.stat().st_ino
    monkeypatch.setattr(os, "rename", rename)
    module.params["unsafe_writes"] = unsafe_writes
    if unsafe_writes:
        atomic.replace(module, str(source), str(path))
        assert (path.read_text(), path.stat().st_ino) == ("new", before)
        assert not source.exists()
    else:
        with pytest.raises(OSError, match="busy"):
            atomic.replace(module, str(source), str(path))
        assert path.read_text() == "a longer old content"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/shadow", path)])
def test_only_a_regular_file_has_access_to_keep(tmp_path, module, source, make):
    shadow = os.stat("/etc/shadow")
    make(tmp_path / "file")
    atomic.replace(module, str(source), str(tmp_path / "file"))
    found = (tmp_path / "file").lstat()
    assert (found.st_uid, found.st_mode) == (os.geteuid(), stat.S_IFREG | 0o600)
    assert module.labeled == [POLICY]
    assert os.stat("/etc/shadow") == shadow


@pytest.mark.parametrize(
    ("directory_mode", "access"),
    [(0o755, (0o640, FOUND)), (0o775, (0o600, POLICY)), (0o1777, (0o600, POLICY))],
)
def test_a_moved_file_keeps_only_access_that_root_chose(
    tmp_path, module, source, directory_mode, access
):
    directory = tmp_path / "srv"
    directory.mkdir()
    path = directory / "file"
    path.write_text("old")
    path.chmod(0o640)
    directory.chmod(directory_mode)
    atomic.move_file(module, str(source), str(path))
    assert (stat.S_IMODE(path.stat().st_mode), *module.labeled) == access
    assert path.read_text() == "new"


def test_a_copy_follows_no_link(tmp_path, source):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("file", ".file.cruntime"):
        (tmp_path / name).symlink_to(victim)
    atomic.copy_file(str(source), str(tmp_path / "file"))
    found = (tmp_path / "file").lstat()
    assert found.st_mode == stat.S_IFREG | 0o600
    assert (tmp_path / "file").read_text() == "new"
    assert victim.read_text() == "precious"
    assert not (tmp_path / ".file.cruntime").exists()


def test_a_new_file_replaces_a_planted_link_and_ignores_the_umask(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("precious")
    path.symlink_to(victim)
    before = os.umask(0o077)
    try:
        atomic.write_new(str(path), b"new", 0o644)
    finally:
        os.umask(before)
    assert path.lstat().st_mode == stat.S_IFREG | 0o644
    assert (path.read_text(), victim.read_text()) == ("new", "precious")


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(source, target):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        atomic.write_file(str(path), b"new", 0o644, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_error_of_a_full_disk_names_the_file_and_the_cause():
    error = atomic.describe_error("/etc/x", OSError(28, "No space left on device"))
    assert error.reason == "file_unwritable"
    assert str(error) == "/etc/x: could not be written: No space left on device"


def test_the_error_of_a_mounted_file_names_the_mount(tmp_path):
    source, path = tmp_path / "source", tmp_path / "file"
    source.write_text("theirs")
    path.write_text("old")
    argv = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", MOUNTED]
    done = subprocess.run([*argv, source, path], capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "unshare: " in done.stderr:
        pytest.skip(f"No mount namespace: {done.stderr}")
    assert (done.stdout, done.stderr) == ("file_unwritable True True\n" * 2, "")
    assert source.read_text() == "theirs"
    assert sorted(os.listdir(tmp_path)) == ["file", "source"]
