# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The managed-files record, in every state that a node can have."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import files, swap
from ansible_collections.cruntime.node.plugins.module_utils.contents import Link
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import (
    VERSION,
    ManagedFiles,
    find_damage,
)
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

ENTRY = {"digests": ["x"], "restart": True, "runtime": "containerd"}


def digest(content):
    """Return a digest as older releases wrote it, without a key."""
    return hashlib.sha256(content).hexdigest()


class Node:
    """Managed files with their own record."""

    def __init__(self, root):
        self.state_dir = str(root / "state")
        self.swap = None

    def look(self, *wanted, runtime="containerd"):
        return files.look(wanted, ManagedFiles(self.state_dir), runtime)

    def apply(self, *wanted, runtime="containerd", stop_at=""):
        """Apply files. With stop_at, the run is killed before it writes this path."""
        record = ManagedFiles(self.state_dir)
        self.swap = swap.Swap(os.replace, record, self.state_dir)
        put = self.swap._put

        def stopped(path, content, mode):
            if path == stop_at:
                raise KeyboardInterrupt
            put(path, content, mode)

        self.swap._put = stopped
        return self.swap.apply(files.look(wanted, record, runtime), runtime)

    def record(self, text):
        os.makedirs(self.state_dir, exist_ok=True)
        with open(f"{self.state_dir}/files.json", "w", encoding="utf-8") as handle:
            handle.write(text)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def wanted(path, content, **more):
    return {"path": str(path), "content": content, "restart": True, "when": [{}], **more}


def link(path, target):
    return {"path": str(path), "link": str(target), "restart": False, "when": [{}]}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", "[" * 100_000])
def test_the_error_of_a_record_that_is_not_a_json_object_names_it(tmp_path, node, text):
    node.record(text)
    with fails("record_invalid", f"{node.state_dir}/files.json"):
        node.apply(wanted(tmp_path / "x", "new\n"))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "data",
    [
        {"version": 2},
        {"version": 2, "files": []},
        {"version": "2", "files": {}},
        {"version": True, "files": {}},
        {"version": 2, "files": {"/x": None}},
        {"version": 2, "files": {"/x": {}}},
        {"version": 2, "files": {"x": ENTRY}},
        {"version": 2, "files": {"/x\0": ENTRY}},
        {"version": 2, "files": {"/\ud800": ENTRY}},
        {"version": 2, "files": {"/x": {**ENTRY, "runtime": 1}}},
        {"version": 2, "files": {"/x": {**ENTRY, "restart": 1}}},
        {"version": 2, "files": {"/x": {**ENTRY, "digests": "x"}}},
        {"version": 2, "files": {"/x": {**ENTRY, "digests": [1]}}},
        {"version": 2, "files": {"/x": {**ENTRY, "loaded": [1]}}},
        {"version": 2, "files": {"/x": {**ENTRY, "gone": "now"}}},
        {"version": 2, "files": {"/x": {**ENTRY, "target": "y"}}},
        {"version": 2, "files": {"/x": {**ENTRY, "socket": "\ud800"}}},
        {"version": 2, "files": {}, "data_roots": {"docker": "/var/lib/docker"}},
        {"version": 2, "files": {}, "data_roots": {"docker": ["\ud800"]}},
        # The format of version 1.
        {"/x": "a digest"},
        {"/x": {"digest": 1, "restart": True, "runtime": "crio"}},
        {"/x": {"digest": "x", "restart": True}},
    ],
)
def test_the_error_of_a_record_with_wrong_types_names_it(tmp_path, node, data):
    node.record(json.dumps(data))
    with fails("record_invalid", f"{node.state_dir}/files.json"):
        node.apply(wanted(tmp_path / "x", "new\n"))
    assert not (tmp_path / "x").exists()


def test_a_newer_record_is_rejected(tmp_path, node):
    node.record(json.dumps({"version": VERSION + 1, "files": "unknown"}))
    with fails("record_invalid", VERSION + 1):
        node.apply(wanted(tmp_path / "x", "new\n"))
    assert not (tmp_path / "x").exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["digests", "restart", "runtime", "loaded", "gone", "keys", "target", "x"])


@given(st.dictionaries(st.sampled_from(["/x", "/y", "z", "/\ud800"]), st.dictionaries(KEYS, JSON)))
@settings(max_examples=300)
def test_any_record_is_corrupt_or_can_be_used(tmp_path_factory, entries):
    root = tmp_path_factory.mktemp("node")
    node = Node(root)
    node.record(json.dumps({"version": 2, "files": entries}))
    if find_damage({"files": entries}):
        with fails("record_invalid"):
            node.look(wanted(root / "x", "x"))
    else:
        node.look(wanted(root / "x", "x"))


