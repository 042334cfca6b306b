# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a build context changes with everything that the build reads, and only with it."""

from __future__ import annotations

import os

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.images.context import digest
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


@pytest.fixture
def context(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory/file").write_text("x")
    (tmp_path / "link").symlink_to("directory")
    return tmp_path


def of(context, args=None, options=()):
    return digest(str(context), str(context / "Dockerfile"), args or {}, list(options))


def test_the_same_context_has_the_same_digest(context):
    before = of(context)
    os.utime(context / "directory/file", (0, 0))
    assert of(context) == before
    assert of(context, {"a": "1", "b": "2"}) == of(context, {"b": "2", "a": "1"})


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "Dockerfile").write_text("FROM other\n"),
        lambda path: (path / "directory/file").write_text("y"),
        lambda path: (path / "directory/file").chmod(0o755),
        lambda path: (path / "directory/file").rename(path / "directory/other"),
        lambda path: (path / "empty").mkdir(),
        lambda path: [(path / "link").unlink(), (path / "link").symlink_to("Dockerfile")],
    ],
)
def test_every_change_of_the_context_changes_the_digest(context, change):
    before = of(context)
    change(context)
    assert of(context) != before


def test_arguments_and_options_change_the_digest(context):
    assert len({of(context), of(context, {"a": "1"}), of(context, options=["--pull"])}) == 3


def test_an_unreadable_file_is_reported(context):
    with fails("file_unreadable", "nowhere"):
        digest(str(context), str(context / "nowhere"), {}, [])
