# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test for image references."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Check whether a string is an image reference
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Checks whether a string is a valid image reference. M(cruntime.node.cruntime_image) uses the
    same grammar.
positional: _input
options:
  _input:
    description: The string to check.
    type: str
    required: true
seealso:
  - plugin: cruntime.node.image_reference
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Fail if the sandbox image is not an image reference
  ansible.builtin.assert:
    that: "'registry.k8s.io/pause:3.10' is cruntime.node.image_reference"
"""

RETURN = r"""
_value:
  description: Whether the string is an image reference.
  type: bool
  sample: true
"""

from typing import Callable

from ansible_collections.cruntime.node.plugins.module_utils import image_reference


def is_image_reference(text: object) -> bool:
    return isinstance(text, str) and image_reference.is_reference(text)


class TestModule:
    """Test plugin."""

    def tests(self) -> dict[str, Callable[[object], bool]]:
        return {"image_reference": is_image_reference}
