# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several managed files are changed together."""

from __future__ import annotations

import functools
import json
import os
import time

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import atomic, files, swap
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


class Node:
    """Managed files with their own record."""

    def __init__(self, state_dir, replace=os.replace):
        self.state_dir = str(state_dir)
        self.replace = replace
        self.swap = None

    def look(self, *wanted, runtime="containerd"):
        return files.look(wanted, ManagedFiles(self.state_dir), runtime)

    def apply(self, *wanted, runtime="containerd"):
        record = ManagedFiles(self.state_dir)
        self.swap = swap.Swap(self.replace, record, self.state_dir)
        return self.swap.apply(files.look(wanted, record, runtime), runtime)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path / "state")


def wanted(path, content, restart=True, **more):
    return {"path": str(path), "content": content, "restart": restart, "when": [{}], **more}


def link(path, target):
    return {"path": str(path), "link": str(target), "restart": False, "when": [{}]}


def test_a_file_with_the_wanted_content_is_not_written(tmp_path, node):
    path = tmp_path / "config.toml"
    path.write_text("version = 2\n")
    before = path.stat()
    assert not node.look(wanted(path, "version = 2\n"))[0].changed
    assert node.apply(wanted(path, "version = 2\n")) == {}
    assert path.stat() == before
    assert not (tmp_path / "state").exists()


def test_a_foreign_file_is_backed_up_once_and_a_managed_file_is_not(tmp_path, node):
    path = tmp_path / "daemon.json"
    path.write_text('{"bip": "10.0.0.1/24"}\n')
    kept = node.apply(wanted(path, "{}\n"))[str(path)]
    assert os.path.dirname(kept) == str(tmp_path / "state" / "backups")
    with open(kept, encoding="utf-8") as handle:
        assert handle.read() == '{"bip": "10.0.0.1/24"}\n'
    assert os.stat(kept).st_mode & 0o777 == 0o600
    assert node.apply(wanted(path, '{"debug": true}\n')) == {}


def test_a_managed_file_edited_by_an_admin_is_backed_up(tmp_path, node):
    path = tmp_path / "daemon.json"
    node.apply(wanted(path, "{}\n"))
    path.write_text('{"debug": true}\n')
    assert list(node.apply(wanted(path, "{}\n"))) == [str(path)]


def test_rollback_restores_content_and_mtime_and_removes_new_files(tmp_path, node):
    old = tmp_path / "config.toml"
    old.write_text("old\n")
    os.utime(old, ns=(1_000_000_001, 1_000_000_001))
    new = tmp_path / "made" / "here" / "daemon.json"
    certificate = tmp_path / "made" / "ca.crt"
    node.apply(wanted(old, "new\n"), wanted(new, "{}\n"), link(certificate, "/etc/ca.pem"))
    assert (old.read_text(), new.read_text()) == ("new\n", "{}\n")
    assert os.readlink(certificate) == "/etc/ca.pem"
    node.swap.restore()
    assert old.read_text() == "old\n"
    assert old.stat().st_mtime_ns == 1_000_000_001
    assert not (tmp_path / "made").exists()
    assert ManagedFiles(node.state_dir).entries == {}


@pytest.fixture
def real_node(tmp_path, module):
    return Node(tmp_path / "state", functools.partial(atomic.replace, module))


@pytest.mark.parametrize(
    "change", [{"content": "new\n", "secret": True}, {"content": "new\n"}, None]
)
def test_rollback_restores_mode_and_owner(tmp_path, real_node, change):
    path = tmp_path / "50-x.conf"
    real_node.apply(wanted(path, "ours\n"))
    os.chown(path, 12, 34)
    path.chmod(0o640)
    real_node.apply(*([wanted(path, **change)] if change else []))
    assert path.exists() is bool(change)
    real_node.swap.restore()
    found = path.stat()
    assert (path.read_text(), found.st_mode & 0o777) == ("ours\n", 0o640)
    assert (found.st_uid, found.st_gid) == (12, 34)