def test_the_record_of_version_1_is_read(tmp_path, node):
    managed, edited = tmp_path / "managed", tmp_path / "edited"
    managed.write_text("old\n")
    edited.write_text("an admin's\n")
    entry = {"digest": digest(b"old\n"), "restart": True, "runtime": "containerd", "keys": []}
    node.record(json.dumps({str(managed): entry, str(edited): entry}))
    assert node.apply(wanted(managed, "new\n")) == {}
    assert (managed.read_text(), edited.read_text()) == ("new\n", "an admin's\n")
    with open(f"{node.state_dir}/files.json", encoding="utf-8") as handle:
        assert json.load(handle)["version"] == VERSION


def test_the_record_of_version_1_finds_a_file_behind_a_link(tmp_path, node):
    real, path = tmp_path / "real.json", tmp_path / "daemon.json"
    real.write_text('{"debug": true}\n')
    path.symlink_to(real)
    entry = {"digest": digest(b'{"debug": true}\n'), "restart": True, "runtime": "docker"}
    node.record(json.dumps({str(real): {**entry, "keys": ["debug"]}}))
    assert node.apply(wanted(path, "{}\n", shared=True), runtime="docker") == {}
    assert json.loads(real.read_text()) == {}
    assert list(ManagedFiles(node.state_dir).entries) == [str(path)]


@pytest.mark.parametrize("old", [None, "old\n"])
def test_files_stay_managed_after_a_run_killed_before_it_writes(tmp_path, node, old):
    path = tmp_path / "config.toml"
    if old:
        node.apply(wanted(path, old))
    with pytest.raises(KeyboardInterrupt):
        node.apply(wanted(path, "new\n"), stop_at=str(path))
    # Neither content is treated as foreign: there is no backup, and unwanted files are removed.
    assert node.apply(wanted(path, "newer\n")) == {}
    with pytest.raises(KeyboardInterrupt):
        node.apply(wanted(path, "newest\n"), stop_at=str(path))
    node.apply()
    assert not path.exists()
    assert not os.path.exists(f"{node.state_dir}/backups")


def test_a_foreign_file_stays_foreign_after_a_run_killed_before_it_writes(tmp_path, node):
    path = tmp_path / "config.toml"
    path.write_text("an admin's\n")
    with pytest.raises(KeyboardInterrupt):
        node.apply(wanted(path, "new\n"), stop_at=str(path))
    node.apply()
    assert path.read_text() == "an admin's\n"
    assert list(node.apply(wanted(path, "new\n"))) == [str(path)]


def test_a_file_whose_removal_was_interrupted_is_managed_when_wanted_again(tmp_path, node):
    path = tmp_path / "config.toml"
    node.apply(wanted(path, "x\n"))
    with pytest.raises(KeyboardInterrupt):
        node.apply(stop_at=str(path))
    again = node.look(wanted(path, "x\n"))
    node.apply(wanted(path, "x\n"))
    node.swap.finish("containerd", again)
    assert list(ManagedFiles(node.state_dir).entries) == [str(path)]
    node.apply()
    assert not path.exists()


def test_unchanged_files_are_managed_again_after_the_record_was_removed(tmp_path, node):
    path, other = tmp_path / "crictl.yaml", tmp_path / "config.toml"
    node.apply(wanted(path, "x\n"), wanted(other, "old\n"))
    os.remove(f"{node.state_dir}/files.json")
    files_to_be = [wanted(path, "x\n"), wanted(other, "new\n")]
    seen = node.look(*files_to_be)
    node.apply(*files_to_be)
    node.swap.finish("containerd", seen)
    assert node.apply() == {}
    assert not path.exists()
    assert not other.exists()


def test_foreign_keys_are_kept_if_the_file_is_no_longer_wanted(tmp_path, node):
    path = tmp_path / "daemon.json"
    path.write_text('{"dns": ["192.0.2.1"]}')
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    node.apply()
    assert json.loads(path.read_text()) == {"dns": ["192.0.2.1"]}
    # Managed keys are removed even if another tool has edited the file.
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    path.write_text('{"debug": true, "mtu": 1400}')
    node.apply()
    assert json.loads(path.read_text()) == {"mtu": 1400}


def test_keys_stay_managed_after_a_run_killed_before_it_writes(tmp_path, node):
    path = tmp_path / "daemon.json"
    path.write_text('{"dns": ["192.0.2.1"]}')
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    with pytest.raises(KeyboardInterrupt):
        node.apply(wanted(path, '{"mtu": 1400}\n', shared=True), stop_at=str(path))
    files_to_be = [wanted(path, '{"bip": "10.0.0.1/24"}\n', shared=True)]
    seen = node.look(*files_to_be)
    node.apply(*files_to_be)
    node.swap.finish("containerd", seen)
    assert json.loads(path.read_text()) == {"dns": ["192.0.2.1"], "bip": "10.0.0.1/24"}
    # If another tool writes a key that was managed before, the key is foreign.
    path.write_text('{"debug": true, "bip": "10.0.0.1/24"}')
    node.apply(wanted(path, "{}\n", shared=True))
    assert json.loads(path.read_text()) == {"debug": True}


