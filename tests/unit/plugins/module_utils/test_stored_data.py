# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguish the data of a runtime from foreign data in its data root, and remove only its own."""

from __future__ import annotations

import os
import pathlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import (
    bolt,
    containerd_namespaces,
    stored_data,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.mounts import parse_mounts
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

TRANSCRIPTS = pathlib.Path(__file__).parent / "transcripts"
NAMES = (("image|layers", None), ("containers", "[0-9a-f]+"))
#: Names found on nodes with containerd 1.6 to 2.4, Docker 20.10 to 29 and CRI-O 1.37 with podman.
LISTED = {
    "containerd": """
        io.containerd.content.v1.content io.containerd.grpc.v1.introspection
        io.containerd.metadata.v1.bolt io.containerd.runtime.v1.linux io.containerd.runtime.v2.task
        io.containerd.sandbox.controller.v1.shim io.containerd.snapshotter.v1.blockfile
        io.containerd.snapshotter.v1.btrfs io.containerd.snapshotter.v1.erofs
        io.containerd.snapshotter.v1.native io.containerd.snapshotter.v1.overlayfs opt tmpmounts
    """,
    "docker": """
        buildkit containers engine-id image network overlay2 plugins rootfs runtimes swarm tmp trust
        volumes
    """,
    "crio": """
        db.sql defaultNetworkBackend libpod overlay overlay-containers overlay-images
        overlay-layers storage.lock userns.lock
    """,
}


@pytest.fixture
def root(tmp_path):
    for name in ("layers/1", "image/2", "containers/0af"):
        (tmp_path / "root" / name).mkdir(parents=True)
    return tmp_path / "root"


def find(root):
    return stored_data.find_data(str(root), NAMES, ("containers",), "X")


def test_data_of_a_runtime_is_removed_and_its_metadata_first(root):
    (root / "lost+found").mkdir()
    (root / ".cruntime-x").mkdir()
    data = find(root)
    names = ["containers", ".cruntime-x", "image", "layers"]
    assert data.paths == tuple(str(root / name) for name in names)
    stored_data.remove(data, Runner())
    assert os.listdir(root) == ["lost+found"]
    assert find(root).paths == ()


def test_missing_data_is_no_error(tmp_path):
    assert find(tmp_path / "nowhere") == stored_data.Data()


def test_a_data_root_in_another_one_is_not_foreign(root):
    (root / "elsewhere").mkdir()
    data = stored_data.find_data(str(root), NAMES, (), "X", [str(root), str(root / "elsewhere")])
    assert str(root / "elsewhere") not in data.paths
    stored_data.remove(data, Runner())
    assert os.listdir(root) == ["elsewhere"]


@pytest.mark.parametrize("name", ["postgres", "containers/keep", "images", "Image", ".hidden"])
def test_foreign_data_is_reported_and_nothing_is_removed(root, name):
    (root / name).mkdir()
    with fails("data_foreign", root / name):
        find(root)


def test_a_link_in_place_of_a_directory_is_not_followed(root, tmp_path):
    (root / "layers" / "1").rmdir()
    (root / "layers").rmdir()
    (tmp_path / "disk").mkdir()
    (root / "layers").symlink_to(tmp_path / "disk")
    with fails("data_foreign", root / "layers"):
        find(root)


def test_a_root_that_is_a_link_stays_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    stored_data.remove(find(tmp_path / "link"), Runner())
    assert (tmp_path / "link").is_symlink()
    assert os.listdir(root) == []


def test_links_below_the_root_are_removed_and_not_followed(root, tmp_path):
    (tmp_path / "precious").write_text("x")
    (root / "layers" / "1" / "out").symlink_to(tmp_path)
    stored_data.remove(find(root), Runner())
    assert (tmp_path / "precious").exists()


@given(
    st.lists(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
            min_size=1,
            max_size=20,
        )
    )
)
def test_only_names_of_the_runtime_are_removed(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("root")
    made = set()
    for name in names:
        try:
            (root / name).mkdir()
        except (FileExistsError, OSError):
            continue
        made.add(name)
    foreign = made - {"image", "layers", "containers", "lost+found"}
    foreign = {name for name in foreign if not name.startswith(".cruntime-") or len(name) < 11}
    if foreign:
        with fails("data_foreign"):
            find(root)
    else:
        stored_data.remove(find(root), Runner())
        assert set(os.listdir(root)) <= {"lost+found"}


@pytest.mark.parametrize("runtime", LISTED)
def test_the_names_of_real_runtimes_are_known(tmp_path, runtime):
    found = runtimes(Runner())[runtime]
    for name in LISTED[runtime].split():
        (tmp_path / name).mkdir()
    data = stored_data.find_data(str(tmp_path), found.data_names, found.data_first, found.label)
    assert sorted(data.paths) == sorted(str(tmp_path / name) for name in LISTED[runtime].split())


MOUNTS = r"""
20 1 254:0 / / rw,relatime - ext4 /dev/vda rw
21 20 254:0 /volumes/5f/_data /var/lib/containers rw,relatime master:1 - ext4 /dev/vda rw
22 21 254:0 /volumes/5f/_data/storage/overlay /var/lib/containers/storage/overlay rw - ext4 x rw
23 20 8:1 / /data/layers rw - ext4 /dev/sdb rw
24 20 8:2 / /data/my\040disk rw - xfs /dev/sdc rw
25 20 0:50 / /data/image/merged rw - overlay overlay rw,lowerdir=/x
27 20 0:51 /srv /data/image/bound rw - overlay overlay rw,lowerdir=/y
28 20 0:52 / /data/containers/0af/mounts/shm rw - tmpfs shm rw
29 20 0:53 / /data/image/tmp rw - tmpfs tmpfs rw
26 20 254:0 /home /data/image/home rw - ext4 /dev/vda rw
"""


def test_kinds_of_mounts_are_distinguished():
    table = parse_mounts(MOUNTS.replace("\\\\", "\\").strip())
    made = {each.path for each in table if stored_data._is_made_by_runtime(each, table)}
    assert made - {"/"} == {
        "/var/lib/containers/storage/overlay",
        "/data/image/merged",
        "/data/containers/0af/mounts/shm",
    }
    assert "/data/my disk" in {each.path for each in table}


@pytest.mark.parametrize(
    ("mounts", "paths", "foreign"),
    [
        # A mount point of the runtime is emptied, and stays mounted.
        ("layers", ["layers/1"], None),
        # A mount point below is foreign data.
        ("layers/1", None, "layers/1"),
    ],
)
def test_a_mount_point_stays_and_data_below_is_reported(root, monkeypatch, mounts, paths, foreign):
    table = f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 8:2 / {root}/{mounts} rw - ext4 /dev/sdb rw\n"
    monkeypatch.setattr(stored_data, "read_mounts", lambda: parse_mounts(table))
    if foreign:
        with fails("data_foreign", root / foreign):
            find(root)
    else:
        found = find(root)
        assert [f"{root}/{path}" for path in paths] == [
            path for path in found.paths if path.startswith(f"{root}/layers")
        ]
        assert found.mounts == ()


@pytest.fixture
def metadata(tmp_path):
    """Return the path of the metadata in a data root of containerd, copied from a real node."""
    path = tmp_path / containerd_namespaces.METADATA
    path.parent.mkdir(parents=True)
    path.write_bytes((TRANSCRIPTS / "containerd-2.4.2-meta.db").read_bytes())
    return path


def test_namespaces_are_read_from_the_metadata_of_containerd(tmp_path, metadata):
    found = containerd_namespaces.read_namespaces(str(tmp_path))
    assert [str(each) for each in found] == [
        "default (1 images, 1 snapshots, 3 blobs)",
        "k8s.io (2 images, 1 snapshots, 3 blobs)",
        "moby (1 images, 1 snapshots, 3 blobs)",
    ]
    assert not any(each.is_empty for each in found)


def test_missing_metadata_has_no_namespaces(tmp_path):
    assert containerd_namespaces.read_namespaces(str(tmp_path)) == []


@given(st.binary(max_size=64), st.integers(0, 32 * 1024))
# The number of a page that no file can have.
@example(bytes(15) + b"\x08", 16440)
def test_damaged_metadata_causes_no_traceback(tmp_path_factory, junk, at):
    path = tmp_path_factory.mktemp("bolt") / "meta.db"
    whole = (TRANSCRIPTS / "containerd-2.4.2-meta.db").read_bytes()
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    reason = None
    try:
        bolt.read_tree(str(path), 5)
    except CruntimeError as error:
        reason = error.reason
    # Pages have no checksum, so some junk is read as data.
    assert reason in (None, "file_unreadable")


@pytest.mark.parametrize("content", [b"", b"\0" * 65536, b"SQLite format 3\0" * 4096])
def test_another_kind_of_file_is_not_a_database(tmp_path, content):
    (tmp_path / "meta.db").write_bytes(content)
    with fails("file_unreadable", tmp_path / "meta.db"):
        bolt.read_tree(str(tmp_path / "meta.db"), 5)
