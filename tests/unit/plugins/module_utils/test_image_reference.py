# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names an image and what does not."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import is_reference


@pytest.mark.parametrize(
    "text",
    [
        "busybox",
        "busybox:1.36",
        "user/img:tag",
        "registry.k8s.io/pause:3.10",
        "reg.local:5000/a/b__c/d-e",
        "[2001:db8::1]:5000/pause:3.9",
        "Registry.Local/pause",
        "localhost/x@sha256:" + "0" * 64,
        "localhost/x:1@sha256:" + "a" * 64,
    ],
)
def test_names_an_image(text):
    assert is_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-rf",
        "Busybox",
        "a b",
        "a\n",
        "pause:3.10\nSystemdCgroup = true",
        'pause:3.10"',
        "pause:3.10'",
        "pause:",
        "pause:" + "x" * 129,
        "pause@sha256:abc",
        "x@sha256:" + "0" * 64 + "@sha256:" + "0" * 64,
        "reg:5000//x",
        "/x",
        "päuse",
    ],
)
def test_names_no_image(text):
    assert not is_reference(text)
