# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units: the state of many in one call, and the verbs that change it."""

from __future__ import annotations

import contextlib
import glob
import os
import time
from typing import Any, Callable, Iterable, Iterator, Literal, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

#: What a step of a plan does to units.
Verb = Literal["start", "restart", "reload", "stop", "kill", "enable", "disable", "mask", "unmask"]

_PULLED_IN_BY = ("Requires", "Requisite", "BindsTo", "Wants")
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "ExecStart",
    "ExecMainStartTimestampMonotonic",
    "MainPID",
    *_PULLED_IN_BY,
)
# Some runtimes log their whole configuration in one line.
_LINE_LIMIT = 1000
# Where packages and admins put unit files, in systemd's order; a mask stands before all of them.
_UNIT_DIRS = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
# What waits for no unit; this only ends a hung systemctl.
_CALL_TIMEOUT = 300


class Unit(NamedTuple):
    """One systemd unit as it was at one moment.

    :param file_state: systemd's UnitFileState: enabled, disabled, static, masked, ...
    :param path: the unit file, empty where there is none.
    :param drop_ins: paths of the drop-ins that systemd has loaded for the unit.
    :param pid: the main process, 0 where none runs.
    :param started: start of the main process in seconds since the epoch, None where none runs.
    :param replaced: the program that the main process runs is gone from its path, as after an
        upgrade of its package.
    :param command: the argv of ExecStart, as the unit has it.
    :param needs: the units that a start of this one pulls in.
    """

    name: str
    load_state: str = "not-found"
    active_state: str = "inactive"
    file_state: str = ""
    path: str = ""
    pid: int = 0
    started: float | None = None
    replaced: bool = False
    command: tuple[str, ...] = ()
    reload_needed: bool = False
    needs: frozenset[str] = frozenset()
    drop_ins: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return self.load_state != "not-found"

    @property
    def active(self) -> bool:
        return self.active_state in ("active", "reloading")

    @property
    def stopped(self) -> bool:
        """Neither running nor about to: a unit that waits to be restarted is not stopped."""
        return self.active_state in ("inactive", "failed")

    @property
    def enabled(self) -> bool:
        """Comes up at boot."""
        return self.file_state in ("enabled", "enabled-runtime")

    @property
    def enabled_for_good(self) -> bool:
        """Nothing that C(systemctl enable) would add."""
        return self.file_state in ("enabled", "static", "alias", "indirect", "generated")

    @property
    def masked(self) -> bool:
        return self.file_state.startswith("masked")

    @property
    def maskable(self) -> bool:
        """A mask is a link in /etc/systemd/system, where an admin's own unit file may stand."""
        return os.path.dirname(self.path) != "/etc/systemd/system"

    @property
    def state(self) -> dict[str, Any]:
        """What a module returns of a unit."""
        return {"active": self.active, "enabled": self.enabled, "masked": self.masked}

    def __str__(self) -> str:
        boot = "masked" if self.masked else "enabled" if self.enabled else "disabled"
        return f"{'active' if self.active else 'inactive'}, {boot}"


