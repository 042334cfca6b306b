# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines of units and processes, read as systemd and the runtimes read them."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import command_line


def test_variables_are_expanded_as_systemd_does(tmp_path):
    # systemctl show of a unit on Debian 13, and its environment file.
    environment_file = tmp_path / "default"
    environment_file.write_text(
        "# A comment\n; Another one\n\nONE=three\nDOCKER_OPTS=\"--live-restore --label 'a b'\"\n"
        "LONG=a \\\nb\nEMPTY=\nno assignment\n"
    )
    command = [
        "/usr/bin/containerd",
        "--root",
        "/x",
        "$DOCKER_OPTS",
        "--state=${ONE}x/$TWO",
        "$UNSET",
        "end",
    ]
    environment = command_line.read_environment(
        ["A=b", "C=d e", "ONE=two", "TWO=2"], [str(environment_file), str(tmp_path / "missing")]
    )
    assert environment["C"] == "d e"
    assert environment["LONG"] == "a b"
    assert command_line.expand(command, environment) == [
        *("/usr/bin/containerd", "--root", "/x", "--live-restore", "--label", "a b"),
        *("--state=threex/2", "end"),
    ]


def test_an_environment_file_is_read_as_systemd_does():
    # systemd 257 printed these values for a service with this file.
    text = (
        "# A comment \\\nNEXT=line\n; Another\n\t\nONE=three\n"
        ' TWO = "a \\$b \\" \\\\ \\n \\\nc"  \'d e\'f \\g  \n'
        "export X=1\nEMPTY=\nLONG=a \\\nb\nQ='x \"y'\nIN=a\"b\"'c'\n"
        'PROXY="http://user:\\$HOME\'%40@proxy.local:3128"\nno assignment\nEND="open\nline'
    )
    assert dict(command_line.parse_environment_file(text)) == {
        "NEXT": "line",
        "ONE": "three",
        "TWO": 'a $b " \\ \\n cd ef g',
        "EMPTY": "",
        "LONG": "a b",
        "Q": 'x "y',
        "IN": "a\"b\"'c'",
        "PROXY": "http://user:$HOME'%40@proxy.local:3128",
        "END": "open\nline",
    }


@pytest.mark.parametrize("text", ["", "A", "\n \n", "=b", "a-b=c", "#"])
def test_an_environment_file_without_variables(text):
    assert list(command_line.parse_environment_file(text)) == []


def test_the_environment_of_a_process(monkeypatch):
    monkeypatch.setenv("CRUNTIME_TEST", "a=b")
    pipe = subprocess.PIPE
    with subprocess.Popen(["cat"], stdin=pipe, stdout=pipe, bufsize=0) as process:
        # While the kernel starts a program, its environment is empty for a moment.
        process.stdin.write(b"started\n")
        assert process.stdout.readline() == b"started\n"
        assert command_line.read_environ(process.pid)["CRUNTIME_TEST"] == "a=b"
        process.communicate()
    assert command_line.read_environ(0) == {}


def test_a_quotation_mark_that_is_not_closed():
    assert command_line.split_words('--label "a b') == ["--label", '"a', "b"]


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("d --log-level debug", ["debug"]),
        ("d --log-level=debug -l info", ["debug", "info"]),
        ("d -log-level debug", ["debug"]),
        ("d --log-level=", [""]),
        ("d --log-level -x", ["-x"]),
        ("d --log-levels debug --root --log-level", []),
        ("d --root log-level", []),
        ("d", []),
    ],
)
def test_values_of_a_flag(argv, found):
    assert command_line.find_flags(argv.split(), "log-level", "l") == found
    assert command_line.find_flag(argv.split(), "log-level", "l") == (found or [None])[-1]
    kept = command_line.remove_flags(argv.split(), "log-level", "l")
    assert command_line.find_flags(kept, "log-level", "l") == []
    assert kept[0] == "d"


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("d --live-restore -H fd://", ["true"]),
        ("d --live-restore=false", ["false"]),
        ("d --live-restore false", ["true"]),
        ("d --live-restores", []),
    ],
)
def test_values_of_a_flag_that_takes_none(argv, found):
    assert command_line.find_flags(argv.split(), "live-restore", takes_value=False) == found


def test_command_line_of_a_process():
    # A process that waits for its input has replaced the copy of this process.
    with subprocess.Popen(
        ["cat", "-", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"
        assert command_line.read_argv(process.pid) == ["cat", "-", ""]
        process.stdin.close()
    assert command_line.read_argv(process.pid) == []
    assert command_line.read_argv(0) == []
