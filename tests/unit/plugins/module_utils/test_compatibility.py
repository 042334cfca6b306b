# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compatible versions of runtimes, Kubernetes and kernels."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.compatibility import (
    check,
    check_rootless,
)
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


@pytest.mark.parametrize(
    ("runtime", "installed", "kubernetes", "cgroups"),
    [
        ("containerd", "1.6.0", None, 1),
        ("containerd", "1.7.28", "1.34.2", 1),
        ("containerd", "1.7.28", "v1.35.0", 2),
        ("containerd", "2.1.9+unknown", "1.35.0", 2),
        ("containerd", "2.2.1", "1.36.0", 2),
        ("containerd", "2.4.0", "1.36.0", 2),
        ("containerd", "1.6.20", "1.29.0", 1),
        ("docker", "20.10.24+dfsg1", "1.23.0", 1),
        ("docker", "28.5.2+dfsg4", "1.36.0", 2),
        ("crio", "1.36.3", "1.36.0", 2),
        ("containerd", "2.4.2", "1.37.0", 2),
        ("crio", "1.37.0", "1.37.1", 2),
        ("docker", "29.8.1", "1.37.0", 2),
        ("docker", "29.8.1", "1.34.9", 1),
    ],
)
def test_compatible_versions(runtime, installed, kubernetes, cgroups):
    assert check(runtime, installed, kubernetes, cgroups) == []


@pytest.mark.parametrize(
    ("runtime", "installed", "kubernetes", "cgroups", "facts"),
    [
        ("containerd", "1.5.9", None, 2, ("containerd", "1.5.9", "1.6.0")),
        ("containerd", "1.6.0-rc.1", None, 2, ("containerd", "1.6.0-rc.1", "1.6.0")),
        ("docker", "19.03.15", None, 2, ("docker", "19.03.15", "20.10.0")),
        ("crio", "1.27.9", None, 2, ("crio", "1.27.9", "1.28.0")),
        ("containerd", "1.7.28", "1.36.0", 2, ("containerd", "1.7.28", "2.0.0")),
        ("crio", "1.30.0", "1.33.1", 2, ("crio", "1.30.0", "1.31.0")),
    ],
)
def test_incompatible_versions(runtime, installed, kubernetes, cgroups, facts):
    with fails("version_incompatible", *facts) as caught:
        check(runtime, installed, kubernetes, cgroups)
    assert caught.value.facts == dict(zip(("service", "installed", "required"), facts))


@pytest.mark.parametrize(
    ("runtime", "installed", "kubernetes"),
    [
        ("containerd", "1.7.24", "1.34.0"),
        ("containerd", "2.1.2", "1.34.0"),
        ("crio", "1.34.0", "1.36.0"),
        ("crio", "1.37.0", "1.36.0"),
    ],
)
def test_versions_with_a_warning(runtime, installed, kubernetes):
    assert len(check(runtime, installed, kubernetes, 2)) == 1


@pytest.mark.parametrize(
    ("runtime", "installed"), [("containerd", "2.2.0"), ("docker", "28.5.2"), ("crio", "1.35.0")]
)
def test_cgroups_v1_with_a_kubernetes_that_does_not_start_with_them(runtime, installed):
    (warning,) = check(runtime, installed, "1.35.0", 1)
    assert "failCgroupV1: false" in warning


@pytest.mark.parametrize(
    ("kernel", "warnings"),
    [("5.11", 1), ("5.11.0-27-generic", 1), ("5.12.19", 1), ("5.13.0", 0), ("6.1.0-41-amd64", 0)],
)
def test_kernel_that_supports_rootless(kernel, warnings):
    assert len(check_rootless(kernel)) == warnings


@pytest.mark.parametrize("kernel", ["5.10.0-36-amd64", "4.18.0-553.el8.x86_64", "5.4.0"])
def test_kernel_that_does_not_support_rootless(kernel):
    with fails("version_incompatible", kernel, "5.11") as caught:
        check_rootless(kernel)
    assert caught.value.facts == {"service": "kernel", "installed": kernel, "required": "5.11"}


def test_kernel_of_another_system():
    with fails("version_unreadable", "next"):
        check_rootless("next")


def test_invalid_version():
    with fails("version_unreadable", "containerd", "main"):
        check("containerd", "main", None, 2)
