# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Point the kubelet of a node at a CRI endpoint: plan, apply, verify, or roll back."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from typing import Any, Iterable, Mapping, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import (
    atomic,
    command_line,
    cri,
    kubelet_process,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.kubelet_settings import (
    CGROUP_DRIVER,
    ENDPOINT,
    IMAGE_ENDPOINT,
    KubeletFiles,
    Setting,
)
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_file
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Services,
    Unit,
    list_drop_ins,
)
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

UNIT = "kubelet.service"
_NAMES = {ENDPOINT: "endpoint", IMAGE_ENDPOINT: "image_endpoint", CGROUP_DRIVER: "cgroup_driver"}
#: Directories of files that packages replace, or that exist only until the next boot.
_LOST = ("/usr/lib/", "/lib/", "/run/")
#: Programs that take no settings from elsewhere. A script with this name can.
_PROGRAMS = ("kubelet", "hyperkube")
#: Time for a response of the CRI, in seconds.
_REQUEST_TIMEOUT = 10
#: Time for the unit to start the process of the kubelet, in seconds.
_START_TIME = 10
#: Time in which a kubelet that does not accept its configuration ends, in seconds.
_SETTLE_TIME = 2


class Plan(NamedTuple):
    """Changes that point a kubelet at an endpoint.

    :param unit: the unit before the run.
    :param endpoint: the endpoint to verify, None if the files are restored.
    :param texts: by path, the texts before of all files that set something.
    :param changed: by path, the new texts of the files that change.
    :param needs_start: whether the kubelet must be started or restarted.
    """

    unit: Unit
    endpoint: str | None
    before: dict[str, str | None]
    after: dict[str, str | None]
    texts: dict[str, str]
    changed: dict[str, str]
    needs_start: bool
    warnings: list[str]

    @property
    def result(self) -> dict[str, Any]:
        """Return the result of the module."""
        return {
            "changed": self.needs_start,
            "before": self.before,
            "after": self.after,
            "files": self.texts,
            "changed_files": sorted(self.changed),
            "warnings": self.warnings,
            "diff": [
                *(_diff_file(path, self.texts[path], self.changed[path]) for path in self.changed),
                *(
                    [_diff(UNIT, f"{self.unit}\n", "active, restarted\n")]
                    if self.needs_start
                    else []
                ),
            ],
        }


def _diff_file(path: str, before: str, after: str) -> dict[str, str]:
    return _diff(path, redact_file(before, after), redact_file(after, before))


