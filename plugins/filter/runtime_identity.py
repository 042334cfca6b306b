# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: runtime_identity
short_description: Return the facts about a container runtime that are the same on every node
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Returns the names of the binaries and units of a container runtime, and its default paths.
options:
  _input:
    description: Name of the runtime, V(containerd), V(crio) or V(docker).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the default CRI socket of CRI-O
  ansible.builtin.debug:
    msg: "{{ ('crio' | cruntime.node.runtime_identity).socket_path }}"
"""

RETURN = r"""
_value:
  description: Facts about the runtime.
  type: dict
  contains:
    name:
      description: Name of the runtime in a spec.
      type: str
    label:
      description: The project's own spelling.
      type: str
    binaries:
      description: Binaries that the runtime needs. The daemon comes first.
      type: list
      elements: str
    units:
      description: Systemd units of the runtime. A socket comes before its service.
      type: list
      elements: str
    adapters:
      description: Systemd units of the CRI adapter.
      type: list
      elements: str
    masked_units:
      description: Units that are masked when the runtime is disabled.
      type: list
      elements: str
    config_path:
      description: Configuration file that the collection writes.
      type: str
    socket_path:
      description: Default CRI socket.
      type: str
    data_root:
      description: Default directory of images and containers.
      type: str
    versions:
      description: Oldest supported version, and each version from which rendered files differ.
      type: list
      elements: str
  sample:
    name: crio
    label: CRI-O
    binaries: [crio]
    units: [crio.service]
    adapters: []
    masked_units: []
    config_path: /etc/crio/crio.conf.d/50-cruntime.conf
    socket_path: /var/run/crio/crio.sock
    data_root: /var/lib/containers/storage
    versions: ["1.28.0"]
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES


def runtime_identity(name: str) -> dict[str, Any]:
    if name not in RUNTIMES:
        raise AnsibleFilterError(
            f"cruntime.node.runtime_identity: {name!r} is not supported. Use {', '.join(RUNTIMES)}"
        )
    facts = RUNTIMES[name]._asdict()
    return {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"runtime_identity": runtime_identity}
