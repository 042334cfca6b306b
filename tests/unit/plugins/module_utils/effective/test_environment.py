# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the collection, compared with other files of the unit and with the process."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import command_line
from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    base,
    comparison,
    docker,
    environment,
)
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_user
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.plugins.plugin_utils import render
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import checked

DIRECTORY = "/etc/systemd/system/docker.service.d"
FIRST, OURS, LAST = (f"{DIRECTORY}/{name}" for name in ("10-a.conf", "50-our.conf", "60-z.conf"))
URL = "http://user:hunter2@proxy.test:3128"
SPEC = {"runtime": "docker", "proxy": {"http": URL, "no_proxy": ["10.0.0.0/8"]}}
DAEMON_JSON = "/etc/docker/daemon.json"


@pytest.fixture
def unit(tmp_path):
    main = tmp_path / "docker.service"
    main.write_text('[Service]\nEnvironment="A=b c" D=e%%f\nEnvironment=HTTP_PROXY=http://main\n')
    return Unit("docker.service", "loaded", "active", path=str(main), pid=1)


@pytest.fixture
def effective():
    return docker.DockerEffective(Runner(), Docker(Runner()), "29.8.1")


def find_changes(changed=False, **spec):
    """Return the files of a spec, as on a node that has them unless they change."""
    found = [
        (file["path"], file["content"].encode())
        for file in render.render(checked(**{**SPEC, **spec}))
        if "content" in file
        and any(when.get("version_range", "29.10.0") == "29.10.0" for when in file["when"])
    ]
    return [
        Change(path, path, content, True, None if changed else content, 0)
        for path, content in found
    ]


def find_main(changes):
    return next(change for change in changes if change.path == DAEMON_JSON)


def compare(effective, changes, unit):
    return comparison.compare_environment(effective, find_main(changes), changes, unit)


def write(tmp_path, unit, name, text):
    drop_in = tmp_path / name
    drop_in.write_text(f"[Service]\n{text}\n")
    return unit._replace(drop_ins=(*unit.drop_ins, str(drop_in)))


def process_with(monkeypatch, **variables):
    monkeypatch.setattr(command_line, "read_environ", lambda pid: variables if pid else {})


BOTH = {
    "HTTP_PROXY": URL,
    "http_proxy": URL,
    "NO_PROXY": "10.0.0.0/8",
    "no_proxy": "10.0.0.0/8",
}


def test_the_variables_of_a_spec(unit):
    assert environment.find_desired(find_changes(), unit) == BOTH
    assert environment.find_desired(find_changes(proxy={}), unit) == {}
    # The drop-in of CRI-O has its variable itself.
    changes = find_changes(runtime="crio", rootless=True, cgroup_driver="cgroupfs", proxy={})
    crio = Unit("crio.service")
    assert environment.find_desired(changes, crio) == {"_CRIO_ROOTLESS": "1"}


@pytest.mark.parametrize("changed", [False, True])
def test_a_node_that_matches_its_spec(effective, unit, monkeypatch, changed):
    process_with(monkeypatch, **({} if changed else BOTH), A="b c")
    # A file takes precedence over Environment of the unit, also over later drop-ins.
    assert compare(effective, find_changes(changed), unit) == ()


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    "written", ["EnvironmentFile=-{file}", "EnvironmentFile={directory}/*.env"]
)
def test_each_variable_that_another_file_overrides_is_an_error(
    tmp_path, effective, unit, name, written
):
    other = tmp_path / "other.env"
    other.write_text(f"{name}='user:letmein@other.test:3128'\n")
    last = write(tmp_path, unit, "60-z.conf", written.format(file=other, directory=tmp_path))
    for changed in (False, True):
        with fails("setting_overridden", str(other), name) as caught:
            compare(effective, find_changes(changed), last)
        (entry,) = caught.value.facts["overridden"]
        assert (entry["key"], entry["source"]) == (f"environment.{name}", "environment")
        assert entry["file"] == f"{other} (variable {name})"
        assert not any(word in repr(caught.value.result) for word in ("hunter2", "letmein", "user"))
    # A drop-in before the drop-in of the collection does not override it.
    first = write(tmp_path, unit, "10-a.conf", f"EnvironmentFile={other}")
    assert compare(effective, find_changes(), first) == ()


