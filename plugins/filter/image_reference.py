# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter for fully qualified image references."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_reference
short_description: Return the fully qualified reference of an image
version_added: 0.1.0
author: The cruntime.node contributors (@cruntime)
description:
  - Adds the default registry C(docker.io) and the default tag C(latest) to an image reference, as
    runtimes do.
  - Use this filter to compare references from different sources, for example those of a spec with
    RV(cruntime.node.cruntime_info#module:images[].repo_tags).
positional: _input
options:
  _input:
    description: Image reference, C([registry/]repository[:tag][@digest]).
    type: str
    required: true
seealso:
  - plugin: cruntime.node.image_reference
    plugin_type: test
  - module: cruntime.node.cruntime_image
"""

EXAMPLES = r"""
- name: Show docker.io/library/busybox:latest
  ansible.builtin.debug:
    msg: "{{ 'busybox' | cruntime.node.image_reference }}"
"""

RETURN = r"""
_value:
  description: Fully qualified reference. If the input has a digest, no default tag is added.
  type: str
  sample: docker.io/library/busybox:latest
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.cruntime.node.plugins.module_utils import image_reference


def qualify_reference(reference: object) -> str:
    if not isinstance(reference, str) or not image_reference.is_reference(reference):
        raise AnsibleFilterError(
            "cruntime.node.image_reference: the input must be an image reference, such as "
            f"registry.k8s.io/pause:3.10, not {reference!r}"
        )
    return image_reference.normalize(reference)


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"image_reference": qualify_reference}