def test_restore_does_not_touch_the_target_of_a_link(tmp_path, real_node):
    authority, certificate = tmp_path / "ca.pem", tmp_path / "ca.crt"
    authority.write_text("theirs\n")
    os.chown(authority, 12, 34)
    authority.chmod(0o644)
    certificate.write_text("old\n")
    certificate.chmod(0o640)
    real_node.apply(link(certificate, authority))
    real_node.swap.restore()
    assert not certificate.is_symlink()
    assert certificate.read_text() == "old\n"
    assert (certificate.stat().st_uid, certificate.stat().st_mode & 0o777) == (0, 0o640)
    assert (authority.stat().st_uid, authority.stat().st_mode & 0o777) == (12, 0o644)


def test_new_directories_are_readable_by_everyone(tmp_path, node):
    before = os.umask(0o077)
    try:
        node.apply(wanted(tmp_path / "made" / "here" / "x", "x\n"))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "made", tmp_path / "state")] == [
        0o755,
        0o755,
    ]


def test_a_failed_swap_can_be_rolled_back(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("old\n")

    def replace(source, target):
        if target == str(second):
            raise OSError(28, "No space left on device")
        os.replace(source, target)

    node = Node(tmp_path / "state", replace)
    with fails("file_unwritable", second, "No space left on device"):
        node.apply(wanted(first, "new\n"), wanted(second, "new\n"))
    assert first.read_text() == "new\n"
    node.swap.restore()
    assert first.read_text() == "old\n"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["first", "state"]


def test_a_file_that_was_not_written_is_not_restored(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("old\n")
    before = path.stat()

    def replace(source, target):
        if target == str(path):
            raise OSError(30, "Read-only file system")
        os.replace(source, target)

    node = Node(tmp_path / "state", replace)
    with fails("file_unwritable", path, "Read-only file system"):
        node.apply(wanted(path, "new\n"))
    node.swap.restore()
    assert path.stat() == before


def test_a_file_removed_from_the_spec_is_removed_if_it_is_managed(tmp_path, node):
    stays, goes, edited = (tmp_path / name / "hosts.toml" for name in ("stays", "goes", "edited"))
    node.apply(*(wanted(path, "x\n", restart=False) for path in (stays, goes, edited)))
    edited.write_text("an admin's\n")
    (change,) = [change for change in node.look(wanted(stays, "x\n")) if change.changed]
    assert (change.path, change.after, change.restart) == (str(goes), None, False)
    node.apply(wanted(stays, "x\n"))
    assert stays.exists()
    assert edited.read_text() == "an admin's\n"
    assert not goes.parent.exists()
    node.swap.finish("containerd", [])
    assert str(goes) not in ManagedFiles(node.state_dir).entries
    node.swap.restore()
    assert goes.read_text() == "x\n"


def test_foreign_keys_in_a_shared_file_are_kept(tmp_path, node):
    path = tmp_path / "daemon.json"
    path.write_text('{"bip": "10.0.0.1/24", "debug": false}')
    node.apply(wanted(path, '{"debug": true, "mtu": 1400}\n', shared=True))
    assert json.loads(path.read_text()) == {"bip": "10.0.0.1/24", "debug": True, "mtu": 1400}
    assert not node.look(wanted(path, '{"debug": true, "mtu": 1400}\n', shared=True))[0].changed
    # The collection wrote this key, which is no longer in the spec, so it is removed.
    assert node.apply(wanted(path, '{"debug": true}\n', shared=True)) == {}
    assert json.loads(path.read_text()) == {"bip": "10.0.0.1/24", "debug": True}
    node.apply(wanted(path, '{"debug": true, "mtu": 1400}\n', shared=False))
    assert path.read_text() == '{"debug": true, "mtu": 1400}\n'
    # The record has the keys of a shared file even if it has no foreign keys.
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    assert path.read_text() == '{"debug": true}\n'


def test_foreign_keys_in_managed_tables_are_kept(tmp_path, node):
    path = tmp_path / "daemon.json"
    path.write_text('{"features": {"containerd-snapshotter": true}}')
    node.apply(wanted(path, '{"features": {"cdi": true}}\n', shared=True))
    features = {"containerd-snapshotter": True, "cdi": True}
    assert json.loads(path.read_text()) == {"features": features}
    node.apply(wanted(path, "{}\n", shared=True))
    assert json.loads(path.read_text()) == {"features": {"containerd-snapshotter": True}}


def test_a_record_of_the_top_level_is_read(tmp_path, node):
    path = tmp_path / "daemon.json"
    node.apply(wanted(path, '{"debug": true, "log-opts": {"a": "b"}}\n', shared=True))
    record = ManagedFiles(node.state_dir)
    record.entries[str(path)]["keys"] = ["debug", "log-opts"]
    (tmp_path / "state" / "files.json").write_bytes(record.dump())
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    assert path.read_text() == '{"debug": true}\n'


@pytest.mark.parametrize("found", ["{", "[]", '"x"', '{"a": 1, "a": 2}', "[" * 100_000])
def test_a_shared_file_that_cannot_be_merged_is_rejected(tmp_path, node, found):
    path = tmp_path / "daemon.json"
    path.write_text(found)
    with fails("file_unreadable", path):
        node.apply(wanted(path, "{}\n", shared=True))
    assert path.read_text() == found
    assert list(node.apply(wanted(path, "{}\n", shared=False))) == [str(path)]
    assert path.read_text() == "{}\n"


def test_files_of_another_runtime_are_unchanged(tmp_path, node):
    path = tmp_path / "config.toml"
    node.apply(wanted(path, "x\n"))
    node.apply(wanted(tmp_path / "daemon.json", "{}\n"), runtime="docker")
    assert path.exists()


def test_a_link_is_created_changed_and_removed(tmp_path, node):
    path = tmp_path / "certs" / "ca.crt"
    node.apply(link(path, "/one"))
    node.apply(link(path, "/two"))
    assert os.readlink(path) == "/two"
    assert not node.look(link(path, "/two"))[0].changed
    (change,) = node.look()
    assert change.diff["before"] == "link to /two\n"
    node.apply()
    assert not path.parent.exists()


def test_a_secret_is_readable_by_root_only_and_not_in_the_diff(tmp_path, node):
    path = tmp_path / "proxy.conf"
    path.write_text("hunter1\n")
    path.chmod(0o644)
    (change,) = node.look(wanted(path, "password\n", secret=True))
    assert "password" not in str(change.diff)
    assert "hunter1" not in str(change.diff)
    node.apply(wanted(path, "password\n", secret=True))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("after", ["nothing secret\n", None])
def test_a_removed_secret_is_not_in_the_diff(tmp_path, node, after):
    path = tmp_path / "proxy.conf"
    node.apply(wanted(path, "password\n", secret=True))
    files_to_be = [wanted(path, after)] if after else []
    (change,) = node.look(*files_to_be)
    assert change.changed
    assert "password" not in str(change.diff)
    node.apply(*files_to_be)
    node.swap.restore()
    assert path.read_text() == "password\n"
    assert path.stat().st_mode & 0o777 == 0o600
    node.apply(wanted(path, "nothing secret\n"))
    assert "nothing secret" in str(node.look()[0].diff)


def test_a_key_that_a_link_replaces_is_not_in_the_diff(tmp_path, node):
    path = tmp_path / "client.key"
    path.write_text("private\n")
    (change,) = node.look(link(path, "/etc/ssl/client.key"))
    assert "private" not in change.diff["before"]
    assert change.diff["after"] == "link to /etc/ssl/client.key\n"


@pytest.mark.parametrize("after", [[], ["no more secrets\n"]])
def test_a_secret_removed_from_the_spec_is_not_in_the_diff(tmp_path, node, after):
    path = tmp_path / "proxy.conf"
    node.apply(wanted(path, "password\n", secret=True))
    (change,) = node.look(*(wanted(path, content) for content in after))
    assert change.changed
    assert "password" not in change.diff["before"]
    assert change.diff["after"] == "".join(after)
    # A secret that an admin wrote to the same path is redacted too.
    path.write_text("hunter1\n")
    assert "hunter1" not in str([change.diff for change in node.look(wanted(path, "new\n"))])
    node.apply(wanted(path, "open\n"))
    assert node.look(wanted(path, "new\n"))[0].diff["before"] == "open\n"


def test_a_reload_is_recorded_for_this_state_of_the_file(tmp_path, node):
    path = tmp_path / "daemon.json"
    node.apply(wanted(path, "{}\n"))
    changes = node.look(wanted(path, "{}\n"))
    node.swap.mark_loaded(changes, pid=42)
    assert node.look(wanted(path, "{}\n"))[0].loaded_by == 42
    os.utime(path, ns=(1, 1))
    assert node.look(wanted(path, "{}\n"))[0].loaded_by == 0


def test_a_link_created_by_the_admin_stays_a_link(tmp_path, node):
    target = tmp_path / "target"
    target.write_text("old\n")
    path = tmp_path / "link"
    path.symlink_to(target)
    node.apply(wanted(path, "new\n"))
    assert path.is_symlink()
    assert target.read_text() == "new\n"


def test_no_temporary_file_is_in_a_directory_of_drop_ins(tmp_path):
    drop_ins = tmp_path / "crio.conf.d"
    seen = []

    def replace(source, target):
        seen.append(os.path.dirname(source))
        os.replace(source, target)

    Node(tmp_path / "state", replace).apply(wanted(drop_ins / "50-cruntime.conf", "x\n"))
    assert str(tmp_path) in seen
    assert str(drop_ins) not in seen


def test_the_error_of_a_directory_in_place_of_a_file_names_it(tmp_path, node):
    with fails("file_unreadable", tmp_path):
        node.look(wanted(tmp_path, "{}\n"))


def test_a_file_with_a_future_mtime_gets_the_current_time(tmp_path, node):
    path = tmp_path / "x"
    path.write_text("x\n")
    os.utime(path, ns=(2**62, 2**62))
    swap.settle(node.look(wanted(path, "x\n")))
    assert path.stat().st_mtime_ns < 2**62


@pytest.mark.parametrize(
    ("path", "touched"),
    [("/etc/systemd/system/x.service.d/y.conf", True), ("/etc/docker/daemon.json", False)],
)
def test_systemd_reloads_only_its_own_files(path, touched):
    change = files.Change(path, path, b"", True, None, None)
    assert swap.need_daemon_reload([change]) is touched


def test_a_mounted_file_is_rejected_before_any_change(tmp_path, node, monkeypatch):
    path = tmp_path / "x"
    path.write_text("old\n")
    monkeypatch.setattr(atomic, "list_mount_points", lambda: {str(path)})
    changes = node.look(wanted(path, "new\n"))
    with fails("file_unwritable", path), swap.staged(changes, str(tmp_path)):
        pytest.fail("The file was staged")
    # A file that needs no change can be mounted.
    with swap.staged(node.look(wanted(path, "old\n")), str(tmp_path)) as paths:
        assert list(paths) == [str(path)]


def test_staged_files_are_removed(tmp_path, node):
    changes = node.look(wanted("/etc/containerd/config.toml", "version = 2\n"))
    with swap.staged(changes, str(tmp_path)) as paths:
        staged = paths["/etc/containerd/config.toml"]
        with open(staged, encoding="utf-8") as handle:
            assert handle.read() == "version = 2\n"
    assert list(tmp_path.iterdir()) == []


def test_a_file_behind_a_link_is_recorded_by_its_configured_path(tmp_path, node):
    elsewhere, path = tmp_path / "srv" / "docker", tmp_path / "docker"
    elsewhere.mkdir(parents=True)
    path.symlink_to(elsewhere)
    (change,) = node.look(wanted(path / "daemon.json", "{}\n"))
    (tmp_path / "scratch").mkdir()
    with swap.staged([change], str(tmp_path / "scratch")) as paths:
        assert list(paths) == [str(path / "daemon.json")]
    assert change.target == str(elsewhere / "daemon.json")
    node.apply(wanted(path / "daemon.json", "{}\n"))
    assert (elsewhere / "daemon.json").read_text() == "{}\n"
    assert not any(each.changed for each in node.look(wanted(path / "daemon.json", "{}\n")))


def test_a_diff_contains_the_text_before_and_after(tmp_path, node):
    path = tmp_path / "x"
    path.write_bytes(b"old \xff\n")
    (change,) = node.look(wanted(path, "new\n"))
    assert change.diff == {
        "before_header": str(path),
        "after_header": str(path),
        "before": "old \ufffd\n",
        "after": "new\n",
    }


def test_every_file_of_a_runtime_records_the_newest_socket(tmp_path, node):
    first, second = wanted(tmp_path / "a.conf", "x"), wanted(tmp_path / "b.conf", "x")
    for socket, content in (("/run/old.sock", "x"), ("/run/new.sock", "y")):
        record = ManagedFiles(node.state_dir)
        each = swap.Swap(os.replace, record, node.state_dir)
        second["content"] = content
        each.apply(files.look([first, second], record, "crio"), "crio", socket)
        assert ManagedFiles(node.state_dir).socket_of("crio") == socket
    each.restore()
    assert ManagedFiles(node.state_dir).socket_of("crio") == "/run/old.sock"


def test_a_removed_file_is_assigned_to_its_unit(tmp_path, node):
    node.apply(wanted(tmp_path / "x.conf", "x", unit="x.socket"), runtime="docker")
    (change,) = node.look(runtime="docker")
    assert (change.after, change.unit) == (None, "x.socket")


class Killed(Exception):
    pass


@pytest.mark.parametrize("after_unlink", [False, True])
def test_a_run_killed_while_it_removes_a_file_leaves_a_pending_restart(
    tmp_path, node, monkeypatch, after_unlink
):
    path = tmp_path / "proxy.conf"
    node.apply(wanted(path, "x", unit="x.service"))
    unlink = os.unlink

    def killed(name, **options):
        # Temporary files are unlinked too.
        if name != str(path):
            return unlink(name, **options)
        if after_unlink:
            unlink(name)
        raise Killed

    monkeypatch.setattr(os, "unlink", killed)
    begun = time.time_ns()
    with pytest.raises(Killed):
        node.apply()
    monkeypatch.undo()
    (change,) = node.look()
    assert (change.after, change.restart, change.unit) == (None, True, "x.service")
    assert change.changed is not after_unlink
    if after_unlink:
        # The removal counts as newer than any process that started before it.
        assert change.mtime_ns >= begun
    node.apply()
    assert not path.exists()
    node.swap.finish("containerd", [])
    assert node.look() == []
    assert ManagedFiles(node.state_dir).entries == {}


def test_a_new_file_does_not_protect_an_old_one(tmp_path, node):
    old, new = tmp_path / "old", tmp_path / "new"
    node.apply(wanted(old, "x\n"))
    first, second = node.look(wanted(new, "x\n"))
    assert (first.path, first.loaded_by) == (str(new), 0)
    assert (second.path, second.after) == (str(old), None)


def test_a_shared_file_that_became_invalid_stays(tmp_path, node):
    path = tmp_path / "daemon.json"
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    path.write_text("{")
    assert node.look() == []


def test_a_shared_file_that_became_a_link_stays(tmp_path, node):
    path = tmp_path / "daemon.json"
    node.apply(wanted(path, '{"debug": true}\n', shared=True))
    path.unlink()
    path.symlink_to("/nowhere")
    assert node.look() == []


def test_an_old_link_to_a_wanted_file_stays(tmp_path, node):
    old, new = tmp_path / "old", tmp_path / "new"
    node.apply(link(old, new))
    assert [change.path for change in node.look(wanted(new, "x\n"))] == [str(new)]


def test_an_error_names_the_link_and_its_target(tmp_path, node):
    path, target = tmp_path / "config.toml", tmp_path / "elsewhere"
    target.mkdir()
    path.symlink_to(target)
    with fails("file_unreadable", path, target):
        node.look(wanted(path, "x\n"))
    path.unlink()
    path.mkdir()
    with fails("file_unreadable", path) as caught:
        node.look(wanted(path, "x\n"))
    # The error does not call this file a link.
    assert str(caught.value).count(str(path)) == 1


def test_a_removed_file_is_in_the_diff_unless_its_record_calls_it_secret(tmp_path, node):
    path = tmp_path / "x"
    node.apply(wanted(path, "x\n"))
    record = ManagedFiles(node.state_dir)
    del record.entries[str(path)]["secret"]
    (change,) = files.look([], record, "containerd")
    assert change.diff["before"] == "x\n"


def test_a_change_is_public_foreign_and_not_loaded():
    change = files.Change("/x", "/x", b"new\n", True, b"old\n", 1)
    assert (change.diff["before"], change.diff["after"]) == ("old\n", "new\n")
    assert (change.owned, change.loaded_by) == (False, 0)
