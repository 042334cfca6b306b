# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of one node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_row
short_description: Sum up a node for a report
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Sums up what M(cruntime.node.cruntime_info), and M(cruntime.node.cruntime_enable) in check
    mode, returned for a node, be it that they failed or that the node can't be reached.
  - It is what the playbook P(cruntime.node.report#playbook) makes each of its rows of.
positional: info, plan
options:
  _input:
    description: The node's name.
    type: str
    required: true
  info:
    description: What M(cruntime.node.cruntime_info) returned.
    type: dict
    required: true
  plan:
    description: >-
      What M(cruntime.node.cruntime_enable) returned in check mode; a skipped task means that the
      node has no spec.
    type: dict
    required: true
seealso:
  - plugin: cruntime.node.drift
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the node
  cruntime.node.cruntime_info:
  register: info
  ignore_errors: true
  ignore_unreachable: true

- name: Compare the node with its spec
  cruntime.node.cruntime_enable:
    runtime: containerd
  check_mode: true
  register: plan
  ignore_errors: true
  ignore_unreachable: true

- name: Say how it stands
  ansible.builtin.debug:
    msg: "{{ inventory_hostname | cruntime.node.report_row(info, plan) }}"
"""

RETURN = r"""
_value:
  description: The row. All of its keys are always there.
  type: dict
  contains:
    name:
      description: The node's name.
      type: str
    state:
      description: >-
        V(ok), where the node is as its spec says; V(drift), where it is not; V(unspecified), where
        it has no spec; V(failed), where it could not be compared, such as one without the runtime;
        V(unreachable).
      type: str
    error:
      description: Why it could not be compared or reached; else none.
      type: str
    spec_runtime:
      description: The runtime that the spec asks for; none where it could not be compared.
      type: str
    runtimes:
      description: The runtimes that run in their own right, best one; none if nobody could tell.
      type: list
      elements: dict
      contains:
        name:
          description: The runtime.
          type: str
        version:
          description: Its version.
          type: str
        cgroup_driver:
          description: Its cgroup driver, as it says itself; none if it can't be asked.
          type: str
        socket_path:
          description: Where its CRI answers.
          type: str
        enabled:
          description: Whether it comes up at boot.
          type: bool
    drift:
      description: >-
        What differs, as P(cruntime.node.drift#filter) tells it, and with no file what the running
        runtime itself says.
      type: list
      elements: dict
    units:
      description: The systemd units that are not as they should be.
      type: list
      elements: dict
      contains:
        name:
          description: The unit.
          type: str
        is:
          description: Whether it is active and enabled.
          type: str
        should_be:
          description: Whether it should be.
          type: str
        why:
          description: Why it would be changed; a restart can be owed to a unit that is active.
          type: str
  sample:
    name: worker-1
    state: drift
    error: null
    spec_runtime: containerd
    runtimes:
      - name: containerd
        version: 1.7.24
        cgroup_driver: cgroupfs
        socket_path: /run/containerd/containerd.sock
        enabled: true
    drift:
      - file: null
        key: cgroup_driver
        is: cgroupfs
        should_be: systemd
    units: []
"""

from ansible_collections.cruntime.node.plugins.plugin_utils import report


class FilterModule:
    """The filter, by its name."""

    def filters(self):
        return {"report_row": report.row}
