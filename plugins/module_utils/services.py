# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Query and change systemd units, several units per call."""

from __future__ import annotations

import contextlib
import glob
import os
import time
from typing import Any, Callable, Iterable, Iterator, Literal, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import command_line, systemd_bus
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

#: Actions on units.
Verb = Literal["start", "restart", "reload", "stop", "kill", "enable", "disable", "mask", "unmask"]

_PULLED_IN_BY = ("Requires", "Requisite", "BindsTo", "Wants")
_STOPPED_WITH = ("Requires", "Requisite", "BindsTo", "PartOf")
# Kill modes with which a stop of a unit ends only its main process.
_SPARING = ("process", "none")
# Properties in org.freedesktop.systemd1(5). A unit only has those of its type.
_PROPERTIES = frozenset(
    (
        "LoadState",
        "ActiveState",
        "UnitFileState",
        "FragmentPath",
        "DropInPaths",
        "NeedDaemonReload",
        "ExecStart",
        "Environment",
        "EnvironmentFiles",
        "Listen",
        "ExecMainStartTimestampMonotonic",
        "MainPID",
        "KillMode",
        "Slice",
        *_PULLED_IN_BY,
        *_STOPPED_WITH,
    )
)
# Length limit of a journal line: some runtimes log their whole configuration in one line.
_LINE_LIMIT = 300
# Directories of unit files, in systemd's order. A mask takes precedence over all of them.
_UNIT_DIRS = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
# Timeout for calls that do not wait for a unit. It only guards against a hanging systemctl.
_CALL_TIMEOUT = 300


