# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters and tests for images and kubelets, called from a template."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.filter import image_reference, kubelet_flags
from ansible_collections.cruntime.node.plugins.test import image_reference as image_reference_test

DIGEST = "sha256:" + "0123456789abcdef" * 4
in_full = image_reference.FilterModule().filters()["image_reference"]
flags = kubelet_flags.FilterModule().filters()["kubelet_flags"]
is_reference = image_reference_test.TestModule().tests()["image_reference"]


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("me/app:1", "docker.io/me/app:1"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("dev.local:5000/app", "dev.local:5000/app:latest"),
        (f"quay.io/app@{DIGEST}", f"quay.io/app@{DIGEST}"),
    ],
)
def test_a_reference_is_fully_qualified(short, full):
    assert in_full(short) == full
    assert is_reference(short)


@pytest.mark.parametrize("wrong", ["", "-x", "Busybox", "a b", "a@sha256:12", None, 3, ["busybox"]])
def test_an_invalid_reference_is_rejected(wrong):
    assert not is_reference(wrong)
    with pytest.raises(AnsibleFilterError, match=re.escape(repr(wrong))):
        in_full(wrong)


def test_kubelet_options_become_sorted_flags():
    options = {
        "container-runtime-endpoint": "unix:///run/containerd/containerd.sock",
        "container-runtime": "remote",
        "serialize-image-pulls": False,
    }
    assert flags(options) == [
        "--container-runtime=remote",
        "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
        "--serialize-image-pulls=false",
    ]
    assert flags({}) == []


def test_flags_that_are_not_a_dictionary_are_rejected():
    with pytest.raises(AnsibleFilterError, match=r"kubelet_flags: v\b"):
        flags({"v": None})
    with pytest.raises(AnsibleFilterError, match=r"kubelet_flags .*str$"):
        flags("--container-runtime=remote")
