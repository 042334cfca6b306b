# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the role switch for the real kubectl, with a stand-in for the API server."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.cruntime.node.tests.nodes.cluster import api_server
from ansible_collections.cruntime.node.tests.unit.roles import playing

TASKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cruntime.node.switch
        tasks_from: "{{ item }}"
      loop: "{{ files }}"
"""
NODE = "/api/v1/nodes/node-1"


@pytest.fixture
def play(tmp_path):
    """Return a function that runs task files on a cluster and returns the status and output."""
    if not shutil.which("kubectl"):
        if "kubectl" in os.environ.get("CRUNTIME_TEST_REQUIRE", "").split(","):
            pytest.fail("kubectl is not installed")
        pytest.skip("kubectl is not installed")

    def run(cluster, *files, check=False, **variables):
        with api_server.served(cluster):
            variables = {
                "files": files,
                "switch_kubeconfig": cluster.kubeconfig(tmp_path / "kubeconfig"),
                "switch_node_name": "node-1",
                "switch_ready_timeout": 2,
                "_switch_old": {"cordoned": cluster.cordoned},
                **variables,
            }
            return playing.play(tmp_path, TASKS, variables, *["--check"] * check)

    return run


def test_a_node_is_drained_and_uncordoned(play):
    cluster = api_server.Cluster("node-1")
    status, output = play(cluster, "drain", "uncordon")
    assert status == 0, output
    # The pod of the DaemonSet stays.
    assert list(cluster.pods) == ["log"]
    evicted = "POST /api/v1/namespaces/default/pods/web/eviction"
    assert cluster.changes == [f"PATCH {NODE}", evicted, f"PATCH {NODE}"]
    assert not cluster.cordoned


def test_check_mode_lists_the_pods_to_evict_and_changes_nothing(play):
    cluster = api_server.Cluster("node-1")
    status, output = play(cluster, "drain", "uncordon", check=True)
    assert status == 0, output
    assert "changed=1" in output
    assert cluster.changes == []


def test_a_drain_fails_if_a_disruption_budget_prevents_it(play):
    cluster = api_server.Cluster("node-1", protected=("web",))
    flags = ["--ignore-daemonsets", "--timeout=2s"]
    status, output = play(cluster, "drain", "uncordon", switch_drain_flags=flags)
    assert status != 0
    assert "disruption budget" in output
    assert set(cluster.pods) == {"log", "web"}


def test_a_node_that_was_cordoned_before_stays_cordoned(play):
    cluster = api_server.Cluster("node-1", cordoned=True)
    status, output = play(cluster, "drain", "uncordon")
    assert status == 0, output
    assert cluster.cordoned


def test_a_node_that_does_not_become_ready_stays_cordoned(play):
    cluster = api_server.Cluster("node-1", ready=False)
    status, output = play(cluster, "drain", "uncordon")
    assert status != 0
    assert "timed out waiting for the condition" in output
    assert cluster.cordoned