@pytest.mark.parametrize("moved", [True, False])
def test_a_directory_that_became_a_link_holds_the_same_files(tmp_path, node, moved):
    """The directory is moved to another disk and linked, or a link is replaced by a directory."""
    directory, elsewhere = tmp_path / "certs.d", tmp_path / "srv" / "certs.d"
    elsewhere.parent.mkdir()
    if not moved:
        elsewhere.mkdir()
        directory.symlink_to(elsewhere)
    file = directory / "docker.io" / "hosts.toml"
    node.apply(wanted(file, "x\n"), link(directory / "docker.io" / "ca.crt", "/ca"))
    if moved:
        directory.rename(elsewhere)
        directory.symlink_to(elsewhere)
    else:
        directory.unlink()
        elsewhere.rename(directory)
    again = [wanted(file, "x\n"), link(directory / "docker.io" / "ca.crt", "/ca")]
    assert [change.changed for change in node.look(*again)] == [False, False]
    again[0]["content"] = "y\n"
    assert node.apply(*again) == {}
    assert file.read_text() == "y\n"
    assert [change.changed for change in node.look(*again)] == [False, False]
    node.apply()
    assert not file.exists()


def test_a_linked_directory_is_kept_after_its_last_file(tmp_path, node):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "certs").symlink_to(tmp_path / "elsewhere")
    node.apply(wanted(tmp_path / "certs" / "hosts.toml", "x\n"))
    node.apply()
    assert os.listdir(tmp_path / "certs") == []


def test_two_paths_to_one_file_are_one_file(tmp_path, node):
    """A directory can be mounted in two places. The test uses a hard link instead."""
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    node.apply(wanted(old, "x\n"))
    os.link(old, new)
    assert [change.changed for change in node.look(wanted(new, "x\n"))] == [False]
    node.apply(wanted(new, "x\n"))
    assert new.read_text() == "x\n"


def test_a_link_that_replaced_a_managed_file_is_foreign(tmp_path, node):
    path, copy = tmp_path / "config.toml", tmp_path / "copy.toml"
    node.apply(wanted(path, "x\n"))
    path.rename(copy)
    path.symlink_to(copy)
    node.apply()
    assert path.is_symlink()
    assert copy.read_text() == "x\n"


@pytest.mark.parametrize(
    "spelling", ["certs.d/h/ca.crt", "linked/h/ca.crt", "certs.d/../certs.d/h/ca.crt"]
)
def test_a_certificate_at_its_own_target_path_is_kept(tmp_path, node, spelling):
    place = tmp_path / "certs.d" / "h" / "ca.crt"
    place.parent.mkdir(parents=True)
    place.write_text("a certificate\n")
    (tmp_path / "linked").symlink_to(tmp_path / "certs.d")
    certificate = link(place, tmp_path / spelling)
    assert node.look(certificate) == []
    node.apply(certificate, wanted(tmp_path / "x", "x\n"))
    node.apply(wanted(tmp_path / "x", "y\n"))
    assert place.read_text() == "a certificate\n"


def test_a_certificate_behind_a_link_to_its_own_path_is_kept(tmp_path, node):
    place, outside = tmp_path / "ca.crt", tmp_path / "outside.crt"
    place.write_text("a certificate\n")
    outside.symlink_to(place)
    assert node.look(link(place, outside)) == []


def test_a_managed_link_is_kept_if_it_is_configured_as_its_own_target(tmp_path, node):
    place, source = tmp_path / "ca.crt", tmp_path / "source.crt"
    source.write_text("a certificate\n")
    node.apply(link(place, source))
    assert node.look(link(place, place)) == []
    node.apply(link(place, place))
    assert place.read_text() == "a certificate\n"
    # The file is still managed, and is removed if the spec no longer has it.
    (change,) = node.look()
    assert (change.before, change.after) == (Link(str(source)), None)


WRITTEN = """{
 "data_roots": {
  "docker": [
   "/a",
   "/b"
  ]
 },
 "files": {
  "/x": {
   "digests": [
    "x"
   ],
   "restart": true,
   "runtime": "containerd"
  }
 },
 "version": 3
}"""


def test_a_record_is_read_as_it_was_written(tmp_path, node):
    record = ManagedFiles(node.state_dir)
    for root in ("/a", "/a", "/b", "/a"):
        record.note_data_root("docker", root)
    record.note("/x", "/x", dict(ENTRY))
    assert record.dump().decode() == WRITTEN
    node.record(WRITTEN)
    found = ManagedFiles(node.state_dir)
    assert (found.entries, found.data_roots) == (record.entries, record.data_roots)


