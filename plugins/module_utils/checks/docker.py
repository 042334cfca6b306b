# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of changed files of Docker and cri-dockerd."""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.checks import (
    cri_dockerd,
    docker_changes,
    docker_trial,
)
from ansible_collections.cruntime.node.plugins.module_utils.checks.base import Checks
from ansible_collections.cruntime.node.plugins.module_utils.contents import json_object, read
from ansible_collections.cruntime.node.plugins.module_utils.dropped import Dropped
from ansible_collections.cruntime.node.plugins.module_utils.effective.docker import remove_flags
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRI_DOCKERD_DROP_IN
from ansible_collections.cruntime.node.plugins.module_utils.runner import refuse
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    Start,
    Unit,
    read_start,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version


class DockerChecks(Checks[Docker]):
    def validate(self, staged: dict[str, str], version: str, units: dict[str, Unit]) -> None:
        path = staged.get(self._runtime.config_path)
        unit, docker = units[DOCKER.service], installed_version(version)
        start = read_start(unit)
        before = _read_keys(self._runtime.config_path)
        after = before if path is None else _read_keys(path)
        if self._runtime.adapter_enabled:
            api = after.get("min-api-version")
            cri_dockerd.check_version(self._runner, docker, api, start.environment)
        if path is None:
            return
        # Docker can validate a file from 23.0 on.
        if docker.major >= 23:
            self._validate_file(path, start)
        # If Docker does not run, its own start finds the error.
        keys = docker_trial.find_keys(before, after) if unit.active else {}
        if keys:
            docker_trial.try_start(self._runner, keys)

    def _validate_file(self, path: str, start: Start) -> None:
        # dockerd fails if a flag and the file set the same key. The keys of options are compared
        # with the flags later, because the error of dockerd does not name the file of a flag.
        flags = remove_flags(start.argv[1:])
        result = self._runner.run("dockerd", "--validate", *flags, "--config-file", path)
        if result.rc != 0:
            raise refuse(
                DOCKER.label, result.err.strip().replace(path, self._runtime.config_path), result
            )

    def check_changes(self, changes: Iterable[Change], units: dict[str, Unit]) -> None:
        for change in changes:
            if change.path == self._runtime.config_path:
                docker_changes.check(self._runner, self._runtime, change, units[DOCKER.service])

    def find_dropped(
        self, changes: Iterable[Change], foreign: dict[str, Change], staged: dict[str, str]
    ) -> list[Dropped]:
        found = []
        for change in changes:
            if change.path == self._runtime.config_path and isinstance(change.before, bytes):
                found += docker_changes.find_dropped(change)
        path = staged.get(CRI_DOCKERD_DROP_IN)
        known = any(change.path == CRI_DOCKERD_DROP_IN and change.before for change in changes)
        if path is not None and not known:
            found += cri_dockerd.find_dropped(path)
        return found


def _read_keys(path: str) -> dict[str, Any]:
    return json_object(read(path)[0]) or {}
