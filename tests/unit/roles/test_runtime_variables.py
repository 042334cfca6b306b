# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that the role runtime would install on systems for which the tests have no node.

facts.json has the facts of each system that the role reads: see README.md.
"""

from __future__ import annotations

import inspect
import json
import pathlib

import pytest
from ansible.module_utils.facts.system.distribution import Distribution
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).parents[3] / "roles" / "runtime"
FACTS = json.loads((pathlib.Path(__file__).parent / "facts.json").read_text())
# From ansible-core 2.19 on, only a trusted string is a template.
_PARAMETERS = inspect.signature(DataLoader.load_from_file).parameters
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in _PARAMETERS else {}


def variables(system, **chosen):
    """Return a function that returns the variables of the role on a system."""
    loader = DataLoader()
    facts = FACTS[system]
    # The first file that tasks/main.yml finds is loaded.
    names = (facts["distribution"].lower(), facts["os_family"].lower())
    systems = (ROLE / "vars" / f"{name}.yml" for name in names)
    known = {"ansible_facts": facts}
    for path in (
        ROLE / "defaults" / "main.yml",
        ROLE / "vars" / "main.yml",
        next(path for path in systems if path.exists()),
    ):
        known.update(loader.load_from_file(str(path), **TRUSTED))
    templar = Templar(loader, {**known, **chosen})
    return lambda name: templar.template(templar.available_variables[name])


@pytest.mark.parametrize(
    ("system", "runtime", "packages"),
    [
        ("Debian 12", "containerd", ["containerd", "runc", "containernetworking-plugins"]),
        ("Debian 12", "docker", ["docker.io", "runc", "containernetworking-plugins"]),
        ("Debian 13", "docker", ["docker.io", "docker-cli", "runc", "containernetworking-plugins"]),
        ("Debian 13", "crio", ["cri-o", "containernetworking-plugins"]),
        ("Ubuntu 22.04", "containerd", ["containerd", "runc", "containernetworking-plugins"]),
        ("Ubuntu 24.04", "docker", ["docker.io", "runc", "containernetworking-plugins"]),
        ("RHEL 9", "containerd", ["containerd.io", "containernetworking-plugins"]),
        ("AlmaLinux 9", "crio", ["cri-o", "containernetworking-plugins"]),
        (
            "Rocky 9",
            "docker",
            ["docker-ce", "docker-ce-cli", "containerd.io", "containernetworking-plugins"],
        ),
        (
            "Fedora 42",
            "containerd",
            ["containerd", "runc", "containernetworking-plugins", "cri-tools"],
        ),
        (
            "Fedora 42",
            "docker",
            ["moby-engine", "docker-cli", "runc", "containernetworking-plugins", "cri-tools"],
        ),
    ],
)
def test_packages(system, runtime, packages):
    tell = variables(system, runtime_spec={"runtime": runtime})
    assert tell("_runtime_wanted") == packages


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
def test_the_recorded_facts_have_the_family_of_ansible(facts):
    assert Distribution.OS_FAMILY[facts["distribution"]] == facts["os_family"]


@pytest.mark.parametrize("system", FACTS)
@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_each_system_has_packages_and_tasks_for_each_runtime(system, runtime):
    tell = variables(system, runtime_spec={"runtime": runtime})
    assert all(tell("_runtime_wanted"))
    jobs = (
        *("look", "repositories", "packages", "package_dir"),
        *("hold", "refuse", "release", "remove"),
    )
    for job in jobs:
        assert (ROLE / "tasks" / f"{job}-{tell('_runtime_family')}.yml").exists()


@pytest.mark.parametrize(
    ("version", "installed", "pending"),
    [
        ("", {"containerd": "1.6.20", "runc": "1"}, False),
        ("", {"containerd": "1.6.20"}, True),
        ("", {}, True),
        ("latest", {"containerd": "1.6.20", "runc": "1"}, False),
        ("1.7.*", {"containerd": "1.6.20~ds1", "runc": "1"}, True),
        ("1.7.*", {"containerd": "1.7.24~ds1-6+b4", "runc": "1"}, False),
        ("1.7.24~ds1-6+b4", {"containerd": "1.7.24~ds1-6+b4", "runc": "1"}, False),
        # A dot and a plus match only themselves.
        ("1.7.24~ds1-6+b4", {"containerd": "1.7.24~ds1-66b4", "runc": "1"}, True),
        ("1.7", {"containerd": "1.7.24", "runc": "1"}, True),
    ],
)
def test_an_installation_is_required(version, installed, pending):
    tell = variables(
        "Debian 13",
        runtime_spec={"runtime": "containerd"},
        runtime_extra_packages=["runc"],
        runtime_version=version,
        _runtime_installed=installed,
    )
    assert tell("_runtime_pending") is pending


@pytest.mark.parametrize(
    ("system", "listed", "installed", "due"),
    [
        ("Debian 13", "containerd=1.7.24*", "1.7.24~ds1-6", None),
        ("Debian 13", "containerd=1.7.24*", "1.7.25~ds1-6", "containerd=1.7.24*"),
        ("Debian 13", "containerd=1.7.24", "1.7.24~ds1-6", "containerd=1.7.24"),
        ("Debian 13", "containerd.io=5:1.7*", "5:1.7.24", None),
        ("Debian 13", "containerd.io=1.7*", "5:1.7.24", "containerd.io=1.7*"),
        # A dot in a version matches only a dot.
        ("Debian 13", "containerd.io=1", "1", None),
        ("Debian 13", "containerd=1.7", "147", "containerd=1.7"),
        # rpm reports no epoch; dnf accepts a version with and without an epoch or a release.
        ("Rocky 9", "containerd.io=1.7.24", "1.7.24-3.1.el9", None),
        ("Rocky 9", "containerd.io=1.7.24-3.1.el9", "1.7.24-3.1.el9", None),
        ("Rocky 9", "containerd.io=0:1.7.24-3.1.*", "1.7.24-3.1.el9", None),
        ("Rocky 9", "containerd.io=1.7.2", "1.7.24-3.1.el9", "containerd.io-1.7.2"),
        ("Rocky 9", "containerd.io=3:1.8*", "1.7.24-3.1.el9", "containerd.io-3:1.8*"),
    ],
)
@pytest.mark.parametrize("as_main", [False, True])
def test_a_package_with_another_version_is_installed(
    system, listed, installed, due, as_main
):
    name = listed.partition("=")[0]
    tell = variables(
        system,
        runtime_spec={"runtime": "docker"},
        runtime_packages=["main=2", listed] if as_main else ["main=2"],
        runtime_extra_packages=["extra"] if as_main else ["extra", listed],
        # The version of a package overrides runtime_version.
        runtime_version="9" if as_main else "",
        _runtime_installed={"main": "2", "extra": "3", name: installed},
    )
    requests = tell("_runtime_requests")
    assert [requests[name] for name in tell("_runtime_due")] == ([due] if due else [])
    assert tell("_runtime_pending") is bool(due)
    assert sorted(tell("_runtime_wanted")) == sorted(["main", "extra", name])
    assert tell("_runtime_main") == (["main", name] if as_main else ["main"])


def test_a_package_with_a_version_replaces_the_same_package_without_one():
    tell = variables(
        "Rocky 9",
        runtime_spec={"runtime": "docker"},
        # containerd.io is among the default extra packages too.
        runtime_packages=["docker-ce", "containerd.io=1.7.24"],
        runtime_version="28.*",
    )
    assert tell("_runtime_wanted") == ["docker-ce", "containerd.io", "containernetworking-plugins"]
    assert tell("_runtime_requests") == {
        "docker-ce": "docker-ce-28.*",
        "containerd.io": "containerd.io-1.7.24",
        "containernetworking-plugins": "containernetworking-plugins",
    }


def test_latest_upgrades_only_packages_without_a_version():
    tell = variables(
        "Debian 13",
        runtime_spec={"runtime": "docker"},
        runtime_packages=["docker-ce", "docker-ce-cli=28"],
        runtime_extra_packages=["containerd.io=1.7"],
        runtime_version="latest",
        _runtime_installed={"docker-ce": "1", "docker-ce-cli": "28", "containerd.io": "1.7"},
    )
    assert tell("_runtime_pending") is False
    assert tell("_runtime_due") == ["docker-ce"]


def test_packages_of_another_repository_replace_those_of_the_distribution():
    tell = variables(
        "Ubuntu 24.04",
        runtime_spec={"runtime": "docker"},
        runtime_packages=["docker-ce", "docker-ce-cli"],
        runtime_extra_packages=["containerd.io"],
    )
    assert tell("_runtime_wanted") == ["docker-ce", "docker-ce-cli", "containerd.io"]


@pytest.mark.parametrize(
    ("others", "released"),
    [([], ["docker-ce", "containerd.io"]), (["containerd"], ["docker-ce"])],
)
def test_holds_are_removed_with_the_last_runtime_that_may_need_them(others, released):
    tell = variables(
        "Rocky 9",
        runtime_spec={"runtime": "docker"},
        runtime_removed={"configured_runtimes": others},
        _runtime_held=["docker-ce", "containerd.io"],
    )
    assert tell("_runtime_released") == released


@pytest.mark.parametrize(
    ("wanted", "found", "due"),
    [
        ("1024 65535", "1024\t65535", []),
        ("1024\t65535", "1024\t65535", []),
        ("1024 65535", "32768\t60999", ["net.ipv4.ip_local_port_range = 1024 65535"]),
    ],
)
def test_kernel_parameters_with_several_values_are_compared_without_tabs(wanted, found, due):
    name = "net.ipv4.ip_local_port_range"
    tell = variables(
        "Debian 13",
        runtime_sysctls={name: wanted},
        _runtime_sysctl={"stdout_lines": [f"{name} = {found}"]},
    )
    lines, there = tell("_runtime_sysctl_lines"), tell("_runtime_sysctl_found")
    assert [line for line in lines if line not in there] == due
