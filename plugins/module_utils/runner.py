# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the node's tools: argv in, (rc, out, err) out; never a shell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import CommandError

# Runtimes live in sbin or /usr/local, which a become user's PATH may leave out.
SEARCH_PATH = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
)
# Tools are parsed, so they must speak English whatever the node's locale.
ENVIRONMENT = dict(os.environ, PATH=SEARCH_PATH, LC_ALL="C", LANGUAGE="C")


class Result(NamedTuple):
    """What a command left behind."""

    rc: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The tool's own explanation on one line: stderr, or stdout where that is empty."""
        return " ".join((self.err or self.out).split()) or "no output"


class Runner:
    """Starts processes on the node. The only place that does."""

    def which(self, name: str) -> str | None:
        """Return the absolute path of a tool, or None where the node has none."""
        return shutil.which(name, path=SEARCH_PATH)

    def run(
        self,
        *argv: str,
        timeout: float = 60,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        merged: bool = False,
    ) -> Result:
        """Run a command and return its result, whatever its exit status.

        :param timeout: seconds after which the command and all it started are killed.
        :param stdin: what it reads; the place for secrets, which no process list shows.
        :param env: variables beside this process's own.
        :param merged: whether what it writes to stderr becomes output too, in the order written.
        :raises CommandError: the tool is missing or took too long.
        """
        path = self.which(argv[0])
        if path is None:
            raise CommandError(f"{argv[0]} is not on this node")
        with subprocess.Popen(
            [path, *argv[1:]],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env={**ENVIRONMENT, **(env or {})},
            # A group of its own, so that a time-out reaches its children, who hold the pipes.
            start_new_session=True,
        ) as process:
            try:
                data = None if stdin is None else stdin.encode()
                out, err = process.communicate(data, timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise CommandError(
                    f"'{' '.join(argv)}' did not finish within {timeout:g} seconds"
                ) from None
        return Result(process.returncode, _text(out), _text(err or b""))

    def output(
        self,
        *argv: str,
        timeout: float = 60,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
    ) -> str:
        """Run a command that must succeed and return its standard output.

        :raises CommandError: it failed; the message holds the tool's own words.
        """
        result = self.run(*argv, timeout=timeout, stdin=stdin, env=env)
        if result.rc != 0:
            raise CommandError(f"'{' '.join(argv)}' failed: {result.words}")
        return result.out


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
