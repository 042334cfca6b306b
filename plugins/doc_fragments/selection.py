# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which modules select containers."""

from __future__ import annotations


class ModuleDocFragment:
    """Documented once: see module_utils/containers/selection.py."""

    DOCUMENTATION = r"""
options:
  runtime:
    description:
      - The runtime that is meant. The one that the node runs if not given.
    type: str
    choices: [containerd, crio, docker]
  ids:
    description:
      - Containers of these ids, each whole or as many of its first digits as make it the only one.
      - An empty list means none.
    type: list
    elements: str
  name:
    description:
      - Containers of this name, which is the whole one, V(api) and not V(api-gateway).
      - It is the name in the pod's manifest, with Docker too, which has it as a part of its own.
    type: str
  name_pattern:
    description:
      - Containers with a name in which this regular expression is found, anywhere if it has no
        C(^) and no C($).
    type: str
  namespaces:
    description:
      - Containers of pods in any of these namespaces of Kubernetes.
      - An empty list means none.
    type: list
    elements: str
  labels:
    description:
      - Containers that have each of these labels, with this value.
      - They are the container's own. A runtime may keep others for its pod.
    type: dict
  pod:
    description:
      - Containers of the pods of this name, or of the one pod whose sandbox has this whole id.
    type: str
  current_state:
    description:
      - Containers that are in this state when the task begins.
    type: str
    default: all
    choices: [all, running, paused, exited]
"""
