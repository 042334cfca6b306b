# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys of which files are not as the spec says."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
short_description: Tell which keys of a node's files are not as its spec says
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Reads the diff that M(cruntime.node.cruntime_enable) returns, before and after of each file as
    TOML, JSON or YAML, into the keys that differ, with both values.
  - Secrets are not among them. A file that holds secrets, or that can't be read as what it should
    be, is said to differ as a whole. A value is hidden where its key has a telling name, such as
    C(password), C(auth) or C(token), and so is the user in a URL.
positional: _input
options:
  _input:
    description: What M(cruntime.node.cruntime_enable) returned, best from a run in check mode.
    type: dict
    required: true
seealso:
  - module: cruntime.node.cruntime_drift_info
"""

EXAMPLES = r"""
- name: Compare the node with its spec
  cruntime.node.cruntime_enable:
    runtime: containerd
  check_mode: true
  register: plan

- name: Say which keys differ
  ansible.builtin.debug:
    msg: "{{ plan | cruntime.node.drift }}"
"""

RETURN = r"""
_value:
  description: One entry for each key that differs.
  type: list
  elements: dict
  contains:
    file:
      description: The file.
      type: str
    key:
      description: The key, dotted, as one would write it in TOML; none for the file as a whole.
      type: str
    current:
      description: The value on the node, of any type; none where there is no such key.
      type: raw
    desired:
      description: The value that the spec asks for; none where there shall be no such key.
      type: raw
  sample:
    - file: /etc/docker/daemon.json
      key: max-concurrent-downloads
      current: 3
      desired: 6
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.cruntime.node.plugins.plugin_utils import drift


def of_result(result: Any) -> list[dict[str, Any]]:
    try:
        # What a node says is never a template, be it new text made of it.
        found: list[dict[str, Any]] = wrap_var(drift.of_files(result["diff"]))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "cruntime.node.drift needs what cruntime_enable returned, with its diff"
        ) from error
    return found


class FilterModule:
    """The filter, by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"drift": of_result}
