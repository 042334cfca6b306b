# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's client: which engine is meant, and what may be missing."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils import docker_cli
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


class Answers:
    """A runner of a client that answers so."""

    def __init__(self, *result):
        self.result = Result(*result)
        self.asked = []

    def run(self, *argv):
        self.asked.append(argv)
        return self.result


def test_the_nodes_own_engine_is_asked_for_each_once():
    runner = Answers(0, "[]", "")
    assert docker_cli.inspect(runner, "image", ["a", "b", "a"], "--format", "x") == "[]"
    (argv,) = runner.asked
    assert argv[:3] == ("docker", "--host", "unix:///run/docker.sock")
    assert argv[3:] == ("image", "inspect", "--format", "x", "a", "b")


def test_nobody_is_asked_for_nothing():
    runner = Answers(0, "[]", "")
    assert docker_cli.inspect(runner, "image", []) == ""
    assert runner.asked == []


def test_what_went_away_meanwhile_is_left_out():
    runner = Answers(1, "[1]", "Error response from daemon: No such image: a\n")
    assert docker_cli.inspect(runner, "image", ["a", "b"]) == "[1]"


def test_another_error_beside_it_is_one():
    words = "Error: No such image: a\nError response from daemon: input/output error\n"
    with fails("command_failed", "input/output error"):
        docker_cli.inspect(Answers(1, "[]", words), "image", ["a", "b"])
