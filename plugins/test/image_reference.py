# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a text names an image."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Tell whether a text is the reference of an image
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Tells whether a text names an image by the grammar that runtimes have, as
    M(cruntime.node.cruntime_image) takes it.
positional: _input
options:
  _input:
    description: The text.
    type: str
    required: true
seealso:
  - plugin: cruntime.node.image_reference
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a spec with a sandbox image that can't be one
  ansible.builtin.assert:
    that: "'registry.k8s.io/pause:3.10' is cruntime.node.image_reference"
"""

RETURN = r"""
_value:
  description: V(true) if it is a reference.
  type: bool
"""

from typing import Callable

from ansible_collections.cruntime.node.plugins.module_utils import image_reference


def names_an_image(text: object) -> bool:
    return isinstance(text, str) and image_reference.is_reference(text)


class TestModule:
    """The test, by its name."""

    def tests(self) -> dict[str, Callable[[object], bool]]:
        return {"image_reference": names_an_image}