class Unit(NamedTuple):
    """State of a systemd unit at one time.

    :param file_state: UnitFileState of systemd: enabled, disabled, static, masked, ...
    :param path: path of the unit file, empty if there is no unit file.
    :param drop_ins: paths of the drop-ins that systemd has loaded for the unit.
    :param pid: PID of the main process, 0 if no process is running.
    :param started: start of the main process in seconds since the epoch, None if no process is
        running.
    :param replaced: whether the binary of the main process was removed or replaced, for example by
        an upgrade of its package.
    :param command: argv of ExecStart in the unit, with its variables.
    :param environment: words of Environment in the unit. They can contain passwords.
    :param environment_files: paths of EnvironmentFile in the unit.
    :param listens: addresses on which a socket unit listens.
    :param needs: units that are started together with this unit.
    :param stops_with: units with which this unit is stopped and restarted.
    :param kill_mode: KillMode of systemd, empty if it is not known.
    :param slice: the slice whose cgroup contains the unit, empty if it is not known.
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
    environment: tuple[str, ...] = ()
    environment_files: tuple[str, ...] = ()
    listens: tuple[str, ...] = ()
    stops_with: frozenset[str] = frozenset()
    kill_mode: str = ""
    slice: str = ""

    @property
    def found(self) -> bool:
        return self.load_state != "not-found"

    @property
    def active(self) -> bool:
        return self.active_state in ("active", "reloading")

    @property
    def stopped(self) -> bool:
        """Return whether the unit is stopped. A unit that waits for its restart is not stopped."""
        return self.active_state in ("inactive", "failed")

    @property
    def enabled(self) -> bool:
        """Return whether the unit starts at boot."""
        return self.file_state in ("enabled", "enabled-runtime")

    @property
    def enabled_for_good(self) -> bool:
        """Return whether C(systemctl enable) would change nothing."""
        return self.file_state in ("enabled", "static", "alias", "indirect", "generated")

    @property
    def masked(self) -> bool:
        return self.file_state.startswith("masked")

    @property
    def maskable(self) -> bool:
        """Return whether a mask replaces no unit file of an admin in /etc/systemd/system."""
        return os.path.dirname(self.path) != "/etc/systemd/system"

    @property
    def kills_all(self) -> bool:
        """Return whether a stop of the unit ends all processes in its cgroup."""
        return self.kill_mode not in _SPARING

    @property
    def state(self) -> dict[str, Any]:
        """State of the unit as the modules return it."""
        return {"active": self.active, "enabled": self.enabled, "masked": self.masked}

    def __str__(self) -> str:
        boot = "masked" if self.masked else "enabled" if self.enabled else "disabled"
        return f"{'active' if self.active else 'inactive'}, {boot}"


class Start(NamedTuple):
    """Command with which systemd would start a service now.

    :param unit: the service.
    :param argv: command line with expanded variables.
    :param environment: environment of the process. It can contain passwords.
    """

    unit: Unit
    argv: list[str]
    environment: dict[str, str]


class Services:
    """Interface to systemd on the node.

    :param timeout: time in seconds for a unit to start or to stop. Units can have no limits of
        their own.
    :raises CruntimeError: if systemd is not the init system of this node.
    """

    def __init__(self, runner: Runner, timeout: int = 60) -> None:
        # sd_booted(3) documents this check.
        if not os.path.isdir("/run/systemd/system"):
            raise CruntimeError(
                "systemd is not the init system of this node: /run/systemd/system does not exist. "
                "Use a node with systemd, because runtimes are managed only as systemd units",
                reason="systemd_not_found",
            )
        self._runner = runner
        self._timeout = timeout

    def look(self, names: Iterable[str]) -> dict[str, Unit]:
        """Return the units with these names. Unknown units are not found."""
        # systemd reports microseconds of the monotonic clock. Files have seconds since the epoch.
        epoch_of_clock = time.time() - time.monotonic()
        units = [
            make_unit(name, properties, epoch_of_clock)
            for name, properties in systemd_bus.read_properties(names, _PROPERTIES).items()
        ]
        return {
            unit.name: read_masked_unit(unit)._replace(replaced=is_binary_replaced(unit.pid))
            for unit in units
        }

    def apply(self, verb: Verb, names: Iterable[str]) -> None:
        """Perform one step of a plan.

        :raises CommandError: if systemd reports an error, or a unit does not start in time.
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
        self._call_start("start", names, self._timeout)

    def restart(self, names: Iterable[str]) -> None:
        # A restart is a stop and a start.
        self._call_start("restart", names, 2 * self._timeout)

    def reload(self, names: Iterable[str]) -> None:
        self._call_start("reload", names, self._timeout)

    def _call_start(self, verb: str, names: Iterable[str], timeout: int) -> None:
        try:
            self._call(verb, names, timeout=timeout)
        except CommandError as error:
            raise CommandError(str(error), reason="unit_not_started", **error.facts) from error

    def stop(self, names: Iterable[str]) -> None:
        """Stop units.

        :raises CruntimeError: if a unit does not stop in time. It continues to stop, and cannot
            start until it has stopped.
        """
        try:
            self._call("stop", names, timeout=self._timeout)
        except CommandError as error:
            raise CruntimeError(
                f"Could not stop {' or '.join(names)}: {error}. Find out what blocks the stop job, "
                "or increase the timeout option",
                reason="unit_not_stopped",
                **error.facts,
            ) from error

    def kill(self, names: Iterable[str]) -> None:
        """Kill units that do not stop: their daemons, but not the containers."""
        for process in ("control", "main"):
            # A unit can have only one of the two processes.
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
        # A mask can be in /etc, in /run or in both.
        self._call("unmask", names)
        self._call("unmask", names, "--runtime")

    def reset_failed(self, names: Iterable[str]) -> None:
        """Reset failures and the start limit counter, which could prevent another start."""
        self._runner.run("systemctl", "reset-failed", "--", *names)

    def daemon_reload(self) -> None:
        self._runner.output("systemctl", "daemon-reload", timeout=_CALL_TIMEOUT)

    def journal(self, names: Iterable[str], since: float, secrets: Iterable[str] = ()) -> list[str]:
        """Return the last lines that the processes of the units logged since a time.

        Secrets are redacted, and long lines are cut.

        :param since: time in seconds since the epoch.
        :param secrets: known secrets.
        """
        # Import it only after a failure: most runs do not need it.
        from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_log

        # Match the sender: --unit would add the messages of systemd about the unit.
        senders = [f"_SYSTEMD_UNIT={name}" for name in names]
        # Write pending messages to the journal first, because the process can have ended just now.
        self._runner.run("journalctl", "--sync")
        text = self._runner.run(
            "journalctl",
            "--no-pager",
            "--output=cat",
            # With --since, older versions count --lines from the beginning.
            "--reverse",
            "--lines=20",
            f"--since=@{int(since)}",
            *senders,
        ).out
        lines = redact_log(text, secrets).splitlines()
        return [_shorten(line) for line in reversed(lines) if line.strip()]

    def _call(
        self, verb: str, names: Iterable[str], *flags: str, timeout: int = _CALL_TIMEOUT
    ) -> None:
        # Pass sockets and services in one call, because systemd orders them.
        self._runner.output("systemctl", verb, *flags, "--", *names, timeout=timeout)


def _shorten(line: str) -> str:
    return line if len(line) <= _LINE_LIMIT else f"{line[:_LINE_LIMIT]}…"


def read_start(unit: Unit) -> Start:
    """Return how systemd would start a service now, from its unit and its environment files."""
    environment = command_line.read_environment(unit.environment, unit.environment_files)
    return Start(unit, command_line.expand(unit.command, environment), environment)


