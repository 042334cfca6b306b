# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker client: the engine that it uses, and objects that may be missing."""

from __future__ import annotations

from ansible_collections.cruntime.node.plugins.module_utils import docker_cli
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


class Answers:
    """Runner of a client with the given output."""

    def __init__(self, *result):
        self.result = Result(*result)
        self.asked = []

    def run(self, *argv):
        self.asked.append(argv)
        return self.result


def test_the_engine_of_the_node_is_queried_once_for_each_object():
    runner = Answers(0, "[]", "")
    assert docker_cli.inspect(runner, "image", ["a", "b", "a"], "--format", "x") == "[]"
    (argv,) = runner.asked
    assert argv[:3] == ("docker", "--host", "unix:///run/docker.sock")
    assert argv[3:] == ("image", "inspect", "--format", "x", "a", "b")


def test_no_objects_need_no_query():
    runner = Answers(0, "[]", "")
    assert docker_cli.inspect(runner, "image", []) == ""
    assert runner.asked == []


def test_objects_that_disappear_are_omitted():
    runner = Answers(1, "[1]", "Error response from daemon: No such image: a\n")
    assert docker_cli.inspect(runner, "image", ["a", "b"]) == "[1]"


def test_another_error_among_missing_objects_is_raised():
    errors = "Error: No such image: a\nError response from daemon: input/output error\n"
    with fails("command_failed", "input/output error"):
        docker_cli.inspect(Answers(1, "[]", errors), "image", ["a", "b"])
