# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes are started without a shell, and ended after a timeout."""

from __future__ import annotations

import io
import pathlib
import time

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


def test_arguments_reach_the_tool_unchanged():
    assert Runner().output("printf", "%s", "$(id); 'x' \n*") == "$(id); 'x' \n*"


def test_a_failure_has_the_error_message_of_the_tool():
    with fails("command_failed", "/no/such", "No such file") as caught:
        Runner().output("ls", "/no/such")
    assert caught.value.result["cmd"] == ["ls", "/no/such"]


def test_a_tool_reads_its_input():
    assert Runner().output("cat", stdin="secret\n") == "secret\n"
    assert Runner().output("sh", "-c", "echo $GIVEN", env={"GIVEN": "value"}) == "value\n"


def test_run_returns_a_failure_too():
    result = Runner().run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert result[:3] == (3, "out\n", "err\n")
    error = result.failure("sh")
    assert error.reason == "command_failed"
    assert "err" in str(error)
    assert error.result["cmd"] == ["sh", "-c", "echo out; echo err >&2; exit 3"]
    assert (error.result["rc"], error.result["stderr"]) == (3, "err\n")
    assert result.words == "err"


def test_a_missing_tool_is_reported():
    with fails("tool_not_found", "no-such-tool"):
        Runner().run("no-such-tool")


def test_a_timeout_ends_the_children_too(tmp_path):
    note = tmp_path / "pid"
    with fails("command_timeout", "2 seconds"):
        # The child holds the pipes.
        Runner().run("sh", "-c", f"sleep 600 & echo $! >{note}; wait", timeout=2)
    # The child has been killed, but may not be reaped yet.
    status = pathlib.Path(f"/proc/{note.read_text().strip()}/status")
    for _attempt in range(100):
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child is still running")


def test_tools_print_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert Runner().output("sh", "-c", "printf %s $LC_ALL") == "C"


def test_a_tool_reads_a_generated_stream():
    data = bytes(range(256)) * 10000
    assert Runner().output("wc", "-c", stdin=io.BytesIO(data)).strip() == str(len(data))
    # A tool can end before it has read the whole stream.
    assert Runner().run("true", stdin=io.BytesIO(data)).rc == 0


def test_a_broken_stream_is_reported():
    class Broken:
        def read(self, size):
            raise OSError("broken")

    with fails("archive_invalid", "broken"):
        Runner().run("cat", stdin=Broken())


def test_a_prompt_of_a_tool_is_answered():
    assert Runner().output("sh", "-c", "read word && test -t 0 && echo $word", answer="a") == "a\n"


def test_the_output_of_a_tool_is_read_while_it_runs():
    with Runner().opened("seq", "1000000") as stream:
        assert stream.read(4) == b"1\n2\n"


def test_a_tool_that_fails_while_it_is_read_is_reported():
    with fails("command_failed", "/no"), Runner().opened("cat", "/no") as stream:
        stream.read()


def test_a_daemon_ends_when_it_is_no_longer_needed(tmp_path):
    up, ended = tmp_path / "up", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit' TERM; touch {up}; while :; do sleep 0.05; done"
    with Runner().started("sh", "-c", script):
        while not up.exists():
            time.sleep(0.05)
        assert not ended.exists()
    assert ended.exists()
