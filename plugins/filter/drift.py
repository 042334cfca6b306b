# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drifted keys of the files of a node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
short_description: Extract the drifted keys from a diff
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Parses the diff that M(cruntime.node.cruntime_enable) returns, with the files as TOML, JSON or
    YAML, and returns the keys that differ, with both values.
  - The values contain no secrets. If a file cannot be parsed, or a secret in it is not on a line of
    its own, only a difference of the whole file is reported. A value is redacted if its key looks
    like the name of a secret, such as C(password), C(auth) or C(token). User names and passwords in
    URLs are also redacted.
positional: _input
options:
  _input:
    description: >-
      Result of M(cruntime.node.cruntime_enable). Run the module in check mode to compare without a
      change.
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

- name: Show the drifted keys
  ansible.builtin.debug:
    msg: "{{ plan | cruntime.node.drift }}"
"""

RETURN = r"""
_value:
  description: One entry for each key that differs.
  type: list
  elements: dict
  contains:
    kind:
      description: V(differs), because the file differs from the rendered file.
      type: str
    source:
      description: V(file).
      type: str
    file:
      description: Path of the file.
      type: str
    key:
      description: Dotted key, as in TOML. V(null) for the whole file.
      type: str
    current:
      description: Value on the node, of any type. V(null) if the key does not exist.
      type: raw
    desired:
      description: Value in the spec, of any type. V(null) if the key must not exist.
      type: raw
  sample:
    - kind: differs
      source: file
      file: /etc/docker/daemon.json
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
        # Mark text from the node as unsafe. Otherwise Ansible could template it.
        found: list[dict[str, Any]] = wrap_var(drift.of_files(result["diff"]))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "cruntime.node.drift: the input must be a result of cruntime_enable with a diff"
        ) from error
    return found


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"drift": of_result}
