# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage of containerd and CRI-O is parsed, and changes that hide data are rejected."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    containerd_store,
    crio_store,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks.crio_store import Store
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

DEFAULT = "/var/lib/containers/storage"


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9"])
def test_the_root_of_containerd(transcript, version):
    dump = transcript(f"containerd-{version}-config-dump.toml")
    assert containerd_store.parse_root(dump) == "/var/lib/containerd"


@pytest.mark.parametrize("line", ["root = '/x\"y'", 'root = "/x\\"y"'])
def test_a_root_of_containerd_with_quotes(line):
    assert containerd_store.parse_root(f"version = 3\n{line}\n\n[a]\n  root = 'z'\n") == '/x"y'


def test_the_store_of_crio(transcript):
    config = transcript("crio-1.37.0-status-config.toml")
    assert crio_store.parse(config, escaped=True) == (DEFAULT, "overlay")
    # CRI-O comments out defaults, and has no driver before its first start.
    config = transcript("crio-1.37.0-config.toml")
    assert crio_store.parse(config, escaped=False)[0] == DEFAULT
    named = '[crio]\nroot = "/x"y"\nstorage_driver = "vfs"\n# root = "/path"\n'
    assert crio_store.parse(named, escaped=False) == ('/x"y', "vfs")


def test_crio_chooses_the_driver_that_has_data(tmp_path):
    config = f'root = "{tmp_path}"\n# storage_driver = ""\n'
    assert crio_store.parse(config, escaped=False).driver == "overlay"
    (tmp_path / "vfs").mkdir()
    assert crio_store.parse(config, escaped=False).driver == "vfs"


def fill(store, kind, *names):
    directory = store.root / f"{store.driver}-{kind}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{kind}.json").write_text(json.dumps([{"id": name} for name in names]))


def test_changes_that_hide_data_of_crio_are_rejected(tmp_path):
    old, driver = Store(tmp_path / "a", "overlay"), Store(tmp_path / "a", "vfs")
    root = Store(tmp_path / "b", "overlay")
    crio_store.check(old, driver)
    fill(old, "images", "1", "2")
    crio_store.check(old, old)
    with fails("data_hidden", "storage_driver", "2 images", "overlay"):
        crio_store.check(old, driver)
    fill(old, "containers", "3")
    with fails("data_hidden", "root", "1 container and 2 images"):
        crio_store.check(old, root)
    # Copied data is not hidden.
    fill(root, "images", "1", "2", "4")
    fill(root, "containers", "3")
    crio_store.check(old, root)
