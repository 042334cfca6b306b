# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded version of a binary, and when the version is queried again."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError
from ansible_collections.cruntime.node.plugins.module_utils.known_versions import KnownVersions
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


class Daemon:
    """Binary of a runtime that counts its version queries."""

    name = "containerd"

    def __init__(self, path):
        self.binary_path = str(path)
        self.answer = "1.7.24"
        self.asked = 0

    def version(self):
        self.asked += 1
        return self.answer


@pytest.fixture
def daemon(tmp_path):
    shutil.copy("/bin/true", tmp_path / "containerd")
    return Daemon(tmp_path / "containerd")


@pytest.fixture
def of(tmp_path):
    """Query the version as one run of the module does."""
    return lambda daemon, keep=True: KnownVersions(keep, str(tmp_path / "state")).of(daemon)


def test_a_binary_is_queried_once(daemon, of):
    assert [of(daemon), of(daemon), of(daemon)] == ["1.7.24"] * 3
    assert daemon.asked == 1


def test_check_mode_records_nothing(daemon, of, tmp_path):
    assert of(daemon, keep=False) == "1.7.24"
    assert not (tmp_path / "state").exists()
    of(daemon)
    assert of(daemon, keep=False) == "1.7.24"
    assert daemon.asked == 2


def test_a_replaced_binary_is_queried_again(daemon, of):
    before = os.stat(daemon.binary_path)
    of(daemon)
    daemon.answer = "2.1.0"
    shutil.copy(daemon.binary_path, f"{daemon.binary_path}.new")
    os.rename(f"{daemon.binary_path}.new", daemon.binary_path)
    # The new binary has the same mtime, because a package can set the mtimes of its files.
    os.utime(daemon.binary_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert of(daemon) == "2.1.0"


def test_an_overwritten_binary_is_queried_again(daemon, of):
    before = os.stat(daemon.binary_path)
    of(daemon)
    daemon.answer = "2.1.0"
    with open(daemon.binary_path, "r+b") as handle:
        handle.seek(-1, os.SEEK_END)
        handle.write(b"x")
    os.utime(daemon.binary_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert of(daemon) == "2.1.0"


def test_a_binary_at_another_path_is_queried(daemon, of, tmp_path):
    of(daemon)
    os.link(daemon.binary_path, tmp_path / "other")
    other = Daemon(tmp_path / "other")
    other.answer = "2.1.0"
    assert of(other) == "2.1.0"


def test_a_script_is_queried_each_time(daemon, of):
    with open(daemon.binary_path, "w", encoding="utf-8") as handle:
        handle.write('#!/bin/sh\nexec /opt/containerd/bin/containerd "$@"\n')
    assert [of(daemon), of(daemon)] == ["1.7.24"] * 2
    assert daemon.asked == 2


def test_the_error_of_a_missing_binary_is_raised(daemon, of, monkeypatch):
    def version():
        raise CommandError("containerd is not on this node", reason="tool_not_found")

    monkeypatch.setattr(daemon, "binary_path", None)
    monkeypatch.setattr(daemon, "version", version)
    with fails("tool_not_found"):
        of(daemon)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"containerd": {"file": [1]'])
def test_a_corrupt_record_is_replaced(daemon, of, tmp_path, text):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "versions.json").write_text(text)
    assert [of(daemon), of(daemon)] == ["1.7.24"] * 2
    assert daemon.asked == 1


def test_a_record_that_cannot_be_written_is_no_failure(daemon, of, tmp_path):
    (tmp_path / "state").write_text("a file where the directory should be\n")
    assert of(daemon) == "1.7.24"
