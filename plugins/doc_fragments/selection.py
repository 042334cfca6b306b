# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that select containers."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the options in module_utils/containers/selection.py."""

    DOCUMENTATION = r"""
options:
  runtime:
    description:
      - The runtime to use. If not set, the only running runtime of the node is used.
    type: str
    choices: [containerd, crio, docker]
  ids:
    description:
      - Select containers by ID. A unique prefix of an ID is enough.
      - An empty list selects no container.
    type: list
    elements: str
  name:
    description:
      - Select containers by their exact name. V(api) does not select V(api-gateway).
      - For containers of pods, this is the name in the pod's manifest, also with Docker.
    type: str
  name_pattern:
    description:
      - Select containers whose name matches this regular expression. Without C(^) and C($), it
        matches anywhere in the name.
    type: str
  namespaces:
    description:
      - Select containers of pods in these Kubernetes namespaces.
      - An empty list selects no container.
    type: list
    elements: str
  labels:
    description:
      - Select containers that have all of these labels with these values.
      - Only labels of the container are compared. A runtime can have other labels for its pod.
    type: dict
  pod:
    description:
      - Select containers of pods with this name, or of the pod whose sandbox has this full ID.
    type: str
  current_state:
    description:
      - Select containers that are in this state when the task starts.
    type: str
    default: all
    choices: [all, running, paused, exited]
"""
