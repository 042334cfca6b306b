# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up a node for the report: what it runs, and how that differs from its spec."""

from __future__ import annotations

from typing import Any

from ansible_collections.cruntime.node.plugins.plugin_utils import drift


def row(name: str, info: dict, plan: dict) -> dict:
    """Sum up one node.

    :param info: what cruntime_info returned, if only that the node can't be reached.
    :param plan: what cruntime_enable returned in check mode; skipped where there is no spec.
    :return: all keys are always there; the values that nobody could tell are None or empty.
    """
    result: dict[str, Any] = {
        "name": name,
        "state": "ok",
        "error": None,
        "runtimes": _running(info),
        "spec_runtime": plan.get("runtime"),
        "drift": [],
        "units": [],
    }
    if info.get("unreachable") or plan.get("unreachable"):
        return dict(result, state="unreachable", error=_words(info, plan))
    if "runtimes" not in info:
        return dict(result, state="failed", error=_words(info))
    if plan.get("skipped"):
        return dict(result, state="unspecified")
    if "runtime" not in plan:
        return dict(result, state="failed", error=_words(plan))
    result["drift"] = _of_the_running(info, plan) + drift.of_files(plan["diff"])
    result["units"] = [
        {
            "name": unit["name"],
            "is": _unit_state(unit["before"]),
            "should_be": _unit_state(unit["after"]),
            "why": unit["why"],
        }
        for unit in plan["units"]
    ]
    return dict(result, state="drift" if result["drift"] or result["units"] else "ok")


def _running(info: dict) -> list[dict] | None:
    if "running" not in info:
        return None
    facts = ("version", "cgroup_driver", "socket_path", "enabled")
    return [
        {"name": name, **{fact: info["runtimes"][name][fact] for fact in facts}}
        for name in info["running"]
    ]


def _of_the_running(info: dict, plan: dict) -> list[dict]:
    """Tell what the running runtime itself says that its files may not: a drop-in can overrule."""
    driver, wanted = info["runtimes"][plan["runtime"]]["cgroup_driver"], plan["cgroup_driver"]
    if driver is None or wanted in (None, driver):
        return []
    return [{"file": None, "key": "cgroup_driver", "is": driver, "should_be": wanted}]


def _unit_state(unit: dict) -> str:
    boot = "masked" if unit["masked"] else "enabled" if unit["enabled"] else "disabled"
    return f"{'active' if unit['active'] else 'inactive'}, {boot}"


def _words(*results: dict) -> str:
    return next(
        (drift.scrubbed(str(result["msg"])) for result in results if result.get("msg")),
        "it failed without a word",
    )
