# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution of a node, from os-release, and the packages of each runtime.

The files of Debian are from its public images. The other ones were written by hand in the same
format, because the tests have no such nodes.
"""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.provision.distributions import identify

DEBIAN = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"""
OS_RELEASES = {
    "Debian 12": DEBIAN,
    "Debian 13": DEBIAN.replace("12", "13"),
    "Debian sid": 'NAME="Debian GNU/Linux"\nID=debian\n',
    "Raspbian 12": 'NAME="Raspbian GNU/Linux"\nVERSION_ID="12"\nID=raspbian\nID_LIKE=debian\n',
    "Ubuntu 24.04": 'NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n',
    "Linux Mint 22": 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n',
    "RHEL 9": 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n',
    "Rocky 9": 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n',
    "Oracle 9": "NAME='Oracle Linux Server'\nID='ol'\nID_LIKE='fedora'\nVERSION_ID='9.4'\n",
    "Amazon 2023": 'NAME="Amazon Linux"\nID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n',
    "Fedora 42": 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=42\n',
}
CNI = "containernetworking-plugins"


@pytest.mark.parametrize(
    ("system", "runtime", "packages"),
    [
        ("Debian 12", "containerd", (["containerd"], ["runc", CNI])),
        ("Debian 12", "docker", (["docker.io"], ["runc", CNI])),
        ("Debian 13", "docker", (["docker.io", "docker-cli"], ["runc", CNI])),
        ("Debian sid", "docker", (["docker.io", "docker-cli"], ["runc", CNI])),
        ("Debian 13", "crio", (["cri-o"], [CNI])),
        ("Raspbian 12", "containerd", (["containerd"], ["runc", CNI])),
        ("Ubuntu 24.04", "docker", (["docker.io"], ["runc", CNI])),
        ("Linux Mint 22", "docker", (["docker.io"], ["runc", CNI])),
        ("RHEL 9", "containerd", (["containerd.io"], [CNI])),
        ("Rocky 9", "docker", (["docker-ce", "docker-ce-cli"], ["containerd.io", CNI])),
        ("Oracle 9", "crio", (["cri-o"], [CNI])),
        ("Amazon 2023", "containerd", (["containerd.io"], [CNI])),
        ("Fedora 42", "containerd", (["containerd"], ["runc", CNI, "cri-tools"])),
        ("Fedora 42", "docker", (["moby-engine", "docker-cli"], ["runc", CNI, "cri-tools"])),
    ],
)
def test_packages(system, runtime, packages):
    assert identify(OS_RELEASES[system]).list_packages(runtime) == packages


@pytest.mark.parametrize("system", OS_RELEASES)
def test_family(system):
    is_debian = system.startswith(("Debian", "Raspbian", "Ubuntu", "Linux Mint"))
    assert identify(OS_RELEASES[system]).family == ("debian" if is_debian else "redhat")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME="Alpine Linux"\nID=alpine\n', "Alpine Linux"),
        ("# ID=debian\nID=arch\n", "arch"),
        ('ID="unclosed\n', '"unclosed'),
        ("", "linux"),
    ],
)
def test_a_distribution_that_is_not_supported(text, name):
    found = identify(text)
    assert (found.name, found.family, found.list_packages("docker")) == (name, None, ([], []))
