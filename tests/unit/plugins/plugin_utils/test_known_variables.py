# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt variable is found, and a variable of the user's own is not."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.cruntime.node.plugins.filter.misspelt_variables import FilterModule
from ansible_collections.cruntime.node.plugins.plugin_utils.known_variables import (
    VARIABLES,
    find_misspelt,
)

ROOT = pathlib.Path(__file__).parents[4]


def documented_variables():
    """Yield the variables of the roles, and those in the comments of the playbooks."""
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            yield from entry["options"]
    for path in ROOT.glob("playbooks/*.yml"):
        yield from re.findall(r"^#   ([a-z]+_[a-z_]+) {2,}", path.read_text(), re.MULTILINE)
        yield from re.findall(r"\b(cruntime_hosts|report_dir)\b", path.read_text())


def test_all_variables_are_known():
    assert sorted(set(documented_variables())) == sorted(VARIABLES)
    assert find_misspelt(VARIABLES) == []


MISSPELT = {
    "runtime_sepc": "runtime_spec",
    "runtime_specs": "runtime_spec",
    "switch_sepc": "switch_spec",
    "switch_drian_flags": "switch_drain_flags",
    "switch_kube_config": "switch_kubeconfig",
    "runtime_image": "runtime_images",
    "runtime_package": "runtime_packages",
    "runtime_sysctl": "runtime_sysctls",
    "cruntime_host": "cruntime_hosts",
    "cruntime_cannary": "cruntime_canary",
    "cruntime_max_fail_precentage": "cruntime_max_fail_percentage",
    "report_dri": "report_dir",
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_name(name):
    assert find_misspelt([name, "inventory_hostname"]) == [(name, MISSPELT[name])]


@pytest.mark.parametrize(
    "name",
    [
        *("runtime_env", "runtime_dir", "runtime_type", "runtime_user", "runtime_name"),
        *("runtime_version_id", "runtime_store", "runtime_images_list", "runtime_spec_file"),
        *("runtime_config", "runtime_enabled", "runtime_options", "runtime_removed"),
        *("switch_port", "switch_vlans", "switch_id", "cruntime_report", "cruntime_report_seen"),
        *("report_path", "report_to", "sepc", "runtime", "my_runtime_sepc", "_runtime_spek"),
    ],
)
def test_a_name_of_the_user(name):
    assert find_misspelt([name]) == []


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_letter_that_is_missing_doubled_or_swapped(variable):
    """Each variable is found with one mistake in the last word, unless that makes another one."""
    last = len(variable) - 1
    for wrong in (
        variable[: last - 1] + variable[last:],
        variable + variable[last],
        variable[: last - 1] + variable[last] + variable[last - 1],
    ):
        if wrong not in VARIABLES:
            assert [name for name, _variable in find_misspelt([wrong])] == [wrong]


def test_the_filter_returns_sentences():
    misspelt = FilterModule().filters()["misspelt_variables"]
    assert misspelt(["runtime_sepc", "runtime_spec"]) == [
        "runtime_sepc: unknown variable: the name is close to runtime_spec. Rename it"
    ]
