# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A boolean of a role is converted wherever it is used: `-e name=false` sets a text."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROLES = pathlib.Path(__file__).parents[3] / "roles"
PROVISION = ROLES.parent / "plugins" / "plugin_utils" / "provision.py"
#: Booleans of each role: from the argument specs, so that a new option is one of them.
BOOLEANS = [
    (path.parts[-3], name)
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml"))
    for spec in yaml.safe_load(path.read_text())["argument_specs"].values()
    for name, option in spec["options"].items()
    if option["type"] == "bool"
]


@pytest.mark.parametrize(("role", "name"), BOOLEANS)
def test_a_boolean_is_converted_where_it_is_used(role, name):
    patterns = ("*/tasks/*.yml", "*/vars/*.yml", "*/templates/*")
    paths = [path for pattern in patterns for path in ROLES.glob(pattern)]
    text = "\n".join(path.read_text() for path in paths)
    # The value that is passed to another role is set, and not used.
    used = re.findall(rf"\b{name}\b(?!:)(.*)", text)
    # The action plugin reads values that the argument spec has converted.
    converted = f'values["{name}"]' in PROVISION.read_text()
    assert used or converted, f"{role} does not use {name}"
    assert [rest for rest in used if not rest.startswith(" | bool")] == []