class Services:
    """The node's systemd.

    :param timeout: how long a unit may take to start or to stop, in seconds. Its own limits may
        be none at all.
    :raises CruntimeError: systemd does not run this node.
    """

    def __init__(self, runner: Runner, timeout: int = 60) -> None:
        # sd_booted(3): the documented way to ask.
        if not os.path.isdir("/run/systemd/system"):
            raise CruntimeError(
                "systemd does not run this node (there is no /run/systemd/system), "
                "and runtimes are only managed as systemd units",
                reason="systemd_not_found",
            )
        self._runner = runner
        self._timeout = timeout

    def look(self, names: Iterable[str]) -> dict[str, Unit]:
        """Return the units of these names, in one process; unknown ones as not found."""
        names = list(names)
        text = self._runner.output(
            "systemctl", "show", "--property", ",".join(_PROPERTIES), "--", *names
        )
        return {
            unit.name: _unveiled(unit)._replace(replaced=program_is_gone(unit.pid))
            for unit in parse_show(names, text)
        }

    def apply(self, verb: Verb, names: Iterable[str]) -> None:
        """Do one step of a plan.

        :raises CommandError: if systemd refuses it, or a unit does not start in time.
        :raises CruntimeError: if a unit does not stop in time.
        """
        actions: dict[Verb, Callable[[Iterable[str]], None]] = {
            "start": self.start,
            "restart": self.restart,
            "reload": self.reload,
            "stop": self.stop,
            "kill": self.kill,
            "enable": self.enable,
            "disable": self.disable,
            "mask": self.mask,
            "unmask": self.unmask,
        }
        actions[verb](names)

    def start(self, names: Iterable[str]) -> None:
        self._bring_up("start", names, self._timeout)

    def restart(self, names: Iterable[str]) -> None:
        # A stop and a start.
        self._bring_up("restart", names, 2 * self._timeout)

    def reload(self, names: Iterable[str]) -> None:
        self._bring_up("reload", names, self._timeout)

    def _bring_up(self, verb: str, names: Iterable[str], timeout: int) -> None:
        try:
            self._call(verb, names, timeout=timeout)
        except CommandError as error:
            raise CommandError(str(error), reason="unit_not_started", **error.facts) from error

    def stop(self, names: Iterable[str]) -> None:
        """Stop units.

        :raises CruntimeError: one hangs. It goes on to stop, and can't start before it has.
        """
        try:
            self._call("stop", names, timeout=self._timeout)
        except CommandError as error:
            raise CruntimeError(
                f"{' or '.join(names)} can't be stopped: {error}. See what holds it up, or give "
                "it more time by the option timeout",
                reason="unit_not_stopped",
                **error.facts,
            ) from error

    def kill(self, names: Iterable[str]) -> None:
        """End units that hang in a stop: their daemons, but not the containers."""
        for process in ("control", "main"):
            # There may be only one of the two.
            self._runner.run(
                "systemctl", "kill", f"--kill-who={process}", "--signal=SIGKILL", "--", *names
            )

    def enable(self, names: Iterable[str]) -> None:
        self._call("enable", names)

    def disable(self, names: Iterable[str]) -> None:
        self._call("disable", names)

    def mask(self, names: Iterable[str]) -> None:
        self._call("mask", names)

    def unmask(self, names: Iterable[str]) -> None:
        # A mask may stand in /etc, in /run or in both.
        self._call("unmask", names)
        self._call("unmask", names, "--runtime")

    def reset_failed(self, names: Iterable[str]) -> None:
        """Forget failures and the count of recent starts, which may forbid another one."""
        self._runner.run("systemctl", "reset-failed", "--", *names)

    def daemon_reload(self) -> None:
        self._runner.output("systemctl", "daemon-reload", timeout=_CALL_TIMEOUT)

    def journal(self, names: Iterable[str], since: float) -> list[str]:
        """Return the last lines that the units' own processes logged since a moment.

        :param since: in seconds since the epoch.
        """
        # A match on the sender, for --unit would add what systemd says of the unit.
        senders = [f"_SYSTEMD_UNIT={name}" for name in names]
        # The last words of a process that died just now may still be on their way.
        self._runner.run("journalctl", "--sync")
        text = self._runner.run(
            "journalctl",
            "--no-pager",
            "--output=cat",
            # Older ones take --lines from the beginning when --since is given.
            "--reverse",
            "--lines=20",
            f"--since=@{int(since)}",
            *senders,
        ).out
        return [line[:_LINE_LIMIT] for line in reversed(text.splitlines()) if line.strip()]

    def _call(
        self, verb: str, names: Iterable[str], *flags: str, timeout: int = _CALL_TIMEOUT
    ) -> None:
        # sockets and services in one call: systemd orders them itself.
        self._runner.output("systemctl", verb, *flags, "--", *names, timeout=timeout)


