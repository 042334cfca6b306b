# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the node's tools: argv in, (rc, out, err) out; never a shell."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any, Iterator, NamedTuple, Protocol, cast

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)

# Runtimes live in sbin or /usr/local, which a become user's PATH may leave out.
SEARCH_PATH = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
)
_CHUNK = 1024 * 1024
# Tools are parsed, so they must speak English whatever the node's locale.
ENVIRONMENT = dict(os.environ, PATH=SEARCH_PATH, LC_ALL="C", LANGUAGE="C")


class Stream(Protocol):
    """What can be read to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes, or all."""


if TYPE_CHECKING:
    _Popen = subprocess.Popen[bytes]
else:
    _Popen = subprocess.Popen


class _Process(_Popen):
    """A tool that runs, with nothing on its streams but what it is given.

    Where ansible-test finds a bare subprocess.Popen, it asks for AnsibleModule.run_command. That
    has no time-out, and keeps all input and output in memory, where archives of images don't fit.
    """

    def __init__(
        self,
        argv: list[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        env: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        super().__init__(
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**ENVIRONMENT, **(env or {})},
            pass_fds=pass_fds,
            # A group of its own, so that its end reaches its children, who hold the pipes.
            start_new_session=True,
        )

    def kill_group(self) -> None:
        """End it, with all that it started."""
        os.killpg(self.pid, signal.SIGKILL)


class Result(NamedTuple):
    """Result of a command that ended.

    :param cmd: the command, empty if it is not known.
    """

    rc: int
    out: str
    err: str
    cmd: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The tool's own explanation on one line: stderr, or stdout where that is empty."""
        return " ".join((self.err or self.out).split()) or "no output"

    def failure(
        self, command: str = "", *, cause: str = "", reason: str = "command_failed"
    ) -> CommandError:
        """Return the error of a command that failed.

        :param command: the command as the message shows it; without it, the whole command.
        :param cause: the output that explains the failure; without it, all of the output.
        """
        return CommandError(
            f"'{command or ' '.join(self.cmd)}' failed: {cause or self.words}",
            reason=reason,
            **self.facts,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Return the keys of a failure result that describe the command."""
        return {"cmd": list(self.cmd), "rc": self.rc, "stderr": self.err}


def refuse(label: str, problem: str, result: Result | None = None) -> CruntimeError:
    """Return the error of a configuration that a runtime does not accept.

    :param label: the runtime.
    :param result: the command that refused it, if a command did.
    """
    return CruntimeError(
        f"{label} refuses this spec: {problem}",
        reason="configuration_refused",
        **(result.facts if result else {}),
    )


class Runner:
    """Starts processes on the node. No other class does.

    :param timeout: limit for commands whose caller sets none, in seconds.
    """

    def __init__(self, timeout: float = 60) -> None:
        self._timeout = timeout

    def which(self, name: str) -> str | None:
        """Return the absolute path of a tool, or None where the node has none."""
        return shutil.which(name, path=SEARCH_PATH)

    def _found(self, argv: tuple[str, ...]) -> list[str]:
        """Return a command with the path of its tool."""
        path = self.which(argv[0])
        if path is None:
            raise CommandError(f"{argv[0]} is not on this node", reason="tool_not_found")
        return [path, *argv[1:]]

    def run(
        self,
        *argv: str,
        timeout: float | None = None,
        stdin: str | Stream | None = None,
        env: dict[str, str] | None = None,
        answer: str | None = None,
        merged: bool = False,
        descriptors: tuple[int, ...] = (),
    ) -> Result:
        """Run a command and return its result, whatever its exit status.

        :param timeout: seconds after which the command and all it started are killed.
        :param stdin: what it reads; the place for secrets, which no process list shows.
        :param env: variables beside this process's own.
        :param answer: what it is told when it asks on its terminal, as some do for a password.
        :param merged: whether what it writes to stderr becomes output too, in the order written.
        :param descriptors: open files of this process that it inherits.
        :raises CommandError: the tool is missing or took too long.
        """
        command = self._found(argv)
        limit = self._timeout if timeout is None else timeout
        with _input(stdin, answer) as descriptor, _Process(
            command,
            stdin=descriptor,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env=env,
            pass_fds=descriptors,
        ) as process:
            try:
                data = stdin.encode() if isinstance(stdin, str) else None
                out, err = process.communicate(data, timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill_group()
                process.communicate()
                raise _unfinished(argv, limit) from None
        return Result(process.returncode, _text(out), _text(err or b""), argv)

    @contextlib.contextmanager
    def opened(self, *argv: str) -> Iterator[IO[bytes]]:
        """Start a command and read its standard output while it runs.

        :raises CommandError: if the command is missing, takes too long, or fails while it is read.
        """
        command = self._found(argv)
        with tempfile.TemporaryFile() as log, _Process(
            command, stdout=subprocess.PIPE, stderr=log
        ) as process, _limited(process, self._timeout) as expired:
            failed = False
            output = cast("IO[bytes]", process.stdout)
            try:
                yield output
                # What is left tells whether all of it could be read.
                while output.read(_CHUNK):
                    pass
                failed = process.wait() != 0
            finally:
                if process.poll() is None:
                    process.kill_group()
            if expired.is_set():
                raise _unfinished(argv, self._timeout)
            if failed:
                log.seek(0)
                raise Result(process.returncode, "", _text(log.read()), argv).failure()

    def output(
        self,
        *argv: str,
        timeout: float | None = None,
        stdin: str | Stream | None = None,
        env: dict[str, str] | None = None,
        answer: str | None = None,
    ) -> str:
        """Run a command that must succeed and return its standard output.

        :raises CommandError: it failed; the message holds the tool's own words.
        """
        result = self.run(*argv, timeout=timeout, stdin=stdin, env=env, answer=answer)
        if result.rc != 0:
            raise result.failure()
        return result.out

    @contextlib.contextmanager
    def started(self, *argv: str) -> Iterator[None]:
        """Start a daemon of our own, and end it when it is not needed any more.

        :raises CommandError: it is missing.
        """
        with _Process(self._found(argv)) as process:
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill_group()


@contextlib.contextmanager
def _limited(process: _Process, timeout: float) -> Iterator[threading.Event]:
    """Kill a process after a number of seconds; the event is set if it was killed."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        with contextlib.suppress(ProcessLookupError):
            process.kill_group()

    timer = threading.Timer(timeout, end)
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def _unfinished(argv: tuple[str, ...], timeout: float) -> CommandError:
    return CommandError(
        f"'{' '.join(argv)}' did not finish within {timeout:g} seconds",
        reason="command_timeout",
        cmd=list(argv),
    )


@contextlib.contextmanager
def _input(stdin: str | Stream | None, answer: str | None) -> Iterator[int]:
    """What a process is to read, as subprocess takes it."""
    if answer is not None:
        with _terminal(answer) as terminal:
            yield terminal
    elif stdin is None:
        yield subprocess.DEVNULL
    elif isinstance(stdin, str):
        yield subprocess.PIPE
    else:
        with _pumped(stdin) as pipe:
            yield pipe


@contextlib.contextmanager
def _terminal(answer: str) -> Iterator[int]:
    ours, theirs = os.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


@contextlib.contextmanager
def _pumped(stream: Stream) -> Iterator[int]:
    """A pipe that a thread fills from a stream, which may be made on the way."""
    ours, theirs = os.pipe()
    trouble = []

    def pump() -> None:
        try:
            with open(theirs, "wb") as sink:
                shutil.copyfileobj(stream, sink, _CHUNK)
        except BrokenPipeError:
            # The process wants no more; its exit status says why.
            pass
        except Exception as error:
            trouble.append(error)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        os.close(ours)
        thread.join()
    if trouble:
        raise CommandError(
            f"reading what was to be loaded failed: {trouble[0]}", reason="archive_invalid"
        )


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
