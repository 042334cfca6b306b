# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for command-line flags of the kubelet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubelet_flags
short_description: Convert kubelet options to command-line flags
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Converts the C(kubelet_options) that M(cruntime.node.cruntime_enable) and
    M(cruntime.node.cruntime_info) return to flags. The flags are sorted by name, so a file that
    contains them changes only if a flag changes.
positional: _input
options:
  _input:
    description: Values of the options, by name, without leading dashes.
    type: dict
    required: true
seealso:
  - module: cruntime.node.cruntime_enable
"""

EXAMPLES = r"""
- name: Enable containerd
  cruntime.node.cruntime_enable:
    runtime: containerd
  register: enabled

- name: Write the kubelet flags
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
from ansible_collections.cruntime.node.plugins.module_utils.words import to_string


def flags(options: object) -> list[str]:
    if not isinstance(options, Mapping):
        raise AnsibleFilterError(
            "cruntime.node.kubelet_flags: the input must be a dictionary of kubelet options, "
            f"not {type(options).__name__}"
        )
    try:
        return [f"--{name}={to_string(name, options[name])}" for name in sorted(options)]
    except CruntimeError as error:
        raise AnsibleFilterError(f"cruntime.node.kubelet_flags: {error}") from error


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kubelet_flags": flags}