def read_record(node):
    with open(f"{node.state_dir}/files.json", encoding="utf-8") as handle:
        return json.load(handle)


def test_the_record_has_no_digest_that_can_be_guessed(tmp_path, node):
    node.apply(wanted(tmp_path / "x", "password = 1234\n"), link(tmp_path / "y", "/srv/1234"))
    text = json.dumps(read_record(node))
    for content in (b"password = 1234\n", b"/srv/1234"):
        for name in hashlib.algorithms_available - {"shake_128", "shake_256"}:
            assert hashlib.new(name, content).hexdigest() not in text
    assert os.stat(f"{node.state_dir}/key").st_mode & 0o777 == 0o600


def test_two_nodes_have_different_digests_of_the_same_file(tmp_path):
    digests = []
    for name in ("one", "other"):
        node = Node(tmp_path / name)
        node.apply(wanted(tmp_path / name / "x", "same\n"))
        digests += [entry["digests"] for entry in read_record(node)["files"].values()]
    assert digests[0] != digests[1]


def record_old(node, *paths):
    """Write a record of version 2 with the current contents."""
    entries = {str(path): {**ENTRY, "digests": [digest(path.read_bytes())]} for path in paths}
    node.record(json.dumps({"version": 2, "files": entries}))


def test_digests_without_a_key_are_replaced(tmp_path, node):
    unchanged, changed, edited = (tmp_path / name for name in ("unchanged", "changed", "edited"))
    for path in (unchanged, changed, edited):
        path.write_text("old\n")
    record_old(node, unchanged, changed, edited)
    edited.write_text("an admin's\n")
    # An edited file stays, and a changed file needs no backup.
    assert node.apply(wanted(unchanged, "old\n"), wanted(changed, "new\n")) == {}
    assert edited.read_text() == "an admin's\n"
    entries = read_record(node)["files"]
    assert digest(b"old\n") not in json.dumps(entries)
    assert entries[str(edited)]["digests"] == []
    record = ManagedFiles(node.state_dir)
    assert not record.is_outdated
    assert record.owns(entries[str(unchanged)], b"old\n")
    assert record.owns(entries[str(changed)], b"new\n")


def test_a_run_without_changes_replaces_the_digests_too(tmp_path, node):
    path = tmp_path / "x"
    path.write_text("same\n")
    record_old(node, path)
    record = ManagedFiles(node.state_dir)
    assert record.is_outdated
    changes = files.look([wanted(path, "same\n")], record, "containerd")
    assert [change.owned for change in changes] == [True]
    swap.Swap(os.replace, record, node.state_dir).finish("containerd", changes)
    assert read_record(node)["version"] == VERSION
    assert digest(b"same\n") not in json.dumps(read_record(node))
    assert node.apply(wanted(path, "new\n")) == {}


def test_without_its_key_all_files_are_foreign_until_they_are_recorded_again(tmp_path, node):
    path = tmp_path / "x"
    node.apply(wanted(path, "same\n"))
    os.unlink(f"{node.state_dir}/key")
    record = ManagedFiles(node.state_dir)
    (change,) = files.look([wanted(path, "same\n")], record, "containerd")
    assert not change.owned
    swap.Swap(os.replace, record, node.state_dir).finish("containerd", [change])
    assert node.apply(wanted(path, "new\n")) == {}


def test_a_file_behind_a_link_is_recorded_with_its_target(node):
    record = ManagedFiles(node.state_dir)
    record.note("/x", "/x", dict(ENTRY))
    record.note("/y", "/srv/y", dict(ENTRY))
    assert record.entries == {"/x": ENTRY, "/y": {**ENTRY, "target": "/srv/y"}}


@pytest.mark.parametrize("keep_data", [False, True])
def test_a_runtime_is_forgotten_without_the_others(node, keep_data):
    record = ManagedFiles(node.state_dir)
    for runtime in ("docker", "containerd"):
        record.note(f"/{runtime}", f"/{runtime}", {**ENTRY, "runtime": runtime})
        record.note_data_root(runtime, f"/data/{runtime}")
    record.forget("docker", keep_data)
    assert list(record.entries) == ["/containerd"]
    assert list(record.data_roots) == (["docker"] if keep_data else []) + ["containerd"]


@pytest.mark.parametrize(("keys", "valid"), [(["a", ["b", "c"]], True), ([[]], False)])
def test_the_keys_of_an_entry_are_paths(keys, valid):
    assert (find_damage({"files": {"/x": {**ENTRY, "keys": keys}}}) == "") is valid


@pytest.mark.parametrize("key", [{}, [1], 1, ["a", 1]])
def test_a_key_of_an_entry_of_another_type_is_damage(key):
    assert find_damage({"files": {"/x": {**ENTRY, "keys": [key]}}})