def needed_by(names: Iterable[str], units: dict[str, Unit]) -> set[str]:
    """Return the units that are started together with these units, directly or indirectly."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        for name in _list_needs(units[todo.pop()]):
            if name in units and name not in found:
                found.add(name)
                todo.append(name)
    return found


def _list_needs(unit: Unit) -> Iterator[str]:
    yield from unit.needs
    # dockerd starts a containerd of its own, unless this flag has the socket of another one.
    if command_line.find_flag(unit.command, "containerd"):
        yield CONTAINERD.service


def make_unit(name: str, properties: dict[str, Any], epoch_of_clock: float) -> Unit:
    """Return a unit with the properties that systemd reports.

    :param epoch_of_clock: start of the monotonic clock, in seconds since the epoch.
    """
    started = properties.get("ExecMainStartTimestampMonotonic", 0)
    active = properties.get("ActiveState", "inactive")
    # Each command is (path, argv, ...).
    commands = properties.get("ExecStart", [])
    return Unit(
        name=name,
        load_state=properties["LoadState"],
        active_state=active,
        file_state=properties.get("UnitFileState", ""),
        path=properties.get("FragmentPath", ""),
        drop_ins=tuple(properties.get("DropInPaths", ())),
        pid=properties.get("MainPID", 0),
        # A stopped unit still has the start time of its last process.
        started=epoch_of_clock + started / 1e6 if started and active == "active" else None,
        command=tuple(commands[-1][1]) if commands else (),
        reload_needed=properties.get("NeedDaemonReload", False),
        needs=_list_units(properties, _PULLED_IN_BY),
        stops_with=_list_units(properties, _STOPPED_WITH),
        kill_mode=properties.get("KillMode", ""),
        slice=properties.get("Slice", ""),
        environment=tuple(properties.get("Environment", ())),
        # (path, whether the file can be missing), and (type, address).
        environment_files=tuple(path for path, _optional in properties.get("EnvironmentFiles", ())),
        listens=tuple(address for _kind, address in properties.get("Listen", ())),
    )


def _list_units(properties: dict[str, Any], keys: Iterable[str]) -> frozenset[str]:
    return frozenset(name for key in keys for name in properties.get(key, ()))


def is_binary_replaced(pid: int) -> bool:
    """Return whether the binary of a process was removed or replaced since its start.

    :param pid: PID of the process, 0 for no process.
    """
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    return False


def read_masked_unit(unit: Unit) -> Unit:
    """Read the dependencies, the command and its environment of a masked unit from its files.

    systemd does not report them for a masked unit.
    """
    if not unit.masked:
        return unit
    paths = unit_files(unit.name)
    settings = [setting for path in paths for setting in read_settings(path)]
    return unit._replace(
        needs=parse_needs(settings),
        command=parse_exec_start(settings),
        environment=tuple(
            word
            for value in _list_values(settings, "Environment")
            for word in command_line.split_words(value)
        ),
        environment_files=tuple(
            value.lstrip("-") for value in _list_values(settings, "EnvironmentFile")
        ),
        drop_ins=tuple(path for path in paths if os.path.dirname(path).endswith(".d")),
    )


def unit_files(name: str) -> list[str]:
    """Return the unit file that a mask hides, and the drop-ins of the unit, in systemd's order."""
    main = [path for path in (f"{parent}/{name}" for parent in _UNIT_DIRS) if os.path.exists(path)]
    return main[:1] + find_drop_ins(name)


def find_drop_ins(name: str) -> list[str]:
    """Return the drop-ins of a unit, in systemd's order. systemd may not have loaded them yet."""
    # A drop-in replaces the drop-ins of the same name in the directories that follow.
    drop_ins: dict[str, str] = {}
    for parent in ("/etc/systemd/system", "/run/systemd/system", *_UNIT_DIRS):
        for path in glob.glob(f"{parent}/{name}.d/*.conf"):
            drop_ins.setdefault(os.path.basename(path), path)
    return [path for _basename, path in sorted(drop_ins.items())]


def list_drop_ins(unit: Unit) -> list[str]:
    """Return the drop-ins of a unit, those that systemd has loaded and those that it will load."""
    drop_ins = {os.path.basename(path): path for path in find_drop_ins(unit.name)}
    drop_ins.update((os.path.basename(path), path) for path in unit.drop_ins)
    return [path for _basename, path in sorted(drop_ins.items())]


def read_settings(path: str) -> list[str]:
    try:
        text = read_regular(path).decode("utf-8", errors="replace")
    except (OSError, CruntimeError):
        # The path is a directory, or a file that systemd cannot read either.
        return []
    return join_lines(text)


def join_lines(text: str) -> list[str]:
    """Return the lines of a unit file without comments, each with its continuation lines.

    A comment neither has nor ends a continuation.
    """
    lines = [line for line in text.split("\n") if not is_comment(line)]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", ";"))


def parse_needs(settings: Iterable[str]) -> frozenset[str]:
    """Return the units that a unit with these settings depends on."""
    return frozenset(
        needed
        for key, value in parse_settings(settings)
        if key in _PULLED_IN_BY
        for needed in value.split()
    )


def parse_exec_start(settings: Iterable[str]) -> tuple[str, ...]:
    """Return the argv of the last ExecStart in the lines of a unit file."""
    command = ""
    for key, value in parse_settings(settings):
        if key == "ExecStart":
            command = value
    # Strip the exec prefixes of systemd, such as - (ignore failures).
    return tuple(command.lstrip("@-:+!|").split())


def _list_values(settings: Iterable[str], wanted: str) -> list[str]:
    """Return the values of a key that can be repeated. An empty value resets the list."""
    values: list[str] = []
    for key, value in parse_settings(settings):
        if key == wanted:
            values = [*values, value] if value else []
    return values


def parse_settings(settings: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys and the values in the lines of a unit file."""
    for line in settings:
        key, equals, value = line.partition("=")
        if equals and not key.startswith(("#", ";")):
            yield key.strip(), value.strip()
