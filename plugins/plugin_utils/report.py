# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up a node for the report: what it runs, and how that differs from its spec."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_text
from ansible_collections.cruntime.node.plugins.plugin_utils import drift


class Images(NamedTuple):
    """The images that a node shall have.

    :param wanted: their names.
    :param found: what cruntime_image returned of them in check mode.
    """

    wanted: list[str]
    found: dict[str, Any]


NO_IMAGES = Images([], {"images": []})


def summed_up(
    info: dict[str, Any], plan: dict[str, Any] | None, images: Images = NO_IMAGES
) -> dict[str, Any]:
    """Sum up one node.

    :param info: what cruntime_info returned, if only that it failed.
    :param plan: what cruntime_enable returned in check mode; None where there is no spec.
    :param images: which images shall be there, and what cruntime_image said of them.
    :return: all keys are always there; what nobody could tell is None or empty.
    """
    if "runtimes" not in info:
        return _node("failed", error=_words(info))
    runtimes = _running(info)
    if plan is None:
        return _node("unspecified", runtimes=runtimes)
    if "runtime" not in plan:
        return _node("failed", runtimes=runtimes, error=_words(plan))
    differences = _of_the_running(info, plan) + drift.of_files(plan["diff"])
    missing = _missing(images)
    state = "drift" if differences or plan["units"] or missing else "ok"
    if missing is None and state == "ok":
        # Nobody can say so of its images.
        state = "failed"
    return _node(
        state,
        error=f"images: {_words(images.found)}" if missing is None else None,
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


def unreachable(words: str) -> dict[str, Any]:
    """Say of a node that it can't be reached.

    :param words: why.
    :return: a dict like that of C(summed_up).
    """
    return _node("unreachable", error=redact_text(words))


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


def _missing(images: Images) -> list[str] | None:
    """Name the images that are not there; None where the runtime could not be asked."""
    if images.found.get("failed"):
        return None
    there = {image["name"] for image in images.found["images"]}
    return [name for name in images.wanted if name not in there]


def _of_the_running(info: dict[str, Any], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Tell what the running runtime itself says that its files may not: a drop-in can overrule."""
    driver, wanted = info["runtimes"][plan["runtime"]]["cgroup_driver"], plan["cgroup_driver"]
    if driver is None or wanted in (None, driver):
        return []
    return [{"file": None, "key": "cgroup_driver", "current": driver, "desired": wanted}]


def _unit_state(unit: dict[str, Any]) -> str:
    boot = "masked" if unit["masked"] else "enabled" if unit["enabled"] else "disabled"
    return f"{'active' if unit['active'] else 'inactive'}, {boot}"


def _words(result: dict[str, Any]) -> str:
    words: str = redact_text(str(result.get("msg") or "it failed without a word"))
    return words
