# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summarize a node for the report: its runtimes and its drift from the spec."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text
from ansible_collections.cruntime.node.plugins.plugin_utils import drift
from ansible_collections.cruntime.node.plugins.plugin_utils.failures import error_text


class Images(NamedTuple):
    """Images that must be present on a node.

    :param wanted: names of the images.
    :param found: result of cruntime_image in check mode.
    """

    wanted: list[str]
    found: dict[str, Any]


NO_IMAGES = Images([], {"images": []})


def summarize_node(
    info: dict[str, Any], plan: dict[str, Any] | None, images: Images = NO_IMAGES
) -> dict[str, Any]:
    """Summarize one node.

    :param info: result of cruntime_info, which can have failed.
    :param plan: result of cruntime_enable in check mode; None without a spec.
    :param images: images that must be present, with the result of cruntime_image.
    :return: a dict with all keys. A value that could not be determined is None or empty.
    """
    if "runtimes" not in info:
        return _node("failed", error=_error_text(info))
    runtimes = _running(info)
    if plan is None:
        return _node("unspecified", runtimes=runtimes)
    overridden = [{"kind": "overridden", **each} for each in plan.get("overridden", [])]
    if "runtime" not in plan and overridden:
        # The files match the spec, but the runtime would not use them.
        return _node("drift", runtimes=runtimes, drift=overridden, error=_error_text(plan))
    if "runtime" not in plan:
        return _node("failed", runtimes=runtimes, error=_error_text(plan))
    pending = [
        {"kind": "pending", "source": "process", "file": None, **each}
        for each in plan.get("pending", [])
    ]
    unknown = [{"kind": "unknown", **each} for each in plan.get("unknown", [])]
    differences = overridden + pending + unknown + drift.of_files(plan["diff"])
    missing = _find_missing(images)
    state = "drift" if differences or plan["units"] or missing else "ok"
    if missing is None and state == "ok":
        # The node matches its spec, but its images could not be checked.
        state = "failed"
    return _node(
        state,
        error=f"images: {_error_text(images.found)}" if missing is None else None,
        runtimes=runtimes,
        images_missing=missing,
        spec_runtime=plan["runtime"],
        drift=differences,
        units=[
            {
                "name": unit["name"],
                "current": _unit_state(unit["before"]),
                "desired": _unit_state(unit["after"]),
                "cause": unit["cause"],
            }
            for unit in plan["units"]
        ],
    )


def unreachable(error: str) -> dict[str, Any]:
    """Summarize a node that is unreachable.

    :param error: error message of the connection.
    :return: a dict like the result of C(summarize_node).
    """
    return _node("unreachable", error=redact_text(error))


def _node(state: str, **known: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "error": None,
        "spec_runtime": None,
        "runtimes": None,
        "drift": [],
        "units": [],
    }
    return {"state": state, **nothing, "images_missing": None, **known}


def _running(info: dict[str, Any]) -> list[dict[str, Any]]:
    facts = ("version", "cgroup_driver", "socket_path", "enabled")
    return [
        {"name": name, **{fact: info["runtimes"][name][fact] for fact in facts}}
        for name in info["running"]
    ]


def _find_missing(images: Images) -> list[str] | None:
    """Return the names of the absent images; None if they could not be determined."""
    if images.found.get("failed"):
        return None
    present = {image["name"] for image in images.found["images"]}
    return [name for name in images.wanted if name not in present]


def _unit_state(unit: dict[str, Any]) -> str:
    boot = "masked" if unit["masked"] else "enabled" if unit["enabled"] else "disabled"
    return f"{'active' if unit['active'] else 'inactive'}, {boot}"


def _error_text(result: dict[str, Any]) -> str:
    error: str = redact_text(error_text(result))
    return error
