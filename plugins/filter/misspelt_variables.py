# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt_variables
short_description: Find misspelt variables of the roles and playbooks
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Returns one sentence for each name that is close to a variable of a role or playbook of this
    collection, but is not the same. Names that are not close are the user's own.
  - The roles and playbooks fail with these sentences, because Ansible ignores a misspelt variable.
positional: _input
options:
  _input:
    description: Names of variables.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check the names of the variables
  ansible.builtin.assert:
    that: misspelt | length == 0
    fail_msg: "{{ misspelt | join('. ') }}"
  vars:
    misspelt: "{{ q('ansible.builtin.varnames', '.+') | cruntime.node.misspelt_variables }}"
"""

RETURN = r"""
_value:
  description: One sentence for each misspelt name.
  type: list
  elements: str
  sample: ["runtime_sepc: unknown variable: the name is close to runtime_spec. Rename it"]
"""

from typing import Any, Callable

from ansible_collections.cruntime.node.plugins.plugin_utils.known_variables import find_misspelt


def misspelt_variables(names: list[str]) -> list[str]:
    return [
        f"{name}: unknown variable: the name is close to {variable}. Rename it"
        for name, variable in find_misspelt(names)
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"misspelt_variables": misspelt_variables}
