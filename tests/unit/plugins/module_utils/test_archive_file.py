# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new archive is written safely, even if another user can write to its directory."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.images.archive_file import new_archive


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir(mode=0o700)
    return tmp_path / "scratch"


def write(module, path, scratch, mode=None):
    with new_archive(module, str(path), str(scratch), mode) as written:
        with open(written, "w", encoding="utf-8") as handle:
            handle.write("new")
        return os.path.dirname(os.path.dirname(written))


MODES = {"root's": 0o755, "sticky": 0o1777, "everybody's": 0o777}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("plant", [None, "link", "fifo", "file"])
def test_only_root_can_read_a_new_archive_and_no_link_is_followed(
    tmp_path, module, scratch, mode, plant
):
    directory, victim = tmp_path / "srv", tmp_path / "victim"
    directory.mkdir()
    directory.chmod(mode)
    victim.write_text("precious")
    path = directory / "images.tar"
    if plant == "link":
        path.symlink_to(victim)
        (directory / ".images.tar.cruntime").symlink_to(victim)
    elif plant == "fifo":
        os.mkfifo(path, 0o666)
    elif plant == "file":
        path.touch()
        path.chmod(0o666)
        os.chown(path, 4711, 4711)
    where = write(module, path, scratch)
    assert where == str(scratch if mode == 0o777 else directory)
    found = path.lstat()
    assert path.read_text() == "new"
    assert victim.read_text() == "precious"
    # If only root can write to the directory, root has chosen the owner of the file.
    kept = plant == "file" and mode == 0o755
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == ((4711, 0o666) if kept else (0, 0o600))
    assert not [name for name in os.listdir(directory) if name.startswith(".cruntime-")]


def test_write_to_a_directory_of_another_user(tmp_path, module, scratch):
    directory = tmp_path / "home"
    directory.mkdir()
    os.chown(directory, 4711, 4711)
    assert write(module, directory / "images.tar", scratch) == str(scratch)
    assert (directory / "images.tar").read_text() == "new"
    assert os.listdir(directory) == ["images.tar"]


def test_a_write_that_fails_leaves_the_old_archive(tmp_path, module, scratch):
    path = tmp_path / "images.tar"
    path.write_text("old")
    with pytest.raises(ValueError, match="x"), new_archive(module, str(path), str(scratch)):
        raise ValueError("x")
    assert path.read_text() == "old"


@pytest.mark.parametrize("directory_mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("found", [None, 0o666])
def test_the_task_can_set_the_mode(tmp_path, module, scratch, directory_mode, found):
    directory = tmp_path / "srv"
    directory.mkdir()
    directory.chmod(directory_mode)
    path = directory / "images.tar"
    if found is not None:
        path.touch()
        path.chmod(found)
    write(module, path, scratch, mode=0o640)
    assert stat.S_IMODE(path.lstat().st_mode) == 0o640
