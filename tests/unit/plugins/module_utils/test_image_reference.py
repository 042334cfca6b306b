# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid and invalid image references."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    full_id,
    image_id,
    is_reference,
    normalised,
    spellings,
    split,
    trim_docker_io,
)

HEX = "0123456789abcdef" * 4


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
def test_valid_references(text):
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
def test_invalid_references(text):
    assert not is_reference(text)


# The rule of the distribution project. The table of prefixes in minikube has the same results.
@pytest.mark.parametrize(
    ("name", "full", "made_here"),
    [
        ("busybox:1", "docker.io/library/busybox:1", ["library/busybox:1", "busybox:1"]),
        ("user/img:tag", "docker.io/user/img:tag", ["user/img:tag"]),
        ("user/a/b", "docker.io/user/a/b:latest", ["user/a/b:latest"]),
        ("mylocalhost/x", "docker.io/mylocalhost/x:latest", ["mylocalhost/x:latest"]),
        (
            "registry.k8s.io",
            "docker.io/library/registry.k8s.io:latest",
            ["library/registry.k8s.io:latest", "registry.k8s.io:latest"],
        ),
        ("docker.io/busybox", "docker.io/library/busybox:latest", []),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9", []),
        ("reg:5000/x", "reg:5000/x:latest", []),
        ("localhost/x", "localhost/x:latest", []),
        ("localhost:5000/x", "localhost:5000/x:latest", []),
        ("Registry/x", "Registry/x:latest", []),
        ("[fd00::1]:5000/x:1", "[fd00::1]:5000/x:1", []),
    ],
)
def test_a_short_name_can_be_stored_below_localhost(name, full, made_here):
    assert spellings(name) == [full, *(f"localhost/{each}" for each in made_here)]


def test_docker_hub_is_removed_once():
    assert trim_docker_io("docker.io/docker.io/x") == "docker.io/x"
    assert trim_docker_io("quay.io/x") == "quay.io/x"


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("docker.io/busybox:1", "docker.io/library/busybox:1"),
        # The other host name of Docker Hub.
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/a/b:1", "docker.io/a/b:1"),
        ("a/b@sha256:" + HEX, "docker.io/a/b@sha256:" + HEX),
        ("localhost/a", "localhost/a:latest"),
        ("r:5000/a:1@sha256:" + HEX, "r:5000/a:1@sha256:" + HEX),
    ],
)
def test_a_fully_qualified_reference(name, full):
    assert normalised(name) == full


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("r:5000/a/b:1", ("r:5000/a/b", "1", "")),
        ("r:5000/a/b", ("r:5000/a/b", "", "")),
        ("a:1@sha256:" + HEX, ("a", "1", "sha256:" + HEX)),
    ],
)
def test_a_reference_is_split(name, parts):
    assert split(name) == parts


def test_an_id_is_not_a_reference():
    assert image_id(HEX) == image_id(f"sha256:{HEX}") == f"sha256:{HEX}"
    assert image_id("busybox") is None
    assert image_id(HEX[:12]) is None
    assert full_id(HEX) == f"sha256:{HEX}"
    assert full_id("busybox") == "busybox"
