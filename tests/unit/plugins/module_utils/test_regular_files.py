# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that would block their reader, or never end, are rejected."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import regular_files
from ansible_collections.cruntime.node.plugins.module_utils.errors import parsing
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a FIFO"),
        (os.mkdir, "a directory"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a character device"),
    ],
)
def test_only_regular_files_are_opened(tmp_path, make, kind):
    path = tmp_path / "config.toml"
    make(path)
    with fails("file_unreadable", path, kind):
        regular_files.read_regular(str(path))


def test_a_fifo_that_replaces_a_checked_file_is_rejected(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.touch()
    look = os.stat

    def exchange(name):
        found = look(name)
        path.unlink()
        os.mkfifo(path)
        return found

    monkeypatch.setattr(os, "stat", exchange)
    with fails("file_unreadable", path, "FIFO"):
        regular_files.read_regular(str(path))


def test_a_file_is_read_through_links_and_up_to_its_limit(tmp_path):
    path, link = tmp_path / "real", tmp_path / "link"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    assert regular_files.read_regular(str(link), limit=5) == b"12345"
    with fails("file_unreadable", link, "4 bytes"):
        regular_files.read_regular(str(link), limit=4)


def test_an_endless_file_is_rejected(tmp_path):
    path = tmp_path / "daemon.json"
    path.touch()
    os.truncate(path, 1 << 40)
    with fails("file_unreadable", path):
        regular_files.read_regular(str(path))


@pytest.mark.parametrize("wrong", [ValueError, KeyError, IndexError, TypeError, RecursionError])
def test_invalid_output_is_reported_in_one_error(wrong):
    @parsing("crictl info")
    def parse(dummy):
        raise wrong("x")

    with fails("output_unreadable", "crictl info"):
        parse("")
