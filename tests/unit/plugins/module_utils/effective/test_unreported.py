# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that processes do not report, and the times of the files that set them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import time

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import dump
from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    base,
    compare,
    comparison,
    containerd,
    crio,
    docker,
    unreported,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
    Scope,
    normalize,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.known_files import KnownFiles
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRIO_REGISTRIES
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import crio as render

REPORT = pathlib.Path(__file__).parents[5] / "docs/report.md"
IMAGES = ("plugins", "io.containerd.cri.v1.images")
TRANSFER = ("plugins", "io.containerd.transfer.v1.local")
#: The keys of the rendered files that each version does not report. containerd uses
#: required_plugins only when it starts, so a process that runs has used them.
_ALWAYS = frozenset({("requiredplugins",), ("metrics",), ("debug",)})
EXPECTED = {
    **dict.fromkeys(("1.6.20", "1.7.24"), _ALWAYS),
    **dict.fromkeys(("2.1.9", "2.4.2"), _ALWAYS | {IMAGES, TRANSFER}),
    **dict.fromkeys(
        ("20.10.24", "26.1.5", "29.8.1"),
        frozenset({("log-level",), ("log-opts",), ("default-ulimits",)}),
    ),
}
#: These keys are not in the files of the test above.
OTHERS = {("metrics-addr",), ("features",), ("crio", "image", "pinnedimages"), ("registry",)}


def read_node(version, transcript):
    """Return the rendered keys of a version, and the keys that it reports."""
    if int(version.split(".")[0]) >= 20:
        rules = Equivalences("docker", version)
        info = json.loads(transcript(f"docker-{version}-info.json"))
        running = compare.flatten(docker.parse_info(info), rules)
        return rules, json.loads(transcript(f"docker-{version}-daemon.json")), running
    rules, name = Equivalences("containerd", version), f"containerd-{version}-rich"
    info = {"config": json.dumps(json.loads(transcript(f"{name}-crictl-info.json"))["config"])}
    desired = containerd.parse_desired(transcript(f"{name}-config.toml"), {})
    return rules, desired, containerd.parse_status(info, rules)


@pytest.mark.parametrize("version", EXPECTED)
def test_exactly_the_keys_of_the_table_are_unreported(transcript, version):
    rules, desired, running = read_node(version, transcript)
    paths = [rules.locate(path) for path, _value in compare.find_leaves(desired)]
    left = [path for path in paths if not rules.complete(path, running)]
    parents = [{each for each in EXPECTED[version] if is_below(path, each)} for path in left]
    assert [path for path, found in zip(left, parents) if not found] == []
    assert set().union(*parents) == EXPECTED[version]
    scopes = [each.scope for each in unreported.list_entries(rules.runtime, rules.version)]
    others = [path for path in left if not any(scope.matches(path) for scope in scopes)]
    assert others in ([("requiredplugins",)], [])


def is_below(path, parent):
    return path[: len(parent)] == parent


def test_every_key_that_is_rendered_for_crio_is_reported(transcript):
    rules = Equivalences("crio", "1.37.0")
    running = crio.parse_running(transcript("crio-1.37.0-status-config.toml"), rules)
    desired = {
        "crio": render(
            sandbox_image="a/pause:1",
            log_level="info",
            metrics="127.0.0.1:9090",
            storage={"root": "/x", "driver": "overlay"},
            socket="/run/x.sock",
            ulimits={"nofile": {"soft": 1, "hard": 2}},
            pinned_images=["a/b:1"],
            oci_runtime="crun",
            cni={"conf_dir": "/etc/cni/net.d"},
        )
    }
    paths = [rules.locate(path) for path, _value in compare.find_leaves(desired)]
    assert len(paths) >= 10
    assert [path for path in paths if not rules.complete(path, running)] == []
    # A reload empties this list, so what is reported is not compared.
    (entry, _registries) = unreported.list_entries("crio", rules.version)
    assert [path for path in paths if entry.scope.matches(path)] == [entry.scope.path]


def test_the_table_is_the_list_of_the_documentation():
    expected = {path for paths in EXPECTED.values() for path in paths} - {("requiredplugins",)}
    assert {entry.scope.path for entry in unreported.TABLE} == expected | OTHERS
    text = REPORT.read_text().partition("A key is `unknown` only if")[2].partition("\n\nThe ")[0]
    names = {
        normalize(re.findall(r"\"[^\"]+\"|[\w-]+", name)) for name in re.findall(r"`([^`]+)`", text)
    }
    written = {tuple(key.strip('"') for key in name) for name in names} - {("unknown",)}
    assert written == expected | OTHERS


