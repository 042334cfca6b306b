# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions on packages, from the output of dpkg-query, rpm and dnf."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.provision import packages

# dpkg-query 1.22 on Debian 13, with a package that was removed.
DPKG = """\
containerd hold installed 1.7.24~ds1-6+deb13u1
docker-cli install installed 26.1.5+dfsg1-9+deb13u1+b1
docker.io deinstall config-files 26.1.5+dfsg1-9+deb13u1+b1
runc hold installed 1.1.15+ds1-2+b4
"""
RPM = """\
containerd.io 1.7.24-3.1.el9
package runc is not installed
"""
LOCKS_OF_DNF = {
    4: "# Added lock on Mon Nov 30 20:00:00 2026\ncontainerd.io-0:1.7.24-3.1.el9.*\n",
    5: "# Added by 'versionlock add' command on 2026-11-30\nPackage name: containerd.io\nevr = 1\n",
}


def decide(request, versions, held=(), family="debian", hold=True):
    found = packages.Installed(versions, list(held))
    return packages.decide(request, found, family, hold=hold, from_directory=False)


def test_dpkg():
    found = packages.parse_dpkg(DPKG)
    assert found.versions == {
        "containerd": "1.7.24~ds1-6+deb13u1",
        "docker-cli": "26.1.5+dfsg1-9+deb13u1+b1",
        "runc": "1.1.15+ds1-2+b4",
    }
    assert found.held == ["containerd", "runc"]


@pytest.mark.parametrize("dnf", LOCKS_OF_DNF)
def test_rpm_and_dnf(dnf):
    found = packages.parse_rpm(RPM, LOCKS_OF_DNF[dnf], ["containerd.io", "runc"])
    assert found.versions == {"containerd.io": "1.7.24-3.1.el9"}
    assert found.held == ["containerd.io"]
    assert not any("2026" in line for line in found.locks)


@pytest.mark.parametrize(
    ("version", "installed", "pending"),
    [
        ("", {"containerd": "1.6.20", "runc": "1"}, []),
        ("", {"containerd": "1.6.20"}, ["runc"]),
        ("", {}, ["containerd", "runc"]),
        ("latest", {"containerd": "1.6.20", "runc": "1"}, []),
        ("1.7.*", {"containerd": "1.6.20~ds1", "runc": "1"}, ["containerd"]),
        ("1.7.*", {"containerd": "1.7.24~ds1-6+b4", "runc": "1"}, []),
        ("1.7.24~ds1-6+b4", {"containerd": "1.7.24~ds1-6+b4", "runc": "1"}, []),
        # A dot and a plus match only themselves.
        ("1.7.24~ds1-6+b4", {"containerd": "1.7.24~ds1-66b4", "runc": "1"}, ["containerd"]),
        ("1.7", {"containerd": "1.7.24", "runc": "1"}, ["containerd"]),
    ],
)
def test_an_installation_is_required(version, installed, pending):
    decided = decide(packages.request(["containerd"], ["runc"], version), installed)
    assert decided["pending"] == pending
    assert decided["touched"] is bool(pending or version == "latest")


@pytest.mark.parametrize(
    ("family", "listed", "installed", "due"),
    [
        ("debian", "containerd=1.7.24*", "1.7.24~ds1-6", None),
        ("debian", "containerd=1.7.24*", "1.7.25~ds1-6", "containerd=1.7.24*"),
        ("debian", "containerd=1.7.24", "1.7.24~ds1-6", "containerd=1.7.24"),
        ("debian", "containerd.io=5:1.7*", "5:1.7.24", None),
        ("debian", "containerd.io=1.7*", "5:1.7.24", "containerd.io=1.7*"),
        # A dot in a version matches only a dot.
        ("debian", "containerd.io=1", "1", None),
        ("debian", "containerd=1.7", "147", "containerd=1.7"),
        # rpm reports no epoch; dnf accepts a version with and without an epoch or a release.
        ("redhat", "containerd.io=1.7.24", "1.7.24-3.1.el9", None),
        ("redhat", "containerd.io=1.7.24-3.1.el9", "1.7.24-3.1.el9", None),
        ("redhat", "containerd.io=0:1.7.24-3.1.*", "1.7.24-3.1.el9", None),
        ("redhat", "containerd.io=1.7.2", "1.7.24-3.1.el9", "containerd.io-1.7.2"),
        ("redhat", "containerd.io=3:1.8*", "1.7.24-3.1.el9", "containerd.io-3:1.8*"),
    ],
)
@pytest.mark.parametrize("as_main", [False, True])
def test_a_package_with_another_version_is_installed(family, listed, installed, due, as_main):
    name = listed.partition("=")[0]
    request = packages.request(
        ["main=2", listed] if as_main else ["main=2"],
        ["extra"] if as_main else ["extra", listed],
        # The version of a package overrides the version of all.
        "9" if as_main else "",
    )
    versions = {"main": "2", "extra": "3", name: installed}
    decided = decide(request, versions, family=family)
    assert [decided["requests"][name] for name in decided["changing"]] == ([due] if due else [])
    assert sorted(decided["names"]) == sorted(["main", "extra", name])
    assert decided["main"] == (["main", name] if as_main else ["main"])


def test_a_package_with_a_version_replaces_the_same_package_without_one():
    request = packages.request(["docker-ce"], ["containerd.io=1.7*", "containerd.io"], "")
    assert request.names == ["docker-ce", "containerd.io"]
    assert request.versions == {"containerd.io": "1.7*"}


def test_latest_upgrades_only_packages_without_a_version():
    request = packages.request(["docker-ce", "docker-ce-cli=28"], ["containerd.io=1.7"], "latest")
    decided = decide(request, {"docker-ce": "1", "docker-ce-cli": "28", "containerd.io": "1.7"})
    assert decided["pending"] == []
    assert decided["newest"] == decided["changing"] == ["docker-ce"]
    assert decided["touched"]


@pytest.mark.parametrize(
    ("hold", "held", "to_hold", "to_release"),
    [
        (True, ["containerd"], ["runc"], []),
        (True, ["containerd", "runc"], [], []),
        (False, ["containerd"], [], ["containerd"]),
        (False, [], [], []),
    ],
)
def test_holds(hold, held, to_hold, to_release):
    request = packages.request(["containerd"], ["runc", "missing"], "")
    decided = decide(request, {"containerd": "1", "runc": "1"}, held, hold=hold)
    # A package that is not installed cannot be held.
    assert (decided["to_hold"], decided["to_release"]) == (to_hold, to_release)
