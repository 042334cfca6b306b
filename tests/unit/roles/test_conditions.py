# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every supported ansible-core can parse the conditions."""

from __future__ import annotations

import pathlib

import jinja2
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]
FILES = sorted((*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")))
WORDS = {"when", "that", "failed_when", "changed_when", "until"}


def conditions(value):
    """Yield the conditions in the content of a file."""
    if isinstance(value, list):
        for item in value:
            yield from conditions(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in WORDS:
                yield from (str(each) for each in (inner if isinstance(inner, list) else [inner]))
            else:
                yield from conditions(inner)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_conditions_can_be_used_in_an_if(path):
    # Until 2.18, Ansible puts a condition into an if, where a bare "x if y else z" is not valid.
    for condition in conditions(yaml.safe_load(path.read_text())):
        jinja2.Environment().parse(f"{{% if {condition} %}}{{% endif %}}")
