# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a version of Kubernetes asks of a runtime."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.versions import Version
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

REPOSITORY = "registry.k8s.io"

# The first minor version of Kubernetes with each tag of the pause image, newest first.
_PAUSE_TAGS = (
    ((1, 36), "3.10.2"),
    ((1, 34), "3.10.1"),
    ((1, 31), "3.10"),
    ((1, 26), "3.9"),
    ((1, 25), "3.8"),
    ((1, 24), "3.7"),
    ((1, 23), "3.6"),
    ((1, 22), "3.5"),
    ((1, 21), "3.4.1"),
    ((1, 18), "3.2"),
)


def parse_version(text: str) -> Version:
    """Read a version of Kubernetes.

    :raises SpecError: it is none.
    """
    try:
        return Version(text)
    except ValueError as error:
        raise SpecError(
            f"kubernetes_version must be a full version such as 1.34.2, not {text!r}"
        ) from error


def sandbox_image(spec: dict[str, Any]) -> str | None:
    """Choose the sandbox image: the one given, else that of the Kubernetes version, if any."""
    given: str | None = spec["sandbox_image"]
    if given or not spec["kubernetes_version"]:
        return given
    version = parse_version(spec["kubernetes_version"])
    for minor, tag in _PAUSE_TAGS:
        if (version.major, version.minor) >= minor:
            return f"{spec['image_repository'] or REPOSITORY}/pause:{tag}"
    raise SpecError(
        f"kubernetes_version {version.text} is older than 1.18, the oldest whose sandbox image is "
        "known: give sandbox_image"
    )
