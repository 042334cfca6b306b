# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tools of the node with an argument list, never with a shell."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any, Callable, Iterator, NamedTuple, Protocol, cast

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)

# The PATH of a become user can lack sbin and /usr/local, where runtimes are installed.
SEARCH_PATH = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
)
_CHUNK = 1024 * 1024
# The output of tools is parsed, so it must be English with every locale of the node.
ENVIRONMENT = dict(os.environ, PATH=SEARCH_PATH, LC_ALL="C", LANGUAGE="C")


class Stream(Protocol):
    """Readable stream."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most this number of bytes, or everything."""


if TYPE_CHECKING:
    _Popen = subprocess.Popen[bytes]
else:
    _Popen = subprocess.Popen


class _Process(_Popen):
    """Running tool. A stream that is not set is /dev/null.

    ansible-test reports a bare subprocess.Popen and suggests AnsibleModule.run_command. That method
    has no timeout, and keeps all input and output in memory, which is too small for archives of
    images.
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
            # Use a separate process group: its children hold the pipes and must be killed too.
            start_new_session=True,
        )

    def kill_group(self) -> None:
        """Kill the tool and all of its children."""
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
    def error_text(self) -> str:
        """Error output on one line, or standard output if there is no error output."""
        return " ".join((self.err or self.out).split()) or "no output"

    def failure(
        self, command: str = "", *, cause: str = "", reason: str = "command_failed"
    ) -> CommandError:
        """Return the error of a command that failed.

        :param command: the command as the message shows it; without it, the whole command.
        :param cause: the output that explains the failure; without it, all of the output.
        """
        return CommandError(
            f"'{command or ' '.join(self.cmd)}' failed: {cause or self.error_text}",
            reason=reason,
            **self.facts,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Return the keys of a failure result that describe the command."""
        return {"cmd": list(self.cmd), "rc": self.rc, "stderr": self.err}


def refuse(label: str, problem: str, result: Result | None = None) -> CruntimeError:
    """Return the error of a configuration that a runtime does not accept.

    :param label: name of the runtime.
    :param result: result of the command that rejected the configuration, if any.
    """
    return CruntimeError(
        f"{label} rejected the configuration: {problem}",
        reason="configuration_refused",
        **(result.facts if result else {}),
    )


class Runner:
    """Start processes on the node. No other class starts processes.

    :param timeout: limit for commands whose caller sets none, in seconds.
    """

    def __init__(self, timeout: float = 60) -> None:
        self._timeout = timeout
        self._search_path = SEARCH_PATH

    def limit(self, seconds: float) -> float:
        """Return a limit that is not longer than that of the commands, in seconds."""
        return min(seconds, self._timeout)

    def search_first(self, directory: str) -> None:
        """Search the tools in this directory before all others."""
        self._search_path = os.pathsep.join([directory, self._search_path])

    def which(self, name: str) -> str | None:
        """Return the absolute path of a tool, or None if it is not installed."""
        return shutil.which(name, path=self._search_path)

    def _found(self, argv: tuple[str, ...]) -> list[str]:
        """Return a command with the path of its tool."""
        path = self.which(argv[0])
        if path is None:
            raise CommandError(
                f"{argv[0]} is not installed on this node. Install its package",
                reason="tool_not_found",
            )
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
        """Run a command and return its result, with any exit status.

        :param timeout: time in seconds after which the command and its children are killed.
        :param stdin: standard input. Pass secrets here, because no process list shows it.
        :param env: variables in addition to the environment of this process.
        :param answer: input on a terminal, for tools that read a password from it.
        :param merged: whether error output is added to the output, in the order of writing.
        :param descriptors: open files of this process that the command inherits.
        :raises CommandError: if the tool is not installed, or does not end in time.
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
                # Read the rest, because the exit status is only known at the end of the output.
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

        :raises CommandError: if the command fails. The message has its error output.
        """
        result = self.run(*argv, timeout=timeout, stdin=stdin, env=env, answer=answer)
        if result.rc != 0:
            raise result.failure()
        return result.out

    @contextlib.contextmanager
    def started(
        self, *argv: str, log: int | IO[bytes] = subprocess.DEVNULL
    ) -> Iterator[Callable[[], bool]]:
        """Start a daemon, and terminate it when the context ends.

        :param log: file for its error output.
        :return: function that returns whether the daemon has ended.
        :raises CommandError: if the daemon is not installed.
        """
        with _Process(self._found(argv), stderr=log) as process:
            try:
                yield lambda: process.poll() is not None
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
    """Yield the standard input of a process, as an argument of subprocess."""
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
    controller, terminal = os.openpty()
    try:
        os.write(controller, f"{answer}\n".encode())
        yield terminal
    finally:
        os.close(controller)
        os.close(terminal)


@contextlib.contextmanager
def _pumped(stream: Stream) -> Iterator[int]:
    """Yield a pipe that a thread fills from a stream."""
    reader, writer = os.pipe()
    errors = []

    def pump() -> None:
        try:
            with open(writer, "wb") as sink:
                shutil.copyfileobj(stream, sink, _CHUNK)
        except BrokenPipeError:
            # The process has closed its input. Its exit status has the reason.
            pass
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        os.close(reader)
        thread.join()
    if errors:
        raise CommandError(
            f"Could not read the archive to load: {errors[0]}", reason="archive_invalid"
        )


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