def _diff(name: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def find_unit(services: Services) -> Unit:
    """Return the unit of the kubelet.

    :raises CruntimeError: if the node has none.
    """
    unit = services.look([UNIT])[UNIT]
    if unit.load_state != "loaded":
        raise CruntimeError(
            f"{UNIT}: not found: its state is {unit.load_state}. Install the kubelet, or unmask "
            "its unit",
            reason="kubelet_not_found",
        )
    return unit


def plan_endpoint(
    unit: Unit, endpoint: str, cgroup_driver: str | None, unsafe_writes: bool
) -> Plan:
    """Plan how a kubelet uses an endpoint.

    :param unsafe_writes: whether mounted files can be overwritten in place.
    :raises CruntimeError: if the settings of the kubelet cannot be changed safely.
    """
    files = _read_files(unit)
    _check_found(files)
    argv = kubelet_process.find_argv(unit.pid)
    _check_program(files, argv)
    values = {ENDPOINT: endpoint, IMAGE_ENDPOINT: endpoint}
    values.update({CGROUP_DRIVER: cgroup_driver} if cgroup_driver else {})
    changed = files.rewrite(values)
    _check_changes(changed, unsafe_writes)
    rewritten = files.rewritten(changed)
    _check_values(rewritten, values)
    used = kubelet_process.read_socket(argv)
    paths = files.list_settings_files()
    return Plan(
        unit,
        endpoint,
        before=_describe(files),
        after=_describe(rewritten),
        texts={path: _read_text(path) for path in paths},
        changed=changed,
        needs_start=bool(changed)
        or not unit.active
        or used != kubelet_process.resolve(endpoint)
        or _is_older(unit, paths),
        warnings=_warn_of_driver(rewritten, cgroup_driver),
    )


def plan_files(unit: Unit, texts: Mapping[str, str]) -> Plan:
    """Plan how files of a kubelet get back the texts that an earlier run returned."""
    files = _read_files(unit)
    before = {path: _read_text(path) for path in texts}
    changed = {path: text for path, text in texts.items() if text != before[path]}
    return Plan(
        unit,
        None,
        before=_describe(files),
        after=_describe(files.rewritten(changed)),
        texts=before,
        changed=changed,
        needs_start=bool(changed) or not unit.active or _is_older(unit, texts),
        warnings=[],
    )


def apply(module: AnsibleModule, services: Services, plan: Plan, timeout: int) -> None:
    """Write the files, start the kubelet, and verify it.

    :param timeout: time in seconds for the CRI to respond, and for the kubelet to start.
    :raises CruntimeError: if a step fails. All changes are rolled back.
    """
    if plan.endpoint:
        _wait_for_cri(plan.endpoint, timeout)
    if not plan.needs_start:
        return
    begun = time.time()
    try:
        _write(module, plan.changed)
        _start(services, plan)
        _verify(services, plan.endpoint, timeout)
    except (CruntimeError, OSError) as error:
        raise _roll_back(module, services, plan, error, begun) from error


def _start(services: Services, plan: Plan) -> None:
    if plan.unit.reload_needed or _has_unit_files(plan):
        services.daemon_reload()
    services.reset_failed([UNIT])
    # systemd reports a kubelet that waits for its next start as started, so restart it.
    services.restart([UNIT])


def _verify(services: Services, endpoint: str | None, timeout: int) -> None:
    """Check that the kubelet uses the endpoint, and that it keeps running."""
    if endpoint:
        _check_endpoint(services, endpoint, timeout)
        _wait_for_cri(endpoint, timeout)
    pid = _find_pid(services)
    time.sleep(_SETTLE_TIME)
    if not pid or _find_pid(services) != pid:
        raise CommandError(
            f"{UNIT}: the kubelet does not keep running: its process ended within {_SETTLE_TIME} "
            f"seconds. Read its log: journalctl --unit {UNIT}",
            reason="unit_not_started",
        )


def _check_endpoint(services: Services, endpoint: str, timeout: int) -> None:
    used: list[str | None] = []

    def is_used() -> bool:
        used.append(kubelet_process.read_socket(kubelet_process.find_argv(_find_pid(services))))
        return used[-1] == kubelet_process.resolve(endpoint)

    # A script can take some time before it starts the kubelet.
    if not wait_until(is_used, min(_START_TIME, timeout)):
        raise CruntimeError(
            f"{UNIT}: the kubelet does not use {endpoint} after its start: its process has "
            f"{used[-1] or 'no CRI socket'}. Find out what changes its flags: systemctl cat {UNIT}",
            reason="result_unexpected",
        )


def _find_pid(services: Services) -> int:
    return services.look([UNIT])[UNIT].pid


def _wait_for_cri(endpoint: str, timeout: int) -> None:
    """Wait until a CRI responds on an endpoint.

    :raises RequestError: if it does not respond in time.
    """
    errors: list[CruntimeError] = []

    def is_responding() -> bool:
        try:
            path = kubelet_process.resolve(endpoint)
            with Channel(path, min(_REQUEST_TIMEOUT, timeout)) as channel:
                cri.version(channel)
        except CruntimeError as error:
            errors.append(error)
            return False
        return True

    if not wait_until(is_responding, timeout):
        raise CruntimeError(
            f"{endpoint}: no CRI responds within {timeout} seconds: {errors[-1]}. Enable the "
            "runtime of this endpoint first",
            reason="no_response",
        ) from errors[-1]


def _roll_back(
    module: AnsibleModule, services: Services, plan: Plan, error: Exception, begun: float
) -> CruntimeError:
    """Restore the files and the state of the unit; return the error for the user."""
    reason = error.reason if isinstance(error, CruntimeError) else "system_error"
    facts = error.facts if isinstance(error, CruntimeError) else {}
    journal: list[str] = []
    with contextlib.suppress(CruntimeError):
        journal = services.journal([UNIT], begun)
    cause = f" (last line of the journal: {journal[-1]})" if journal else ""
    try:
        _write(module, {path: plan.texts[path] for path in plan.changed})
        if _has_unit_files(plan):
            services.daemon_reload()
        if plan.unit.active:
            services.reset_failed([UNIT])
            services.restart([UNIT])
        else:
            services.stop([UNIT])
        end, rolled_back = "All changes were rolled back", True
    except (CruntimeError, OSError) as rollback_error:
        end, rolled_back = f"The rollback failed: {rollback_error}", False
    return CruntimeError(
        f"{error}{cause}. {end}",
        reason=reason,
        **{**facts, "rolled_back": rolled_back, "journal": journal},
    )


def _write(module: AnsibleModule, texts: Mapping[str, str]) -> None:
    for path, text in sorted(texts.items()):
        # Links to the file are kept.
        target = os.path.realpath(path)
        try:
            if text != _read_text(path):
                replace = functools.partial(atomic.replace, module)
                atomic.write_file(target, text.encode(), 0o644, replace)
        except OSError as error:
            raise atomic.describe_error(target, error) from error


def _read_files(unit: Unit) -> KubeletFiles:
    return KubeletFiles((unit.path, *list_drop_ins(unit)), _read_text)


def _read_text(path: str) -> str:
    """Return the text of a file, empty if it does not exist.

    :raises CruntimeError: if it is not a text file.
    """
    try:
        return read_regular(path).decode()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        raise CruntimeError(
            f"{path}: unreadable file: {error}. The kubelet reads this file, so repair it",
            reason="file_unreadable",
        ) from error


def _describe(files: KubeletFiles) -> dict[str, str | None]:
    found = {name: files.find(setting) for setting, name in _NAMES.items()}
    return {name: each.value if each else None for name, each in found.items()}


def _has_unit_files(plan: Plan) -> bool:
    return not plan.changed.keys().isdisjoint((plan.unit.path, *list_drop_ins(plan.unit)))


def _is_older(unit: Unit, paths: Iterable[str]) -> bool:
    """Return whether the kubelet was started before one of its files was written."""
    changes = [os.stat(path).st_mtime for path in paths if os.path.exists(path)]
    return unit.started is not None and max(changes, default=0) > unit.started


def _check_found(files: KubeletFiles) -> None:
    if not files.find(ENDPOINT):
        raise CruntimeError(
            f"{UNIT}: the CRI endpoint of the kubelet is not set: {', '.join(files.paths)} and "
            f"environment files have neither --{ENDPOINT.flag} nor {ENDPOINT.field}. Set one of "
            f"them there. If {files.program or 'the program'} is a script that sets it, move the "
            "flag to the unit. Nothing was changed",
            reason="kubelet_endpoint_not_found",
        )


def _check_program(files: KubeletFiles, argv: list[str]) -> None:
    """Check that no wrapper script sets the endpoint of the running kubelet.

    :param argv: command line of the running kubelet, empty if it does not run.
    """
    found, used = files.find(ENDPOINT), kubelet_process.read_socket(argv)
    flags = command_line.find_flags(argv, ENDPOINT.flag)
    is_same = found and used == kubelet_process.resolve(found.value)
    # The kubelet itself takes its flags only from its unit. It can be older than its unit.
    if not argv or (is_same and flags == files.list_flags(ENDPOINT)) or _is_kubelet(files.program):
        return
    raise _not_editable(
        files.program,
        ENDPOINT,
        f"the kubelet was started with the CRI socket {used}, which differs from the files of "
        f"{UNIT}. If this program is a script that sets the flag, move the flag to the unit. If "
        "the files are newer than the kubelet, restart the kubelet",
    )


def _is_kubelet(program: str) -> bool:
    with contextlib.suppress(OSError), open(program, "rb") as handle:
        return os.path.basename(program) in _PROGRAMS and handle.read(2) != b"#!"
    return False


def _check_changes(changed: Mapping[str, str], unsafe_writes: bool) -> None:
    """Check that the files to change can be replaced, and keep their new text."""
    mounts = atomic.list_mount_points() if changed and not unsafe_writes else set()
    for path in sorted(changed):
        target = os.path.realpath(path)
        if target.startswith(_LOST):
            raise _not_editable(
                path,
                ENDPOINT,
                "a change would be lost, because a package or a generator writes this file. Set "
                "the flag in a drop-in in /etc/systemd/system/kubelet.service.d",
            )
        if target in mounts:
            raise atomic.describe_mount(target)
        if not os.access(os.path.dirname(target), os.W_OK):
            raise _not_editable(path, ENDPOINT, "its file system is read-only. Make it writable")


def _check_values(files: KubeletFiles, values: Mapping[Setting, str]) -> None:
    """Check that the kubelet would start with these values, if they are set at all."""
    for setting, value in values.items():
        found = files.find(setting)
        if found and found.value != value:
            raise _not_editable(
                str(found.source),
                setting,
                f"it sets {found.value} in a way that cannot be changed. Write the value out, as "
                f"--{setting.flag}=VALUE",
            )


def _not_editable(place: str, setting: Setting, problem: str) -> CruntimeError:
    return CruntimeError(
        f"{place}: could not change --{setting.flag}: {problem}. Nothing was changed",
        reason="kubelet_not_editable",
    )


def _warn_of_driver(files: KubeletFiles, driver: str | None) -> list[str]:
    if driver in (None, "cgroupfs") or files.find(CGROUP_DRIVER):
        return []
    return [
        f"No file sets {CGROUP_DRIVER.field} of the kubelet, and its default is cgroupfs, but the "
        f"runtime uses {driver}. A kubelet before 1.31 needs {CGROUP_DRIVER.field}: {driver}"
    ]
