#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_provision
short_description: Compare a node with the variables of the role runtime
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - The role C(cruntime.node.runtime) uses this module. Do not use it in playbooks, use the role.
  - The action plugin checks the variables of the role, and the module compares the node with them.
    If no step of the role is due, the module also does what M(cruntime.node.cruntime_enable) does.
    Therefore a run of the role that changes nothing is one execution of one module.
  - If a step is due, the module changes nothing, and the role performs the step.
extends_documentation_fragment:
  - cruntime.node.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  apply_spec:
    description:
      - Whether C(runtime_spec) is applied if no step is due.
    type: bool
    default: true
  variables:
    description: The variables of the role that the comparison needs. The action plugin sets them.
    type: dict
    default: {}
  images:
    description: The names of the images of the role. The action plugin sets them.
    type: list
    elements: str
    default: []
  spec:
    description:
      - The options of M(cruntime.node.cruntime_enable) that the comparison needs. The action plugin
        sets them.
    type: dict
  rendered_files:
    description: The rendered files of the spec. The action plugin sets them.
    type: list
    elements: dict
    default: []
  rendered_secrets:
    description:
      - The contents of the rendered files that hold secrets, in the order of the files. The action
        plugin sets them.
    type: list
    elements: str
    default: []
  secrets:
    description:
      - The secrets of the spec, which are redacted in the result. The action plugin sets them.
    type: list
    elements: str
    default: []
requirements:
  - systemd
  - root privileges (use C(become))
seealso:
  - module: cruntime.node.cruntime_enable
"""

EXAMPLES = r"""
- name: Compare the node with the variables of the role
  cruntime.node.cruntime_provision:
    apply_spec: false
  vars:
    runtime_spec:
      runtime: containerd
    runtime_packages: [containerd]
    runtime_extra_packages: [runc]
"""

RETURN = r"""
due:
  description:
    - Steps of the role that are due, of V(removal), V(repositories), V(packages), V(holds),
      V(crictl), V(kernel) and V(images).
    - If the list is empty and O(apply_spec) is V(true), the result has the values of
      M(cruntime.node.cruntime_enable).
  returned: success
  type: list
  elements: str
  sample: [packages, holds]
family:
  description: Family of the distribution, V(debian) or V(redhat).
  returned: success, except if nothing else than V(removal) is due
  type: str
  sample: debian
package_manager:
  description: Package manager of the node, V(apt), V(dnf) or V(dnf5).
  returned: success, except if nothing else than V(removal) is due
  type: str
  sample: apt
python:
  description: Path of the Python that runs modules on the node.
  returned: success, except if nothing else than V(removal) is due
  type: str
  sample: /usr/bin/python3
packages:
  description: Names of packages, by what the tasks of the role do with them.
  returned: success, except if nothing else than V(removal) is due
  type: dict
  sample:
    main: [containerd]
    names: [containerd, runc]
    missing: [runc]
kernel:
  description: Files, modules and parameters of the kernel that the tasks of the role set.
  returned: success, except if nothing else than V(removal) is due
  type: dict
  sample:
    missing_modules: [overlay]
    differing_parameters: []
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: option_invalid
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.compared import compare_spec
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.provision import looking
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import restore_secrets

_TIMEOUT = 60


def main() -> None:
    module = RedactingModule(
        argument_spec={
            "apply_spec": {"type": "bool", "default": True},
            "variables": {"type": "dict", "default": {}},
            "images": {"type": "list", "elements": "str", "default": []},
            "spec": {"type": "dict"},
            "rendered_files": {"type": "list", "elements": "dict", "default": []},
            "rendered_secrets": {
                "type": "list",
                "elements": "str",
                "default": [],
                "no_log": True,
            },
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)


def run(module: AnsibleModule) -> dict[str, Any]:
    spec = module.params["spec"]
    node = Node.of(module, spec["timeout"] if spec else _TIMEOUT)
    seen = looking.look(node.runner, module.params["variables"])
    if seen["due"] or spec is None:
        return {"changed": False, **seen}
    compared = compare_spec(node, spec, restore_secrets(module.params))
    names = module.params["images"]
    if names and not compared["needs_action"] and _lacks_images(node, spec["runtime"], names):
        seen["due"].append("images")
    return {**seen, **compared}


def _lacks_images(node: Node, runtime: str, names: list[str]) -> bool:
    # Import it only if the role has images.
    from ansible_collections.cruntime.node.plugins.module_utils.images.catalog import store_of
    from ansible_collections.cruntime.node.plugins.module_utils.images.plan import (
        ImageIndex,
        to_pull,
    )

    store = store_of(node.runner, node.runtimes[runtime], node.module.tmpdir, node.timeout)
    return bool(to_pull(names, ImageIndex(store.images()), "missing"))


if __name__ == "__main__":
    main()
