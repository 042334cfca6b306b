# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role runtime with rpm and the locks of dnf. Stand-ins replace both tools."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.provision import (
    package_managers,
    packages,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.tests.unit.roles import playing

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cruntime.node.runtime
        tasks_from: "{{ item }}"
      loop: "{{ first }}"
    - ansible.builtin.command: "{{ between }}"
      changed_when: false
    - ansible.builtin.include_role:
        name: cruntime.node.runtime
        tasks_from: "{{ item }}"
      loop: "{{ then }}"
"""
# Each package has the version that is in the file.
DNF = """#!/bin/sh
cd "$(dirname "$0")"
# dnf 4.23 reports a repository that it cannot reach in this way.
if [ "$1 $2" = "--quiet makecache" ]; then
    ! grep -q nowhere repos/*.repo || { echo "Error: Failed to download metadata" >&2; exit 1; }
    exit 0
fi
[ "$1 $2" = "--quiet versionlock" ] || exit 9
verb=$3
shift 3
for name; do
    case $verb in
        add) grep -q "^$name-0:" locks || echo "$name-0:$(cat version)-1.*" >>locks ;;
        delete) sed -i "/^$name-0:/d" locks ;;
    esac
done
[ "$verb" != list ] || cat locks
"""
# The message of rpm 4.18.
RPM = """#!/bin/sh
case "$*" in
    --query*) echo containerd.io 1.7-1; echo runc 1.1-1 ;;
    "--erase --test containerd.io")
        [ -e "$(dirname "$0")/docker" ] || exit 0
        echo "error: Failed dependencies:" >&2
        printf '\\tcontainerd.io >= 1.6 is needed by (installed) docker-ce-3:28.0-1.x86_64\\n' >&2
        exit 1 ;;
    *) exit 9 ;;
esac
"""


@pytest.fixture
def node(tmp_path):
    """Return a directory of stand-ins, with containerd.io and runc installed and no lock."""
    for name, text in (("dnf", DNF), ("rpm", RPM)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "locks").write_text("")
    (tmp_path / "version").write_text("1.7")
    return tmp_path


def look(node, variables):
    """Return the result of the task that looks at the node."""
    runner = Runner()
    runner.search_first(str(node))
    request = packages.request(["containerd.io"], ["runc"], variables.get("runtime_version", ""))
    decided = packages.decide(
        request,
        package_managers.read(runner, "redhat", request.names),
        "redhat",
        hold=variables.get("runtime_hold", True),
        from_directory="runtime_package_dir" in variables,
    )
    # dnf 4 would need its plugin.
    return {"family": "redhat", "package_manager": "dnf5", "packages": decided}


@pytest.fixture
def play(node):
    """Return a function that runs task files and returns the status, changes and output."""

    def run(*first, between="true", then=(), **variables):
        variables = {
            "runtime_spec": {"runtime": "containerd"},
            "_runtime_look": look(node, variables),
            **variables,
            "first": first,
            "between": between,
            "then": then,
        }
        status, output = playing.play(node, PLAY, variables, tools=node)
        return status, "changed=0" not in output, output

    return run


def locks(node):
    return sorted((node / "locks").read_text().split())


BOTH = ["containerd.io-0:1.7-1.*", "runc-0:1.7-1.*"]


@pytest.mark.parametrize(
    "variables",
    [{}, {"runtime_version": "latest"}, {"runtime_package_dir": "/packages"}],
    ids=["any", "latest", "directory"],
)
def test_an_unchanged_lock_is_no_change(node, play, variables):
    # The newest version is installed without the lock of the old one.
    between = "dnf --quiet versionlock delete containerd.io" if variables else "true"
    for expected in (True, False):
        status, changed, output = play(between=between, then=["hold-redhat"], **variables)
        assert status == 0, output
        assert changed is expected
        assert locks(node) == BOTH
    # A newer version is available.
    (node / "version").write_text("2.1")
    if variables:
        _status, changed, _output = play(between=between, then=["hold-redhat"], **variables)
        assert changed
        assert locks(node) == ["containerd.io-0:2.1-1.*", "runc-0:1.7-1.*"]


def test_removed_locks_are_one_change(node, play):
    (node / "locks").write_text("\n".join(BOTH) + "\n")
    for expected in (True, False):
        status, changed, output = play(then=["hold-redhat"], runtime_hold=False)
        assert status == 0, output
        assert changed is expected
        assert locks(node) == []


def test_a_removed_runtime_leaves_no_lock(node, play):
    (node / "locks").write_text("\n".join([*BOTH, "kernel-0:6-1.*"]) + "\n")
    removed = {"configured_runtimes": []}
    status, _changed, output = play("release-redhat", runtime_removed=removed)
    assert status == 0, output
    assert locks(node) == ["kernel-0:6-1.*"]


def test_packages_that_depend_on_a_removed_package_are_not_removed(node, play):
    status, _changed, output = play("refuse-redhat")
    assert status == 0, output
    (node / "docker").touch()
    status, _changed, output = play("refuse-redhat")
    assert status != 0
    output = " ".join(output.split())
    assert "rpm could not remove containerd.io: error: Failed dependencies: containerd.io" in output
    assert "is needed by (installed) docker-ce-3:28.0-1.x86_64. Remove the dependent" in output


@pytest.fixture
def repos(node):
    """Return the directory of repositories, with a foreign file."""
    directory = node / "repos"
    directory.mkdir()
    text = "[other]\nname=other\nbaseurl=file:/other\n"
    (directory / "vendor.repo").write_text(text)
    return directory


@pytest.fixture
def write_repositories(play, repos):
    """Return a function that writes repositories and returns the result of play."""

    def write(*repositories):
        directories = {"_runtime_dnf_directories": [str(repos), str(repos / "missing")]}
        directories["_runtime_dnf_keys"] = str(repos.parent)
        return play("repositories-redhat", runtime_repositories=repositories, **directories)

    return write


def contents(directory):
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_repository_in_another_file_is_refused(write_repositories, repos):
    before = contents(repos)
    new, other = ({"name": name, "url": "file:/srv"} for name in ("new", "other"))
    status, changed, output = write_repositories(new, other)
    assert status != 0
    assert not changed
    assert f"runtime_repositories: other: {repos}/vendor.repo has" in " ".join(output.split())
    assert contents(repos) == before
    # The file of an earlier run is not a conflict. A dot in a name matches only a dot.
    dotted = {"name": "oth.r", "url": "file:/srv"}
    for expected in (True, False):
        status, changed, output = write_repositories(new, dotted)
        assert status == 0, output
        assert changed is expected
    assert set(contents(repos)) == {*before, "new.repo", "oth.r.repo"}


def test_repositories_are_restored_if_dnf_cannot_read_them(write_repositories, repos):
    old, new = ({"name": name, "url": "file:/srv"} for name in ("old", "new"))
    assert write_repositories(old)[0] == 0
    before = contents(repos)
    status, _changed, output = write_repositories({**old, "url": "file:/nowhere"}, new)
    assert status != 0
    output = " ".join(output.split())
    assert "could not use these repositories: Error: Failed to download metadata. Correct" in output
    assert contents(repos) == before


def test_a_downloaded_key_is_checked_and_unsigned_packages_are_refused(
    write_repositories, repos, tmp_path
):
    key = tmp_path / "key"
    key.write_text("armored")
    checksum = f"sha256:{hashlib.sha256(key.read_bytes()).hexdigest()}"
    signed = {"name": "signed", "url": "file:/srv", "key": key.as_uri(), "key_checksum": checksum}
    remote = {"name": "remote", "url": "https://r.test/rpm"}
    assert write_repositories(signed, remote)[0] == 0
    text = contents(repos)["signed.repo"]
    assert "gpgcheck = 1" in text
    assert f"gpgkey = file://{repos.parent}/signed.asc" in text
    assert (repos.parent / "signed.asc").read_text() == "armored"
    assert "gpgcheck = 1" in contents(repos)["remote.repo"]
    before = contents(repos)
    (repos.parent / "signed.asc").unlink()
    key.write_text("other")
    status, _changed, output = write_repositories(signed)
    assert status != 0
    assert "checksum" in output
    assert contents(repos) == before
