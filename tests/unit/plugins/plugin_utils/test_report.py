# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a node, for any result of the two tasks that read the node."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.plugin_utils import report

CONTAINERD = {
    "installed": True,
    "version": "1.7.24",
    "active": True,
    "enabled": True,
    "socket_path": "/run/containerd/containerd.sock",
    "cri_endpoint": "unix:///run/containerd/containerd.sock",
    "cgroup_driver": "systemd",
    "kubelet_options": {},
}
ABSENT = {**CONTAINERD, "installed": False, "version": None, "active": False, "enabled": False}
INFO = {"runtimes": {"containerd": CONTAINERD, "docker": ABSENT}, "running": ["containerd"]}
PLAN = {
    "changed": False,
    "runtime": "containerd",
    "cgroup_driver": "systemd",
    "units": [],
    "diff": [],
}
KEYS = {"state", "error", "runtimes", "spec_runtime", "drift", "units", "images_missing"}


def row(**plan):
    """Return the summary of a running node with these values in its plan."""
    return summarize_node(INFO, {**PLAN, **plan})


def summarize_node(info, plan):
    result = report.summarize_node(info, plan)
    assert set(result) == KEYS
    json.dumps(result, allow_nan=False)
    return result


def test_a_node_that_matches_its_spec():
    found = row()
    assert (found["state"], found["error"], found["spec_runtime"]) == ("ok", None, "containerd")
    assert found["runtimes"] == [
        {
            "name": "containerd",
            "version": "1.7.24",
            "cgroup_driver": "systemd",
            "socket_path": "/run/containerd/containerd.sock",
            "enabled": True,
        }
    ]


def test_drifted_files_and_units():
    up = {"active": True, "enabled": True, "masked": False}
    path = "/etc/containerd/config.toml"
    why = f"{path} changed"
    found = row(
        units=[{"name": "containerd.service", "before": up, "after": up, "cause": why}],
        diff=[{"after_header": path, "before": "a = 1", "after": "a = 2"}],
    )
    assert found["state"] == "drift"
    assert found["drift"] == [
        {"kind": "differs", "source": "file", "file": path, "key": "a", "current": 1, "desired": 2}
    ]
    state = "active, enabled"
    assert found["units"] == [
        {"name": "containerd.service", "current": state, "desired": state, "cause": why}
    ]


@pytest.mark.parametrize(
    ("before", "current"),
    [
        ({"active": False, "enabled": True, "masked": True}, "inactive, masked"),
        ({"active": True, "enabled": False, "masked": False}, "active, disabled"),
    ],
)
def test_a_changed_unit_alone_is_drift(before, current):
    after = {"active": True, "enabled": True, "masked": False}
    unit = {"name": "docker.service", "before": before, "after": after, "cause": "asked for"}
    found = row(units=[unit])
    assert (found["state"], found["units"][0]["current"]) == ("drift", current)


OVERRIDDEN = {
    "source": "file",
    "file": "/etc/containerd/conf.d/x.toml",
    "key": "debug.level",
    "current": "warn",
    "desired": "info",
}
ENTRY = {"kind": "overridden", **OVERRIDDEN}


def test_a_value_that_the_process_does_not_use_yet_is_drift():
    pending = {"key": "debug.level", "current": "warn", "desired": "info"}
    entry = {"kind": "pending", "source": "process", "file": None, **pending}
    assert row(pending=[pending])["drift"] == [entry]


def test_a_value_that_may_differ_in_the_process_is_drift():
    unknown = {"key": "debug.level", "current": None, "desired": "info", "file": "/etc/containerd"}
    found = row(unknown=[{**unknown, "source": "file"}])
    assert found["state"] == "drift"
    assert found["drift"] == [{"kind": "unknown", "source": "file", **unknown}]


def test_an_overridden_key_that_no_option_sets_is_drift():
    found = row(overridden=[OVERRIDDEN])
    assert (found["state"], found["drift"], found["error"]) == ("drift", [ENTRY], None)


def test_an_overridden_option_is_drift_with_the_error():
    plan = {"failed": True, "msg": "setting overridden", "overridden": [OVERRIDDEN]}
    found = report.summarize_node(INFO, plan)
    assert (found["state"], found["drift"]) == ("drift", [ENTRY])
    assert found["error"] == "setting overridden"


def test_no_spec():
    found = summarize_node(INFO, None)
    assert (found["state"], found["spec_runtime"]) == ("unspecified", None)
    assert found["runtimes"][0]["name"] == "containerd"


def test_no_runtime():
    info = {"runtimes": {"containerd": ABSENT, "docker": ABSENT}, "running": []}
    found = summarize_node(
        info, {"failed": True, "msg": "containerd is not installed on this node"}
    )
    assert (found["state"], found["runtimes"]) == ("failed", [])
    assert found["error"] == "containerd is not installed on this node"
    assert summarize_node(info, None)["state"] == "unspecified"


def test_unreachable():
    found = report.unreachable("ssh: http://me:hunter2@h timed out")
    assert set(found) == KEYS
    assert (found["state"], found["runtimes"]) == ("unreachable", None)
    assert found["error"] == "ssh: http://(not shown)@h timed out"


def test_a_node_that_cannot_be_checked():
    for info in ({"failed": True, "msg": "no Python"}, {"failed": True}, {}):
        found = summarize_node(info, None)
        assert (found["state"], found["runtimes"]) == ("failed", None)
        assert found["error"]


def test_no_secret_in_an_error():
    plan = {"failed": True, "msg": "proxy http://me:hunter2@proxy:3128 does not answer"}
    assert "hunter2" not in str(summarize_node(INFO, plan))


@pytest.mark.parametrize(
    ("found", "state", "missing"),
    [
        ({"images": [{"name": "r.test/a:1"}, {"name": "r.test/b:1"}]}, "ok", []),
        ({"images": [{"name": "r.test/b:1"}]}, "drift", ["r.test/a:1"]),
        ({"failed": True, "msg": "crictl is not on this node", "images": []}, "failed", None),
    ],
)
def test_missing_images(found, state, missing):
    images = report.Images(["r.test/a:1", "r.test/b:1"], found)
    result = report.summarize_node(INFO, PLAN, images)
    assert (result["state"], result["images_missing"]) == (state, missing)


def test_the_reason_why_images_are_unknown():
    images = report.Images(["a"], {"failed": True, "msg": "http://me:hunter2@h timed out"})
    up = {"active": True, "enabled": True, "masked": False}
    unit = {"name": "crio.service", "before": up, "after": up, "cause": "asked for"}
    for plan, state in ((PLAN, "failed"), ({**PLAN, "units": [unit]}, "drift")):
        result = report.summarize_node(INFO, plan, images)
        assert result["error"] == "images: http://(not shown)@h timed out"
        assert (result["state"], result["spec_runtime"]) == (state, "containerd")


def test_without_requested_images_none_are_missing():
    assert row()["images_missing"] == []
