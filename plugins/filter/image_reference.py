# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference of an image, written in full."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Write the reference of an image in full
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Writes the name of an image as runtimes list it, with its registry and its tag. What is short
    is of docker.io, and without a tag it is C(latest).
  - With it, names from different places can be compared, such as those of a spec with
    RV(cruntime.node.cruntime_info#module:images[].repo_tags).
positional: _input
options:
  _input:
    description: The reference, C([registry/]repository[:tag][@digest]).
    type: str
    required: true
seealso:
  - plugin: cruntime.node.image_reference
    plugin_type: test
  - module: cruntime.node.cruntime_image
"""

EXAMPLES = r"""
- name: Say docker.io/library/busybox:latest
  ansible.builtin.debug:
    msg: "{{ 'busybox' | cruntime.node.image_reference }}"
"""

RETURN = r"""
_value:
  description: The reference in full. A digest stays, and takes the place of C(latest).
  type: str
  sample: docker.io/library/busybox:latest
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.module_utils import image_reference


def in_full(reference: object) -> str:
    if not isinstance(reference, str) or not image_reference.is_reference(reference):
        raise AnsibleFilterError(
            "cruntime.node.image_reference needs the reference of an image, such as "
            f"registry.k8s.io/pause:3.10, not {reference!r}"
        )
    return image_reference.normalised(reference)


class FilterModule:
    """The filter, by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"image_reference": in_full}