@pytest.mark.parametrize("name", BOTH)
def test_each_variable_that_another_file_removes_is_an_error(tmp_path, effective, unit, name):
    unit = write(tmp_path, unit, "10-a.conf", f"UnsetEnvironment=X {name}")
    with fails("setting_overridden", unit.drop_ins[0], name) as caught:
        compare(effective, find_changes(), unit)
    (entry,) = caught.value.facts["overridden"]
    assert (entry["file"], entry["source"]) == (unit.drop_ins[0], "file")


def test_a_drop_in_that_resets_the_files_is_an_error(tmp_path, effective, unit):
    unit = write(tmp_path, unit, "60-z.conf", "EnvironmentFile=\nEnvironment=NO_PROXY=10.0.0.0/8")
    with fails("setting_overridden", unit.drop_ins[0]) as caught:
        compare(effective, find_changes(), unit)
    found = {entry["key"]: entry for entry in caught.value.facts["overridden"]}
    # The unit file sets a variable that the file of the collection had overridden.
    assert found["environment.HTTP_PROXY"]["current"] == "http://main"
    assert found["environment.HTTP_PROXY"]["file"] == f"{unit.path} (variable HTTP_PROXY)"
    assert found["environment.no_proxy"]["current"] is None
    assert found["environment.no_proxy"]["file"] == unit.drop_ins[0]
    assert "environment.NO_PROXY" not in found


@pytest.mark.parametrize("name", BOTH)
def test_each_variable_that_the_process_does_not_have_is_pending(
    effective, unit, monkeypatch, name
):
    process_with(monkeypatch, **{**BOTH, name: "http://user:letmein@old.test"})
    (found,) = compare(effective, find_changes(), unit)
    assert found.path == ("environment", name)
    assert not any(word in repr(found) for word in ("hunter2", "letmein", "user"))
    with fails("setting_overridden", name, "old.test") as caught:
        comparison.check_environment(Docker(Runner()), find_changes(), unit)
    assert "letmein" not in repr(caught.value.result)
    # The run changes the files, so the process cannot have the variables.
    assert compare(effective, find_changes(changed=True), unit) == ()
    # An unprivileged user cannot read the environment.
    process_with(monkeypatch)
    assert compare(effective, find_changes(), unit) == ()


def test_proxies_of_docker_take_precedence(effective, unit, tmp_path):
    def compare_with(proxies, *flags):
        extra = {"extra_config": {"proxies": proxies}} if proxies else {}
        return compare(effective, find_changes(**extra), unit._replace(command=("dockerd", *flags)))

    unit = unit._replace(pid=0)
    assert compare_with({"http-proxy": URL, "no-proxy": "10.0.0.0/8"}) == ()
    for key, name in (("http-proxy", "HTTP_PROXY"), ("no-proxy", "NO_PROXY")):
        with fails("setting_overridden", DAEMON_JSON) as caught:
            compare_with({key: "http://other"})
        names = {f"environment.{name}", f"environment.{name.lower()}"}
        assert {entry["key"] for entry in caught.value.facts["overridden"]} == names
        with fails("setting_overridden", f"flag --{key}"):
            compare_with({}, f"--{key}=http://other")


def test_variables_of_a_unit(tmp_path, unit):
    first = tmp_path / "a.env"
    first.write_text("A=first\n")
    settings = (
        f"Environment=\\\nG=h\nEnvironment=\nEnvironmentFile={first}\nEnvironmentFile=-/missing"
    )
    unit = write(tmp_path, unit, "10-a.conf", settings)
    found = environment.find_filed([], unit)
    assert {name: each.value for name, each in found.items()} == {
        "A": "first",
        "D": None,
        "G": None,
        "HTTP_PROXY": None,
    }
    assert found["A"].source == base.Source("environment", str(first), "A")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://u:p@h:1", "http://(not shown)@h:1"),
        ("u:p@q@h:1", "(not shown)@h:1"),
        ("http://h:1", "http://h:1"),
        (None, None),
    ],
)
def test_users_of_proxies_are_redacted(value, shown):
    assert redact_user(value) == shown
