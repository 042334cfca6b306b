# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of the kubelet's configuration file that options set."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.kubelet import find_fields


@pytest.mark.parametrize("runtime", ["containerd", "crio"])
@pytest.mark.parametrize(
    ("logs", "fields"),
    [
        ({"max_size": "100m", "max_files": 3}, ("100Mi", 3)),
        ({"max_size": "10k"}, ("10Ki", None)),
        ({"max_size": "2g", "max_files": None}, ("2Gi", None)),
        ({"max_size": "1048576"}, ("1048576", None)),
        (None, (None, None)),
    ],
)
def test_the_kubelet_rotates_the_logs(runtime, logs, fields):
    found = find_fields({"runtime": runtime, "container_logs": logs})
    assert (found.get("containerLogMaxSize"), found.get("containerLogMaxFiles")) == fields


def test_docker_rotates_its_logs_itself():
    assert find_fields({"runtime": "docker", "container_logs": {"max_size": "1m"}}) == {}


@pytest.mark.parametrize(
    ("kubernetes", "parallel", "fields"),
    [
        ("1.34.0", 4, {"serializeImagePulls": False, "maxParallelImagePulls": 4}),
        ("1.27.0", 1, {"serializeImagePulls": True, "maxParallelImagePulls": 1}),
        (None, 2, {"serializeImagePulls": False, "maxParallelImagePulls": 2}),
        # Older kubelets do not have the second field.
        ("1.26.9", 1, {"serializeImagePulls": True}),
        ("1.34.0", None, {}),
    ],
)
def test_parallel_pulls(kubernetes, parallel, fields):
    spec = {"kubernetes_version": kubernetes, "image_pulls": {"parallel": parallel}}
    assert find_fields({"runtime": "docker", **spec}) == fields


def test_limits_of_the_garbage_collection():
    image_gc = {"high_percent": 70, "low_percent": None}
    found = find_fields({"runtime": "crio", "image_gc": image_gc})
    assert found == {"imageGCHighThresholdPercent": 70}
    found = find_fields({"runtime": "crio", "image_gc": {"high_percent": 1, "low_percent": 0}})
    assert found == {"imageGCHighThresholdPercent": 1, "imageGCLowThresholdPercent": 0}