def needed_by(names: Iterable[str], units: dict[str, Unit]) -> set[str]:
    """Return the units that a start of these pulls in, through any number of others."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        for name in units[todo.pop()].needs:
            if name in units and name not in found:
                found.add(name)
                todo.append(name)
    return found


@parsing("systemctl show")
def parse_show(names: list[str], text: str) -> list[Unit]:
    """Read what C(systemctl show) prints: a block per unit asked for, in that order."""
    blocks = text.strip("\n").split("\n\n")
    if len(blocks) != len(names):
        raise CruntimeError(
            f"systemctl show answered {len(blocks)} of {len(names)} units",
            reason="output_unreadable",
        )
    # systemd tells microseconds on the monotonic clock; files tell seconds since the epoch.
    epoch_of_clock = time.time() - time.monotonic()
    return [_parse_unit(name, block, epoch_of_clock) for name, block in zip(names, blocks)]


def _parse_unit(name: str, block: str, epoch_of_clock: float) -> Unit:
    properties = dict(line.partition("=")[::2] for line in block.splitlines())
    started = int(properties.get("ExecMainStartTimestampMonotonic") or 0)
    active = properties["ActiveState"]
    return Unit(
        name=name,
        load_state=properties["LoadState"],
        active_state=active,
        file_state=properties["UnitFileState"],
        path=properties.get("FragmentPath", ""),
        drop_ins=tuple(properties.get("DropInPaths", "").split()),
        pid=int(properties.get("MainPID") or 0),
        # A stopped unit still tells when its last process began.
        started=epoch_of_clock + started / 1e6 if started and active == "active" else None,
        command=_parse_command(properties.get("ExecStart", "")),
        reload_needed=properties.get("NeedDaemonReload") == "yes",
        needs=frozenset(
            needed for key in _PULLED_IN_BY for needed in properties.get(key, "").split()
        ),
    )


def program_is_gone(pid: int) -> bool:
    """Say whether the file that a process was started from was removed or replaced since.

    :param pid: 0 for no process.
    """
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    return False


def _unveiled(unit: Unit) -> Unit:
    """Fill in what a masked unit will need and run once it is unmasked; systemd does not tell."""
    if not unit.masked:
        return unit
    paths = unit_files(unit.name)
    settings = [setting for path in paths for setting in read_settings(path)]
    return unit._replace(
        needs=parse_needs(settings),
        command=parse_exec_start(settings),
        drop_ins=tuple(path for path in paths if os.path.dirname(path).endswith(".d")),
    )


def unit_files(name: str) -> list[str]:
    """Return the unit file that a mask hides, and the drop-ins beside it, in systemd's order."""
    main = [path for path in (f"{folder}/{name}" for folder in _UNIT_DIRS) if os.path.exists(path)]
    # A drop-in of a name stands for those of the same name in the folders after.
    drop_ins: dict[str, str] = {}
    for folder in ("/etc/systemd/system", "/run/systemd/system", *_UNIT_DIRS):
        for path in glob.glob(f"{folder}/{name}.d/*.conf"):
            drop_ins.setdefault(os.path.basename(path), path)
    return main[:1] + [path for _basename, path in sorted(drop_ins.items())]


def read_settings(path: str) -> list[str]:
    try:
        text = read_regular(path).decode("utf-8", errors="replace")
    except (OSError, CruntimeError):
        # The path is a directory, or a file that systemd cannot read either.
        return []
    return text.replace("\\\n", " ").splitlines()


def parse_needs(settings: Iterable[str]) -> frozenset[str]:
    """Return the units that the lines of a unit file pull in."""
    return frozenset(
        needed
        for key, value in _pairs(settings)
        if key in _PULLED_IN_BY
        for needed in value.split()
    )


def parse_exec_start(settings: Iterable[str]) -> tuple[str, ...]:
    """Return the argv of ExecStart in the lines of a unit file; an empty one takes others back."""
    command = ""
    for key, value in _pairs(settings):
        if key == "ExecStart":
            command = value
    # Marks of how to run it, such as - for: its failure is none.
    return tuple(command.lstrip("@-:+!|").split())


def _pairs(settings: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in settings:
        key, equals, value = line.partition("=")
        if equals and not key.startswith(("#", ";")):
            yield key.strip(), value.strip()


def _parse_command(exec_start: str) -> tuple[str, ...]:
    """Read C({ path=/usr/bin/x ; argv[]=/usr/bin/x -y ; ignore_errors=no ; ... })."""
    argv = exec_start.partition("argv[]=")[2].partition(" ;")[0]
    return tuple(argv.split())
