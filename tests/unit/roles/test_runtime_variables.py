# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the role runtime that its tasks and its summary use."""

from __future__ import annotations

import inspect
import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).parents[3] / "roles" / "runtime"
# From ansible-core 2.19 on, only a trusted string is a template.
_PARAMETERS = inspect.signature(DataLoader.load_from_file).parameters
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in _PARAMETERS else {}


def variables(**chosen):
    """Return a function that returns the variables of the role."""
    loader, known = DataLoader(), {}
    for name in ("defaults", "vars"):
        known.update(loader.load_from_file(str(ROLE / name / "main.yml"), **TRUSTED))
    templar = Templar(loader, {**known, **chosen})
    return lambda name: templar.template(templar.available_variables[name])


@pytest.mark.parametrize("family", ["debian", "redhat"])
def test_each_family_has_the_same_tasks(family):
    jobs = ("repositories", "packages", "package_dir", "hold", "refuse", "release", "remove")
    for job in jobs:
        assert (ROLE / "tasks" / f"{job}-{family}.yml").exists()


@pytest.mark.parametrize(
    ("others", "released"),
    [([], ["docker-ce", "containerd.io"]), (["containerd"], ["docker-ce"])],
)
def test_holds_are_removed_with_the_last_runtime_that_may_need_them(others, released):
    names = ["docker-ce", "containerd.io"]
    tell = variables(
        runtime_removed={"configured_runtimes": others},
        _runtime_look={"packages": {"main": ["docker-ce"], "names": names, "held": names}},
    )
    assert tell("_runtime_released") == released


@pytest.mark.parametrize(
    ("state", "look", "enabled", "summary"),
    [
        ("present", None, {"due": [], "version": "2.1.9"}, "containerd 2.1.9: unchanged"),
        (
            "present",
            None,
            {
                "due": [],
                "version": "2.1.9",
                "files": [
                    {"path": "/etc/a", "changed": True},
                    {"path": "/etc/b", "changed": False},
                ],
                "units": [{"name": "containerd.service"}],
            },
            "containerd 2.1.9: /etc/a, containerd.service",
        ),
        ("present", ["packages"], {"version": "2.1.9"}, "containerd 2.1.9: packages"),
        # In check mode on a bare node, the spec is not applied.
        ("present", ["packages"], {"skipped": True}, "containerd: packages"),
        ("absent", None, {"due": ["removal"]}, "containerd: absent"),
    ],
)
def test_the_summary_is_one_line(state, look, enabled, summary):
    looked = {} if look is None else {"_runtime_look": {"due": look}}
    tell = variables(
        runtime_spec={"runtime": "containerd"},
        runtime_state=state,
        runtime_enabled=enabled,
        **looked,
    )
    assert tell("_runtime_summary") == summary
