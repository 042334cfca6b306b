# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift filters, called from a template."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.filter import drift


def test_drift():
    of_result = drift.FilterModule().filters()["drift"]
    diff = {"after_header": "/etc/docker/daemon.json", "before": "", "after": '{"debug": true}'}
    assert of_result({"diff": [diff]}) == [
        {
            "kind": "differs",
            "source": "file",
            "file": "/etc/docker/daemon.json",
            "key": "debug",
            "current": None,
            "desired": True,
        }
    ]
    for result in ({}, {"diff": [{}]}, None, "text"):
        with pytest.raises(AnsibleFilterError, match="cruntime_enable"):
            of_result(result)
