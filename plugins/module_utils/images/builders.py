# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tools that build images, because no API of a runtime builds images."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils.image_reference import registry_of
from ansible_collections.cruntime.node.plugins.module_utils.images import auth_file
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Build
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

# Number of lines of the output that an error shows.
_LINES = 20
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*([^\s$]+)(?:\s|$)", re.IGNORECASE | re.MULTILINE)


def run(
    runner: Runner,
    *command: str,
    build: Build,
    scratch_dir: str,
    timeout: float,
    variables: dict[str, str] | None = None,
) -> None:
    """Run a tool that builds an image.

    :param command: command with all arguments.
    :param scratch_dir: directory that no other user can read.
    :param timeout: time for the build, in seconds.
    :param variables: variables in the environment of the tool.
    :raises CommandError: if the build fails. The message has the end of the output.
    """
    with _log_in(build, scratch_dir) as given:
        env = {**(variables or {}), **given.pop("env", {})}
        # Some tools print the output of a failed step to the standard output.
        result = runner.run(*command, timeout=timeout, env=env, merged=True, **given)
    if result.rc != 0:
        lines = [line.strip() for line in result.out.splitlines() if line.strip()]
        raise result.failure(f"{command[0]} build", cause="\n".join(lines[-_LINES:]))


def run_like_docker(
    runner: Runner, *command: str, build: Build, scratch_dir: str, timeout: float
) -> None:
    """Run a tool that takes the arguments of C(docker build).

    :param command: command without the arguments that describe the build.
    :param scratch_dir: directory that no other user can read.
    :param timeout: time for the build, in seconds.
    :raises CommandError: if the build fails. The message has the end of the output.
    """
    args, variables = build.pass_args()
    words = (
        *(word for tag in build.tags for word in ("--tag", tag)),
        *("--file", build.dockerfile),
        *args,
        *(word for item in build.labels.items() for word in ("--label", "=".join(item))),
        *build.options,
        build.context,
    )
    run(
        runner,
        *(*command, *words),
        build=build,
        scratch_dir=scratch_dir,
        timeout=timeout,
        variables=variables,
    )


@contextlib.contextmanager
def _log_in(build: Build, scratch_dir: str) -> Iterator[dict[str, Any]]:
    """Yield the arguments of the runner that log a tool in to a registry."""
    if build.credentials is None:
        yield {}
        return
    with open(build.dockerfile, encoding="utf-8", errors="replace") as file:
        hosts = find_registries(build.tags, file.read())
    with auth_file.written(scratch_dir, hosts, build.credentials) as file_of_auth:
        path = file_of_auth.path
        # The first variable is for docker, nerdctl and buildctl, the second one for podman.
        env = {"DOCKER_CONFIG": os.path.dirname(path), "REGISTRY_AUTH_FILE": path}
        yield {"env": env, "descriptors": (file_of_auth.descriptor,)}


def find_registries(tags: tuple[str, ...], dockerfile: str) -> list[str]:
    """Return the registries that get the credentials of a build.

    :return: the registries of the tags. If these have no registry, that of the base images, except
        if there are several: the credentials of one must not be sent to the others.
    """
    hosts = {registry_of(tag) for tag in tags} - {"localhost"}
    if hosts:
        return sorted(hosts)
    bases = {registry_of(name) for name in _FROM.findall(dockerfile) if name != "scratch"}
    return sorted(bases) if len(bases) == 1 else []
