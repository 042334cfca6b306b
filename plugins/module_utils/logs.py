# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the last lines of the logs of containers and of the runtime, with secrets redacted."""

from __future__ import annotations

import re
from typing import Any, Iterable, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Containers,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

#: Length of the text that is returned of one log, and of the logs of all containers, in characters.
LOG_LIMIT = 64 * 1024
TOTAL_LIMIT = 1024 * 1024
_MASK = "********"
# Names of environment variables that look like the name of a secret.
_SECRET_NAME = re.compile(
    "passw|passphrase|pass$|_pwd$|secret|token|credential|key$|auth$|auth_config$", re.IGNORECASE
)
_URL_WITH_PASSWORD = re.compile(r"(?<=://)[^\s/@:]*:[^\s/]+(?=@)")
# A shorter value could be a part of any word.
_SHORTEST_SECRET = 4


class Log(NamedTuple):
    """End of a log.

    :param truncated: whether the requested lines are longer than the text.
    """

    text: str
    truncated: bool


def of_containers(api: Containers, containers: list[Container], lines: int) -> list[dict[str, Any]]:
    """Return the last lines of the log of each container, as the module returns them.

    If the log of a container cannot be read, the container has an error instead.
    """
    if not containers:
        return []
    environments = api.environments(containers)
    limit = min(LOG_LIMIT, TOTAL_LIMIT // len(containers))
    return [
        {
            **{key: container.result[key] for key in ("id", "name", "namespace", "pod", "state")},
            "command": api.log_command(container.id, lines),
            "follow_command": api.log_command(container.id, lines, follow=True),
            **_read(api, container, lines, environments.get(container.id), limit),
        }
        for container in containers
    ]


def _read(
    api: Containers,
    container: Container,
    lines: int,
    environment: list[str] | None,
    limit: int,
) -> dict[str, Any]:
    nothing = {"text": None, "truncated": False}
    if environment is None:
        # Without the environment, the secrets in the log are not known.
        return dict(nothing, error="its environment could not be read: it may be gone")
    hidden = secrets(environment)
    try:
        text = api.log(container, lines)
    except CruntimeError as error:
        return dict(nothing, error=" ".join(clean(error.cause, hidden, limit).text.split()))
    return dict(clean(text, hidden, limit)._asdict(), error=None)


def of_units(runner: Runner, units: Iterable[Unit], lines: int) -> dict[str, Any]:
    """Return the last lines of units in the journal, as the module returns them."""
    services = [unit for unit in units if unit.found and unit.name.endswith(".service")]
    names = [word for unit in services for word in ("--unit", unit.name)]
    if not names:
        return {"units": [], "command": None, "text": "", "truncated": False}
    # Ansible already shows the name of the host.
    form = ("--no-pager", "--no-hostname", "--output=short-iso", "--lines", str(lines))
    text = redact_text(runner.output("journalctl", *form, *names))
    hidden = [secret for unit in services for secret in secrets(_environment(unit.pid))]
    return {
        "units": [unit.name for unit in services],
        "command": units_command(services, lines),
        **clean(text, hidden, LOG_LIMIT)._asdict(),
    }


def units_command(units: Iterable[Unit], lines: int) -> str:
    """Return a shell command that shows the journal of units."""
    names = " ".join(f"-u {unit.name[: -len('.service')]}" for unit in units)
    return f"sudo journalctl {names} -n {lines}"


def secrets(environment: Iterable[str]) -> set[str]:
    """Return the secrets in an environment.

    :param environment: variables as C(NAME=VALUE).
    """
    pairs = [variable.partition("=")[::2] for variable in environment]
    values = [value for name, value in pairs if _SECRET_NAME.search(name)]
    # The passwords of proxies are in URLs.
    logins = [login for _name, value in pairs for login in _URL_WITH_PASSWORD.findall(value)]
    passwords = [login.partition(":")[2] for login in logins]
    # A log can show a single line of a key.
    lines = {line.strip() for value in [*values, *passwords] for line in value.splitlines()}
    return {
        line
        for line in lines
        if len(line) >= _SHORTEST_SECRET and line.lower() not in ("true", "false")
    }


def clean(text: str, hidden: Iterable[str], limit: int) -> Log:
    """Return the end of a text, with secrets and passwords in URLs redacted."""
    # Replace the longest secrets first, because a secret can be a part of another one.
    for secret in sorted(set(hidden), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    text = _URL_WITH_PASSWORD.sub(f"{_MASK}:{_MASK}", text)
    return Log(text[-limit:], len(text) > limit)


def _environment(pid: int) -> list[str]:
    """Return the environment of a process, including environment files of its unit."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as handle:
            return handle.read().decode("utf-8", errors="replace").split("\0")
    except OSError:
        # The process ended, and its environment with it.
        return []
