# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: started without a shell, ended when they take too long."""

from __future__ import annotations

import io
import pathlib
import time

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


def test_arguments_reach_the_tool_as_they_are():
    assert Runner().output("printf", "%s", "$(id); 'x' \n*") == "$(id); 'x' \n*"


def test_a_failure_holds_the_tools_own_words():
    with fails("command_failed", "/no/such", "No such file") as caught:
        Runner().output("ls", "/no/such")
    assert caught.value.result["cmd"] == ["ls", "/no/such"]


def test_a_tool_reads_what_it_is_given():
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
    assert result.error_text == "err"


def test_a_missing_tool_is_named():
    with fails("tool_not_found", "no-such-tool"):
        Runner().run("no-such-tool")


def test_a_time_out_ends_the_children_too(tmp_path):
    note = tmp_path / "pid"
    with fails("command_timeout", "2 seconds"):
        # The child holds the pipes.
        Runner().run("sh", "-c", f"sleep 600 & echo $! >{note}; wait", timeout=2)
    # It dies at once, but not while it is killed, and nobody may have taken note of its end yet.
    status = pathlib.Path(f"/proc/{note.read_text().strip()}/status")
    for _attempt in range(100):
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")


def test_tools_speak_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert Runner().output("sh", "-c", "printf %s $LC_ALL") == "C"


def test_a_tool_reads_a_stream_that_is_made_on_the_way():
    data = bytes(range(256)) * 10000
    assert Runner().output("wc", "-c", stdin=io.BytesIO(data)).strip() == str(len(data))
    # One that wants no more of it ends as it likes.
    assert Runner().run("true", stdin=io.BytesIO(data)).rc == 0


def test_a_stream_that_breaks_is_told():
    class Broken:
        def read(self, size):
            raise OSError("broken")

    with fails("archive_invalid", "broken"):
        Runner().run("cat", stdin=Broken())


def test_a_tool_that_asks_is_answered():
    assert Runner().output("sh", "-c", "read word && test -t 0 && echo $word", answer="a") == "a\n"


def test_the_output_of_a_tool_is_read_while_it_runs():
    with Runner().opened("seq", "1000000") as stream:
        assert stream.read(4) == b"1\n2\n"


def test_a_tool_that_fails_while_it_is_read_is_told():
    with fails("command_failed", "/no"), Runner().opened("cat", "/no") as stream:
        stream.read()


def test_a_daemon_ends_when_it_is_not_needed_any_more(tmp_path):
    up, ended = tmp_path / "up", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit' TERM; touch {up}; while :; do sleep 0.05; done"
    with Runner().started("sh", "-c", script):
        while not up.exists():
            time.sleep(0.05)
        assert not ended.exists()
    assert ended.exists()
