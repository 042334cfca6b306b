# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runtime goes with which Kubernetes, and with which node. Pure."""

from __future__ import annotations

import re

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.versions import (
    Version,
    installed_version,
)

#: From this Kubernetes minor on, the kubelet needs what only this runtime version has.
_NEEDED = {
    # The kubelet asks the runtime for its cgroup driver and takes no for an answer no more.
    "containerd": ((36, "2.0.0"), (26, "1.6.0")),
}
#: The oldest patch of each containerd minor that the Kubernetes project lists for its own minor.
_LISTED = {
    32: ("1.6.36", "1.7.24", "2.0.0", "2.1.0"),
    33: ("1.6.36", "1.7.24", "2.0.0", "2.1.0"),
    34: ("1.6.39", "1.7.28", "2.0.6", "2.1.3"),
    35: ("1.7.28", "2.1.5", "2.2.0"),
    36: ("2.2.0", "2.3.0"),
}
#: CRI-O and Kubernetes share their minors; so far apart they may still work.
_CRIO_SKEW = 2
# In a user namespace: 5.11 mounts overlayfs there, 5.13 does so with SELinux too.
_ROOTLESS_KERNEL = (5, 11)
_GOOD_ROOTLESS_KERNEL = (5, 13)


class IncompatibleError(CruntimeError):
    """A version is too old for what the spec asks.

    :param service: what is too old.
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

    :param runtime: its name in a spec.
    :param installed: its version.
    :param kubernetes: the version of Kubernetes that the node is for, None if that was not said.
    :param cgroups: the version of the node's cgroups.
    :raises IncompatibleError: this can't work.
    """
    try:
        found = installed_version(installed)
    except ValueError as error:
        raise CruntimeError(
            f"the version of {runtime} can't be read: {error}", reason="version_unreadable"
        ) from error
    oldest = RUNTIMES[runtime].versions[0]
    if found < Version(oldest):
        raise IncompatibleError(runtime, installed, oldest)
    if kubernetes is None:
        return []
    wanted = Version(kubernetes)
    minor = wanted.minor if wanted.major == 1 else 0
    if cgroups == 1 and minor >= 35:
        raise IncompatibleError("cgroups", "v1", "v2", f" for Kubernetes {kubernetes}")
    for since, required in _NEEDED.get(runtime, ()):
        if minor >= since and found < Version(required):
            raise IncompatibleError(runtime, installed, required, f" for Kubernetes {kubernetes}")
    if runtime == "containerd":
        return _listed(found, minor)
    if runtime == "crio":
        return _skewed(found, minor)
    return []


def check_rootless(kernel: str) -> list[str]:
    """Check that a runtime can work inside a user namespace; return warnings.

    :param kernel: the release of the node's kernel.
    :raises IncompatibleError: it can't.
    """
    match = re.match(r"(\d+)\.(\d+)", kernel)
    if match is None:
        raise CruntimeError(
            f"the release of the kernel can't be read: {kernel!r}", reason="version_unreadable"
        )
    found = (int(match[1]), int(match[2]))
    if found < _ROOTLESS_KERNEL:
        raise IncompatibleError("kernel", kernel, "5.11", " for rootless")
    if found < _GOOD_ROOTLESS_KERNEL:
        return [f"kernel {kernel} is old for rootless: 5.13 or newer is recommended"]
    return []


def _listed(found: Version, minor: int) -> list[str]:
    listed = [Version(text) for text in _LISTED.get(minor, ())]
    if not listed or (found.major, found.minor) > (listed[-1].major, listed[-1].minor):
        return []
    for version in listed:
        if (found.major, found.minor) == (version.major, version.minor) and found >= version:
            return []
    names = ", ".join(version.text for version in listed)
    return [
        f"Kubernetes 1.{minor} is made for containerd {names} or newer patches, not {found.text}"
    ]


def _skewed(found: Version, minor: int) -> list[str]:
    if found.minor == minor:
        return []
    if found.minor < minor - _CRIO_SKEW:
        required = f"1.{minor - _CRIO_SKEW}.0"
        raise IncompatibleError("crio", found.text, required, f" for Kubernetes 1.{minor}")
    return [f"CRI-O {found.text} is made for Kubernetes 1.{found.minor}, not 1.{minor}"]
