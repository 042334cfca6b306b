# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings with which the CRI of containerd 2.1 and newer pulls without the image verifiers."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import dump
from ansible_collections.cruntime.node.plugins.module_utils.effective import compare, verifiers
from ansible_collections.cruntime.node.plugins.module_utils.effective.containerd import (
    ContainerdEffective,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
    normalize,
)

IMAGES = ("plugins", "io.containerd.cri.v1.images")
VERIFIERS = ("plugins", "io.containerd.image-verifier.v1.bindir")


@pytest.fixture(params=["2.1.9", "2.4.2"])
def filed(request, transcript):
    printed = transcript(f"containerd-{request.param}-config-dump.toml")
    return compare.flatten(dump.parse(printed), Equivalences("containerd", request.param))


def test_the_default_configuration_uses_the_verifiers(filed):
    assert verifiers.find_local_pull(filed) is None


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        (("use_local_image_pull",), True, "Remove"),
        (("disable_snapshot_annotations",), False, "Remove"),
        (("discard_unpacked_layers",), True, "Remove"),
        (("image_pull_with_sync_fs",), True, "Remove"),
        (("max_concurrent_downloads",), 10, "io.containerd.transfer.v1.local"),
        (("registry", "configs", "registry.test", "auth", "username"), "x", "kubelet"),
        (("registry", "mirrors", "registry.test", "endpoint"), ["x"], "registries"),
        (("registry", "auths", "registry.test", "auth"), "x", "kubelet"),
    ],
)
def test_a_key_that_disables_the_verifiers_is_found(filed, key, value, advice):
    found, cure = verifiers.find_local_pull({**filed, normalize((*IMAGES, *key)): value})
    assert found == (*IMAGES, *key[:2])
    assert advice in cure


@pytest.mark.parametrize(("version", "is_found"), [("2.0.4", False), ("2.1.9", True)])
def test_verifiers_without_effect_are_a_warning(tmp_path, version, is_found):
    effective = ContainerdEffective.__new__(ContainerdEffective)
    effective.equivalences = Equivalences("containerd", version)
    leaves = {
        normalize((*VERIFIERS, "bin_dir")): str(tmp_path),
        normalize((*IMAGES, "max_concurrent_downloads")): 8,
    }
    assert effective.find_conflicts({}, leaves, None) == []
    (tmp_path / "cosign").touch()
    found = effective.find_conflicts({}, leaves, None)
    assert bool(found) is is_found
    assert all(str(tmp_path) in each and "max_concurrent_downloads" in each for each in found)
    assert all("cosign" in each for each in found)
