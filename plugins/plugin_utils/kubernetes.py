# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements of a Kubernetes version."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.plugin_utils.formats import import_library
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import Spec

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


def check(spec: Spec) -> Iterator[str]:
    """Yield the problems of the option kubernetes_version."""
    version = parse_version(spec["kubernetes_version"])
    if version is None:
        yield (
            "kubernetes_version must be a full version such as 1.34.2, not "
            f"{spec['kubernetes_version']!r}"
        )
    elif not spec["sandbox_image"] and _find_pause_tag(version) is None:
        yield (
            f"kubernetes_version {version} is not supported without sandbox_image: the default is "
            "known only for 1.18 and newer. Set sandbox_image"
        )


def parse_version(text: str | None) -> Any:
    """Parse a version of Kubernetes into a C(semver.Version), None if it is not a version."""
    try:
        return import_library("semver").Version.parse((text or "").removeprefix("v"))
    except ValueError:
        return None


def find_sandbox_image(spec: Spec) -> str | None:
    """Return the sandbox image of a spec, or the default of its Kubernetes version if not set."""
    given: str | None = spec["sandbox_image"]
    if given or not spec["kubernetes_version"]:
        return given
    tag = _find_pause_tag(parse_version(spec["kubernetes_version"]))
    return f"{spec['image_repository'] or REPOSITORY}/pause:{tag}" if tag else None


def _find_pause_tag(version: Any) -> str | None:
    if version is None:
        return None
    tags = (tag for minor, tag in _PAUSE_TAGS if (version.major, version.minor) >= minor)
    return next(tags, None)
