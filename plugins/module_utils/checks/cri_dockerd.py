# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of cri-dockerd: its version, and the flags that the drop-in of the collection replaces."""

from __future__ import annotations

import os
import re
import shlex
from typing import Mapping

from ansible_collections.cruntime.node.plugins.module_utils import dropped, services
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRI_DOCKERD_DROP_IN
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.versions import Version

_UNIT = DOCKER.adapters[-1]
_ADMINS_UNIT = f"/etc/systemd/system/{_UNIT}"
# Newest version of the API of Docker that cri-dockerd supports, from each version on.
# Source: the versions of the client of Docker in its go.mod.
_NEWEST_API = (
    ("0.4.2", (1, 44)),
    ("0.4.0", (1, 46)),
    ("0.3.16", (1, 44)),
    ("0.3.13", (1, 43)),
    ("0.3.12", (1, 44)),
    ("0.3.8", (1, 43)),
    ("0.3.3", (1, 42)),
    ("0.2.0", (1, 41)),
)
# Versions of cri-dockerd that require version 1.42 of the API, which Docker has from 23.0 on.
_REQUIRING_23 = ("0.4.0", "0.4.1")
# Oldest version of the API that Docker supports by default, from this version of Docker on. Docker
# before 29 supports every version of cri-dockerd.
_OLDEST_API = (("29.3.0", (1, 40)), ("29.0.0", (1, 44)))
_REMEDY = (
    f"If they are needed, set ExecStart in a drop-in of {_UNIT} that sorts after "
    f"{os.path.basename(CRI_DOCKERD_DROP_IN)}"
)


def check_version(
    runner: Runner, docker: Version, oldest_api: str | None, environment: Mapping[str, str]
) -> None:
    """Check that cri-dockerd and Docker support a common version of the API of Docker.

    :param docker: version of Docker.
    :param oldest_api: C(min-api-version) in the configuration of Docker, None if it is not set.
    :param environment: environment of Docker.
    :raises CruntimeError: if cri-dockerd would not start with this Docker.
    """
    text = parse_version(runner.output("cri-dockerd", "--version"))
    if text is None:
        # A development build.
        return
    found = Version(text)
    if text in _REQUIRING_23 and docker < Version("23.0.0"):
        raise CruntimeError(
            f"cri-dockerd {text} requires Docker 23.0.0 or newer, but Docker {docker.text} is "
            "installed. Update Docker",
            reason="version_incompatible",
            service="docker",
            installed=docker.text,
            required="23.0.0",
        )
    newest = next((api for since, api in _NEWEST_API if found >= Version(since)), None)
    default = next((api for since, api in _OLDEST_API if docker >= Version(since)), None)
    oldest = _parse_api(environment.get("DOCKER_MIN_API_VERSION") or oldest_api) or default
    if newest and oldest and newest < oldest:
        raise CruntimeError(
            f"cri-dockerd {text} does not support Docker {docker.text}: it uses at most version "
            f"{_show(newest)} of the API of Docker, but Docker supports only {_show(oldest)} and "
            f"newer. Update cri-dockerd, or set min-api-version to {_show(newest)} in extra_config",
            reason="version_incompatible",
        )


def parse_version(text: str) -> str | None:
    """Parse C(cri-dockerd --version): C(cri-dockerd 0.3.15 (c1c566e)), None for another build."""
    found = re.match(r"cri-dockerd v?([0-9]+\.[0-9]+\.[0-9]+)", text)
    return found[1] if found else None


def _parse_api(text: str | None) -> tuple[int, int] | None:
    found = re.fullmatch(r"([0-9]+)\.([0-9]+)", text or "")
    return (int(found[1]), int(found[2])) if found else None


def _show(api: tuple[int, int]) -> str:
    return ".".join(map(str, api))


def find_dropped(staged: str) -> list[dropped.Dropped]:
    """Return the flags that are lost with the command that the staged drop-in replaces."""
    file = ""
    command: tuple[str, ...] = ()
    for path in _unit_files():
        settings = services.read_settings(path)
        if not any(line.startswith("ExecStart=") for line in settings):
            continue
        if os.path.basename(path) > os.path.basename(CRI_DOCKERD_DROP_IN) and command:
            # This drop-in is read later, so it still sets the command.
            return []
        file, command = path, services.parse_exec_start(settings)
    new = parse_flags(services.parse_exec_start(services.read_settings(staged)))
    old = parse_flags(command)
    lost: dict[tuple[str, ...], str] = {
        (flag,): value for flag, value in old.items() if flag not in new
    }
    return dropped.describe(lost, file, _REMEDY)


def _unit_files() -> list[str]:
    """Return the unit file and its drop-ins. A unit file in /etc replaces the packaged one."""
    paths = services.unit_files(_UNIT)
    # A mask is a link to /dev/null, which is not a regular file.
    if os.path.isfile(_ADMINS_UNIT):
        paths = [_ADMINS_UNIT, *(path for path in paths if os.path.basename(path) != _UNIT)]
    return paths


def parse_flags(command: tuple[str, ...]) -> dict[str, str]:
    """Return the flags of a command with their values, empty for a flag without one."""
    flags: dict[str, str] = {}
    name = ""
    for word in shlex.split(" ".join(command[1:])):
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            flags[name] = value
            name = "" if equals else name
        elif name:
            flags[name], name = word, ""
    return flags
