# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a node choose its files, and replace the markers in them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import cni, rendered
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import catalog, crio
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

FILE = {"when": [{}], "facts": ["place"], "content": '[x]\ny = "@place@"\nz = ["/a", "@place@"]\n'}


def test_a_fact_replaces_its_marker():
    (file,) = rendered.choose([FILE], {"place": "/usr/x"})
    assert file["content"] == '[x]\ny = "/usr/x"\nz = ["/a", "/usr/x"]\n'
    assert FILE["content"].count("@") == 4


def test_a_line_without_its_fact_is_removed():
    (file,) = rendered.choose([FILE], {"place": None})
    assert file["content"] == "[x]\n"


def test_a_file_without_markers_is_unchanged():
    file = {"when": [{"a": 1}], "content": '"@place@"'}
    assert rendered.choose([file, {"when": [{"a": 2}]}], {"a": 1, "place": None}) == [file]


def test_facts_that_the_files_need():
    files = [FILE, {"when": [{"a": 1, "b": True}, {"a": 2, "b": True}], "content": ""}]
    assert rendered.list_facts(files) == {"place", "a", "b"}


# Output of `ctr oci spec`, shortened.
SPEC = {
    "ociVersion": "1.3.0",
    "process": {"user": {"uid": 0}, "cwd": "/", "noNewPrivileges": True, "rlimits": [{"soft": 1}]},
    "mounts": [],
}


def merge_onto(content):
    file = {"path": "/x", "when": [{}], "onto": "oci_spec", "content": json.dumps(content)}
    assert rendered.list_facts([file]) == {"oci_spec"}
    (file,) = rendered.choose([file], {"oci_spec": json.dumps(SPEC)})
    return json.loads(file["content"])


def test_a_content_is_merged_into_a_fact():
    added = {"process": {"rlimits": [], "user": {"umask": 18}}, "hostname": "x"}
    process = {**SPEC["process"], "rlimits": [], "user": {"uid": 0, "umask": 18}}
    assert merge_onto(added) == {**SPEC, "process": process, "hostname": "x"}


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ({"process": {"cwd": 1}}, ["process.cwd", "an integer", "is text"]),
        ({"process": {"noNewPrivileges": 1}}, ["process.noNewPrivileges", "is a boolean"]),
        ({"process": {"user": {"uid": True}}}, ["process.user.uid", "a boolean", "an integer"]),
        ({"mounts": {}}, ["mounts", "a dictionary", "is a list"]),
        ({"ociVersion": 1.3}, ["ociVersion", "a fraction", "is text"]),
    ],
)
def test_a_content_of_another_type_than_the_fact_is_rejected(added, words):
    with fails("option_invalid", "/x", "Correct base_spec", *words):
        merge_onto(added)


def test_containerd_is_asked_for_its_spec_only_if_a_file_needs_it(monkeypatch):
    commands = []
    runner = Runner()
    monkeypatch.setattr(runner, "output", lambda *argv: commands.append(argv) or "{}")
    containerd = catalog.runtimes(runner)["containerd"]
    assert "oci_spec" not in containerd.find_facts({"cni_bin_dir"})
    assert commands == []
    assert containerd.find_facts({"oci_spec"})["oci_spec"] == "{}"
    assert commands == [("ctr", "oci", "spec")]


def test_a_rejection_ends_the_run():
    refused = {"when": [{"a": 1}, {"a": 2}], "refusals": ["it is too old", "it is too small"]}
    with fails("option_unsupported", *refused["refusals"]) as error:
        rendered.choose([refused], {"a": 2})
    assert error.value.result["problems"] == refused["refusals"]
    assert rendered.choose([refused], {"a": 3}) == []


def test_the_directory_that_contains_the_plugins(tmp_path):
    first, second, third = (tmp_path / name for name in "abc")
    directories = tuple(map(str, (first, second, third)))
    assert cni.find_bin_dir(directories) is None
    for directory in (first, second, third):
        directory.mkdir()
    # An incomplete set of plugins is left over, and one file is not executable.
    (first / "flannel").touch(0o755)
    (second / "loopback").touch(0o644)
    assert cni.find_bin_dir(directories) is None
    (third / "loopback").touch(0o755)
    assert cni.find_bin_dir(directories) == str(third)
    (second / "loopback").chmod(0o755)
    assert cni.find_bin_dir(directories) == str(second)


@pytest.mark.parametrize(
    ("main", "drop_in", "found"),
    [
        ("", "", True),
        ('[crio.network]\nplugin_dirs = ["/x"]\n', "", False),
        ("", '[crio.network]\n  plugin_dirs=[\n"/x"]\n', False),
        ("", 'plugin_dir = "/x"', False),
        ('# plugin_dirs = ["/x"]\n', 'network_dir = "/plugin_dirs ="', True),
    ],
)
def test_plugin_dirs_of_a_foreign_crio_file_are_kept(
    monkeypatch, tmp_path, main, drop_in, found
):
    plugins, drop_ins = tmp_path / "plugins", tmp_path / "crio.conf.d"
    plugins.mkdir()
    drop_ins.mkdir()
    (plugins / "loopback").touch(0o755)
    (tmp_path / "crio.conf").write_text(main)
    (drop_ins / "10-admin.conf").write_text(drop_in)
    ours = drop_ins / "50-cruntime.conf"
    ours.write_text('plugin_dirs = ["/opt/cni/bin"]')
    monkeypatch.setattr(crio.cni, "BIN_DIRS", ("/opt/cni/bin", str(plugins)))
    monkeypatch.setattr(crio, "CONFIG_PATH", str(tmp_path / "crio.conf"))
    monkeypatch.setattr(crio, "CRIO_DROP_INS", str(drop_ins))
    monkeypatch.setattr(crio, "CRIO", crio.CRIO._replace(config_path=str(ours)))
    facts = catalog.runtimes(Runner())["crio"].find_facts(["cni_bin_dir"])
    assert facts["cni_bin_dir"] == (str(plugins) if found else None)