@pytest.fixture
def entry(tmp_path):
    """Return keys of a main file and of a directory, both older than the process."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.toml").write_text("")
    (tmp_path / "main.toml").write_text("")
    patterns = (f"{tmp_path}/main.toml", f"{tmp_path}/conf.d", f"{tmp_path}/conf.d/*.toml")
    return unreported.Unreported(Scope("containerd", ("debug",)), patterns)


def process(started):
    return Unit("containerd.service", "loaded", "active", pid=7, started=started)


def find_newer(entry, started, *changes):
    return unreported.find_newer(entry, "/missing", changes, process(started))


def test_each_change_after_the_start_is_found(entry, tmp_path):
    main, directory, drop_in = (pattern.replace("*", "a") for pattern in entry.files)
    soon = time.time() + 60
    assert find_newer(entry, soon) == ""
    # A file that cp -p wrote has an old mtime, and a new ctime.
    os.utime(main, (0, 0))
    assert find_newer(entry, soon - 120) == main
    for path in (main, directory, drop_in):
        os.utime(path, (soon + 5, soon + 5))
        assert find_newer(entry, soon) == path
        os.utime(path, (0, 0))
    # The target of a link counts as well.
    target = tmp_path / "target"
    target.write_text("")
    os.utime(target, (soon + 5, soon + 5))
    os.remove(drop_in)
    os.symlink(target, drop_in)
    assert find_newer(entry, soon) == drop_in
    os.remove(target)
    assert find_newer(entry, soon) == ""
    # A process that does not run uses no files.
    assert unreported.find_newer(entry, "/missing", [], Unit("containerd.service")) == ""


def test_the_file_of_the_collection_counts_too(entry):
    main, *others = entry.files
    soon = time.time() + 60
    os.utime(main, (soon + 5, soon + 5))
    entry = entry._replace(files=tuple(others))
    assert unreported.find_newer(entry, main, [], process(soon)) == main
    # Another file of the collection has the keys.
    entry = entry._replace(own_file="/missing")
    assert unreported.find_newer(entry, main, [], process(soon)) == ""


def test_a_file_that_the_process_has_reloaded_is_not_newer(entry):
    main = entry.files[0]
    mtime = os.stat(main).st_mtime_ns
    change = Change(main, main, b"", True, b"", mtime, loaded_by=7)
    assert find_newer(entry, 1.0) == main
    assert find_newer(entry, 1.0, change) == ""
    assert find_newer(entry, 1.0, change._replace(loaded_by=8)) == main
    # A file that was written after the reload.
    later = mtime / 1e9 + 60
    os.utime(entry.files[1], (later, later))
    assert find_newer(entry, 1.0, change) == entry.files[1]


class Reporting(base.Effective):
    """Effective configuration in which a process reports only one key."""

    def read_filed(self, start, path):
        return compare.flatten(self.parse_desired(b"", {}), self.equivalences)

    def read_running(self, argv):
        return {("root",): "/x"}

    def parse_desired(self, content, filed):
        return dump.parse('root = "/x"\n[debug]\nlevel = "info"\n[metrics]\naddress = "pw@x"\n')

    def find_source(self, difference, start):
        return base.Source()


def compare_runtime(monkeypatch, entry, started, *changes, runtime="containerd"):
    monkeypatch.setattr(unreported, "TABLE", (entry,))
    effective = Reporting(Runner(), Containerd(Runner()), "2.1.9")
    effective.equivalences.runtime = runtime
    main = Change("/missing", "", b"", True, b"", 0)
    changes = [main, *changes]
    return comparison.compare_runtime(
        effective,
        Containerd(Runner()),
        main,
        process(started),
        changes=changes,
        known=KnownFiles(keep=False),
    )


def test_an_unknown_key_is_a_warning_without_a_restart(monkeypatch, entry):
    main = entry.files[0]
    found = compare_runtime(monkeypatch, entry, 1.0)
    assert found.cause == ""
    (result,) = [each.result for each in found.unknown]
    assert result == {
        "key": "debug.level",
        "current": None,
        "desired": "info",
        "source": "file",
        "file": main,
    }
    (warning,) = found.doubts
    assert warning.startswith(f"{main} is newer than the process of containerd")
    assert "debug.level" in warning
    # Nothing is newer.
    assert compare_runtime(monkeypatch, entry, time.time() + 60).unknown == ()
    # The process reports the only key.
    reported = entry._replace(scope=Scope("containerd", ("root",)))
    assert compare_runtime(monkeypatch, reported, 1.0).unknown == ()


def test_registries_of_crio_are_unknown_only_if_the_collection_has_written_them(monkeypatch, entry):
    registries = entry._replace(scope=Scope("crio", ("registry",)), own_file=CRIO_REGISTRIES)
    change = Change(CRIO_REGISTRIES, "", b"x", True, b"x", 0)
    found = compare_runtime(monkeypatch, registries, 1.0, change, runtime="crio")
    assert [each.path for each in found.unknown] == [("registry",)]
    gone = change._replace(after=None)
    assert compare_runtime(monkeypatch, registries, 1.0, gone, runtime="crio").unknown == ()
    assert compare_runtime(monkeypatch, registries, 1.0, runtime="crio").unknown == ()


@pytest.mark.parametrize(
    ("mountpoint", "found"),
    [
        (
            "/x/io.containerd.snapshotter.v1.native",
            {(*IMAGES, "snapshotter"): "native", ("root",): "/x"},
        ),
        ("/data/snapshots", {}),
        (None, {}),
    ],
)
def test_the_directory_of_the_snapshots(mountpoint, found):
    one = {"fs_id": None if mountpoint is None else {"mountpoint": mountpoint}}
    other = {"fs_id": {"mountpoint": "/y/io.containerd.snapshotter.v1.zfs"}}
    assert containerd.parse_filesystems({"image_filesystems": [one, other]}) == found


def test_no_filesystem_is_reported():
    assert containerd.parse_filesystems({"image_filesystems": []}) == {}
    assert containerd.parse_filesystems({}) == {}
