# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a kubelet as words of its command line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubelet_flags
short_description: Write the options of a kubelet as flags of its command line
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Writes what M(cruntime.node.cruntime_enable) and M(cruntime.node.cruntime_info) return as
    C(kubelet_options) as flags, sorted by their names, so that a file with them does not change
    without need.
positional: _input
options:
  _input:
    description: The options, by their names, without the dashes before them.
    type: dict
    required: true
seealso:
  - module: cruntime.node.cruntime_enable
"""

EXAMPLES = r"""
- name: The node runs containerd
  cruntime.node.cruntime_enable:
    runtime: containerd
  register: enabled

- name: Its kubelet knows
  ansible.builtin.copy:
    content: |
      KUBELET_EXTRA_ARGS="{{ enabled.kubelet_options | cruntime.node.kubelet_flags | join(' ') }}"
    dest: /etc/default/kubelet
    mode: "0644"
"""

RETURN = r"""
_value:
  description: One flag for each option.
  type: list
  elements: str
  sample: ["--container-runtime-endpoint=unix:///run/containerd/containerd.sock"]
"""

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.words import as_word


def flags(options: object) -> list[str]:
    if not isinstance(options, Mapping):
        raise AnsibleFilterError(
            "cruntime.node.kubelet_flags needs kubelet_options, a dictionary, "
            f"not {type(options).__name__}"
        )
    try:
        return [f"--{name}={as_word(name, options[name])}" for name in sorted(options)]
    except CruntimeError as error:
        raise AnsibleFilterError(f"cruntime.node.kubelet_flags: {error}") from error


class FilterModule:
    """The filter, by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kubelet_flags": flags}
