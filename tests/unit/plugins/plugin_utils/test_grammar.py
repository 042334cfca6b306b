# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts, URLs and references, as the validation of options defines them."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    is_host,
    normalised,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import split_port, split_url


@pytest.mark.parametrize("text", ["r.io", "localhost:5000", "10.0.0.1", "[::1]:5000", "Reg-1.io"])
def test_valid_hosts(text):
    assert is_host(text)


@pytest.mark.parametrize("text", ["", "-x", "a b", "a/b", "a_b", "a:", "::1", "a:b", "h\n", "é.de"])
def test_invalid_hosts(text):
    assert not is_host(text)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.2", "docker.io/library/busybox:1.2"),
        ("user/img", "docker.io/user/img:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("docker.io/library/busybox:1", "docker.io/library/busybox:1"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("reg:5000/x", "reg:5000/x:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("Reg/x", "Reg/x:latest"),
        ("r.io/x@sha256:" + "0" * 64, "r.io/x@sha256:" + "0" * 64),
    ],
)
def test_fully_qualified_references(text, full):
    assert normalised(text) == full
    assert normalised(full) == full


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("h:80", ("h", 80)),
        ("[::1]:80", ("[::1]", 80)),
        ("h", ("h", None)),
        ("[::1]", ("[::1]", None)),
        ("h:", ("h:", None)),
        ("h:x", ("h:x", None)),
        ("h:" + "9" * 5000, ("h", 999999)),
    ],
)
def test_split_port(host, parts):
    assert split_port(host) == parts


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://h", ("https", "h", "")),
        ("http://h:1/", ("http", "h:1", "/")),
        ("http://h/a/b", ("http", "h", "/a/b")),
    ],
)
def test_split_url(url, parts):
    assert split_url(url) == parts
