# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_text
short_description: Return the error message of a failed task
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Returns the error message of a failed task. If the module did not start because C(sudo) or
    Python is missing on the node, returns the cause and the fix in place of the message of Ansible.
positional: _input
options:
  _input:
    description: Result of the task.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Gather the runtimes
  block:
    - name: Gather the runtimes
      cruntime.node.cruntime_info:
  rescue:
    - name: Show the cause
      ansible.builtin.fail:
        msg: "{{ ansible_failed_result | cruntime.node.failure_text }}"
"""

RETURN = r"""
_value:
  description: The error message.
  type: str
  sample: >-
    become: sudo not found: it is not installed on the node. Install sudo, or if you connect as
    root, set ansible_become: false
"""

from typing import Any, Callable

from ansible_collections.cruntime.node.plugins.plugin_utils.failures import error_text


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failure_text": error_text}
