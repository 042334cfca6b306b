# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the version of a runtime against Kubernetes and the node. Pure functions."""

from __future__ import annotations

import re

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
    installed_version,
)

#: Minimum version of a runtime from a Kubernetes minor version on.
_NEEDED = {
    # From Kubernetes 1.36 on, the runtime must report its cgroup driver to the kubelet.
    "containerd": ((36, "2.0.0"), (26, "1.6.0")),
}
#: By Kubernetes minor version, the oldest patch of each containerd minor version that the project
#: lists as compatible.
_LISTED = {
    32: ("1.6.36", "1.7.24", "2.0.0", "2.1.0"),
    33: ("1.6.36", "1.7.24", "2.0.0", "2.1.0"),
    34: ("1.6.39", "1.7.28", "2.0.6", "2.1.3"),
    35: ("1.7.28", "2.1.5", "2.2.0"),
    36: ("2.2.0", "2.3.0"),
}
#: Kubernetes minor version from which the kubelet by default does not start with cgroups v1.
NO_CGROUPS_V1_SINCE = 35
#: Maximum difference between the minor versions of CRI-O and Kubernetes.
_CRIO_SKEW = 2
# In a user namespace, Linux 5.11 can mount overlayfs, and 5.13 also with SELinux.
_ROOTLESS_KERNEL = (5, 11)
_GOOD_ROOTLESS_KERNEL = (5, 13)


class IncompatibleError(CruntimeError):
    """Error of a component that is too old for the spec.

    :param service: the component.
    """

    def __init__(self, service: str, installed: str, required: str, why: str = "") -> None:
        super().__init__(
            f"{service} {installed} is too old{why}: {required} or newer is required",
            reason="version_incompatible",
            service=service,
            installed=installed,
            required=required,
        )


def check(runtime: str, installed: str, kubernetes: str | None, cgroups: int) -> list[str]:
    """Check versions against each other; return warnings.

    :param runtime: name of the runtime in a spec.
    :param installed: version of the runtime.
    :param kubernetes: Kubernetes version of the node, None if the spec has none.
    :param cgroups: version of the node's cgroups.
    :raises IncompatibleError: if the versions are incompatible.
    """
    try:
        found = installed_version(installed)
    except ValueError as error:
        raise CruntimeError(
            f"Could not parse the version of {runtime}: {error}", reason="version_unreadable"
        ) from error
    oldest = RUNTIMES[runtime].versions[0]
    if found < Version(oldest):
        raise IncompatibleError(runtime, installed, oldest)
    if kubernetes is None:
        return []
    wanted = Version(kubernetes)
    minor = wanted.minor if wanted.major == 1 else 0
    for since, required in _NEEDED.get(runtime, ()):
        if minor >= since and found < Version(required):
            raise IncompatibleError(runtime, installed, required, f" for Kubernetes {kubernetes}")
    warnings = []
    if cgroups == 1 and minor >= NO_CGROUPS_V1_SINCE:
        warnings.append(
            f"cgroups v1: by default, the kubelet of Kubernetes {kubernetes} does not start with "
            "them. kubelet_config has failCgroupV1: false. Boot the node with cgroups v2"
        )
    if runtime == "containerd":
        warnings += _check_containerd_patch(found, minor)
    if runtime == "crio":
        warnings += _check_crio_skew(found, minor)
    return warnings


def check_rootless(kernel: str) -> list[str]:
    """Check that the kernel supports a runtime inside a user namespace; return warnings.

    :param kernel: release of the node's kernel.
    :raises IncompatibleError: if the kernel is too old.
    """
    match = re.match(r"(\d+)\.(\d+)", kernel)
    if match is None:
        raise CruntimeError(
            f"Could not parse the release of the kernel: {kernel!r}", reason="version_unreadable"
        )
    found = (int(match[1]), int(match[2]))
    if found < _ROOTLESS_KERNEL:
        raise IncompatibleError("kernel", kernel, "5.11", " for rootless")
    if found < _GOOD_ROOTLESS_KERNEL:
        return [f"kernel {kernel} is old for the option rootless. Use 5.13 or newer"]
    return []


def _check_containerd_patch(found: Version, minor: int) -> list[str]:
    listed = [Version(text) for text in _LISTED.get(minor, ())]
    if not listed or (found.major, found.minor) > (listed[-1].major, listed[-1].minor):
        return []
    for version in listed:
        if (found.major, found.minor) == (version.major, version.minor) and found >= version:
            return []
    names = ", ".join(version.text for version in listed)
    return [
        f"containerd {found.text} is not listed as compatible with Kubernetes 1.{minor}. "
        f"Use {names} or a newer patch release"
    ]


def _check_crio_skew(found: Version, minor: int) -> list[str]:
    if found.minor == minor:
        return []
    if found.minor < minor - _CRIO_SKEW:
        required = f"1.{minor - _CRIO_SKEW}.0"
        raise IncompatibleError("crio", found.text, required, f" for Kubernetes 1.{minor}")
    return [
        f"CRI-O {found.text} is intended for Kubernetes 1.{found.minor}. "
        f"Use CRI-O 1.{minor} with Kubernetes 1.{minor}"
    ]
