# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of Docker that a second Docker tries before the running one is stopped."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.checks.docker_trial import find_keys

POOLS = [{"base": "10.0.0.0/16", "size": 24}]


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ({}, {"bip": "10.9.0.1/24"}, {"bip": "10.9.0.1/24"}),
        ({"bip": "x"}, {"bip": "x", "data-root": "/x"}, {}),
        # Keys that depend on each other are tried together.
        ({"bip": "x"}, {"bip": "x", "mtu": 1400}, {"bip": "x", "mtu": 1400}),
        ({}, {"default-address-pools": POOLS, "data-root": "/x"}, {"default-address-pools": POOLS}),
        # These keys depend on the network of the node.
        ({}, {"metrics-addr": "192.0.2.1:1", "bridge": "br0"}, {}),
        ({"log-driver": "journald"}, {}, {}),
    ],
)
def test_changed_keys_are_tried(before, after, keys):
    assert find_keys(before, after) == keys
