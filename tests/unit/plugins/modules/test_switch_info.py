# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each cause that prevents a switch is found before anything changes."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import package_owners
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.modules import cruntime_switch_info

DPKG = 'shift 2; for path; do echo "${path##*/}: $path"; done'
DPKG_OF_TWO = 'echo "base:amd64, ${3##*/}:amd64: $3"'
# On the other family, or for a file that belongs to no package.
NO_DPKG = 'echo "dpkg-query: no path found matching pattern $3" >&2; exit 1'
RPM = 'printf "%s\\n" containerd.io'
NO_RPM = 'echo "file $6 is not owned by any package"; exit 1'


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs stand-ins for package managers, and returns a runner."""

    def run(**tools):
        for name, script in tools.items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        for name in ("containerd", "dockerd"):
            (tmp_path / name).write_text("")
        monkeypatch.setattr(package_owners, "_DIRECTORIES", ("/nowhere", str(tmp_path)))
        runner = Runner()
        monkeypatch.setattr(runner, "_search_path", f"{tmp_path}:/usr/bin:/bin")
        return runner

    return run


@pytest.mark.parametrize(
    ("runtime", "old", "dpkg", "rpm", "refused"),
    [
        ("containerd", ["docker.io", "containerd"], DPKG, NO_RPM, "containerd"),
        ("containerd", ["docker.io", "containerd"], DPKG_OF_TWO, NO_RPM, "containerd"),
        ("containerd", ["docker.io", "containerd=1.7"], DPKG, NO_RPM, "containerd"),
        ("containerd", ["docker-ce", "containerd.io"], NO_DPKG, RPM, "containerd.io"),
        # Docker requires this package.
        ("docker", ["containerd"], DPKG, NO_RPM, "containerd"),
        ("containerd", ["docker.io"], DPKG, NO_RPM, None),
        ("containerd", ["docker-ce"], NO_DPKG, RPM, None),
        ("containerd", ["docker.io", "containerd"], NO_DPKG, NO_RPM, None),
    ],
)
def test_a_package_of_the_new_runtime_is_rejected(install, *, runtime, old, dpkg, rpm, refused):
    runner = install(dpkg_query=dpkg, rpm=rpm)
    if refused is None:
        cruntime_switch_info.check_packages(runner, runtime, old)
        return
    with pytest.raises(CruntimeError) as failure:
        cruntime_switch_info.check_packages(runner, runtime, old)
    text = f"{refused} must not be removed, because {runtime} needs this package"
    assert text in str(failure.value)


def test_a_runtime_that_is_not_installed_has_no_packages(install):
    runner = install(dpkg_query="exit 2", rpm="exit 2")
    assert package_owners.find_owners(runner, ["crio"]) == []


@pytest.mark.parametrize(
    ("running", "reason"),
    [([], "runtime_not_running"), (["containerd", "docker"], "runtime_ambiguous"), (["crio"], "")],
)
def test_exactly_one_runtime_must_run(running, reason):
    if not reason:
        cruntime_switch_info.check_running(running)
        return
    with pytest.raises(CruntimeError) as failure:
        cruntime_switch_info.check_running(running)
    assert failure.value.reason == reason


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_damaged_marker_is_named(tmp_path, text):
    marker = tmp_path / "marker.json"
    marker.write_text(text)
    with pytest.raises(CruntimeError, match=str(marker)):
        cruntime_switch_info.read_marker(str(marker))


def test_a_marker_is_read(tmp_path):
    marker = tmp_path / "marker.json"
    assert cruntime_switch_info.read_marker(str(marker)) is None
    marker.write_text(json.dumps({"runtime": "docker"}))
    assert cruntime_switch_info.read_marker(str(marker)) == {"runtime": "docker"}
