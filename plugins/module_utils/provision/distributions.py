# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution of a node, and the packages of each runtime in it."""

from __future__ import annotations

import shlex
from typing import Literal, NamedTuple

#: A family has one package manager. The role has the tasks of each family.
Family = Literal["debian", "redhat"]

_CNI = "containernetworking-plugins"
#: By name in os-release: the packages of each runtime, and the packages that it needs.
_PACKAGES: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    # No suite of Debian has CRI-O or crictl.
    "debian": {
        "containerd": (["containerd"], ["runc", _CNI]),
        "crio": (["cri-o"], [_CNI]),
        "docker": (["docker.io", "docker-cli"], ["runc", _CNI]),
    },
    # docker.io contains the client.
    "ubuntu": {
        "containerd": (["containerd"], ["runc", _CNI]),
        "crio": (["cri-o"], [_CNI]),
        "docker": (["docker.io"], ["runc", _CNI]),
    },
    "fedora": {
        "containerd": (["containerd"], ["runc", _CNI, "cri-tools"]),
        "crio": (["cri-o"], [_CNI, "cri-tools"]),
        "docker": (["moby-engine", "docker-cli"], ["runc", _CNI, "cri-tools"]),
    },
    # RHEL and compatible distributions have no package of a runtime. containerd.io and docker-ce
    # come from the Docker repository, cri-o from the CRI-O repository. containerd.io contains runc
    # and conflicts with the package runc.
    "rhel": {
        "containerd": (["containerd.io"], [_CNI]),
        "crio": (["cri-o"], [_CNI]),
        "docker": (["docker-ce", "docker-ce-cli"], ["containerd.io", _CNI]),
    },
}
# The first Debian in which the client of Docker is a separate package.
_DEBIAN_WITH_CLIENT = 13
# A distribution that is like Fedora is a server distribution such as Oracle Linux.
_LIKE = {"debian": "debian", "ubuntu": "ubuntu", "rhel": "rhel", "centos": "rhel", "fedora": "rhel"}
_FAMILIES: dict[str, Family] = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "redhat",
    "rhel": "redhat",
}


class Distribution(NamedTuple):
    """Distribution of a node.

    :param name: name for messages.
    :param base: key of the table of packages; None if the distribution is not supported.
    :param major: first number of the version; None for a distribution without versions.
    """

    name: str
    base: str | None
    major: int | None

    @property
    def family(self) -> Family | None:
        return _FAMILIES.get(self.base or "")

    def list_packages(self, runtime: str) -> tuple[list[str], list[str]]:
        """Return the packages of a runtime, and the packages that it needs; empty if unknown."""
        main, extra = _PACKAGES.get(self.base or "", {}).get(runtime, ([], []))
        if self.base == "debian" and (self.major or _DEBIAN_WITH_CLIENT) < _DEBIAN_WITH_CLIENT:
            main = [name for name in main if name != "docker-cli"]
        return main, extra


def identify(os_release: str) -> Distribution:
    """Return the distribution that an os-release file describes."""
    values = _parse(os_release)
    names = [values.get("ID", "linux"), *values.get("ID_LIKE", "").split()]
    bases = (
        [names[0]] if names[0] in _PACKAGES else [_LIKE[name] for name in names if name in _LIKE]
    )
    major = values.get("VERSION_ID", "").partition(".")[0]
    return Distribution(
        values.get("NAME", names[0]),
        bases[0] if bases else None,
        int(major) if major.isdigit() else None,
    )


def _parse(os_release: str) -> dict[str, str]:
    """Return the values of an os-release file, which have the quotes of a shell."""
    pairs = (line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return {name.strip(): _unquote(value) for name, value in pairs if not name.startswith("#")}


def _unquote(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value
