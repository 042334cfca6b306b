#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_enable_info
short_description: Return whether cruntime_enable has something to do
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - The action plugin of M(cruntime.node.cruntime_enable) runs this module first. Most runs change
    nothing, and this module is half as large as M(cruntime.node.cruntime_enable).
  - Do not use this module in playbooks. Use M(cruntime.node.cruntime_enable) in check mode.
extends_documentation_fragment:
  - cruntime.node.attributes
  - cruntime.node.attributes.read_only
options:
  spec:
    description: The options of M(cruntime.node.cruntime_enable) that the comparison needs.
    type: dict
    required: true
  rendered_files:
    description: The rendered files of the spec.
    type: list
    elements: dict
    required: true
  rendered_secrets:
    description: The contents of the rendered files that hold secrets, in the order of the files.
    type: list
    elements: str
    required: true
  secrets:
    description: The secrets of the spec, which are redacted in the result.
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
- name: Compare a node with a spec and its rendered files
  cruntime.node.cruntime_enable_info:
    spec:
      runtime: containerd
      state: enabled
      cgroup_driver: systemd
      cni: {bin_dirs: [], conf_dir: null}
      container_logs: null
      cri_service: null
      disable_others: true
      gpus: none
      image_gc: {high_percent: null, low_percent: null}
      image_pulls: {parallel: 4}
      kubernetes_version: "1.34.2"
      oci_runtime: null
      oci_runtimes: []
      registries: []
      rootless: false
      running_containers: refuse
      sandbox_image: registry.k8s.io/pause:3.10.1
      socket: null
      timeout: 60
    rendered_files:
      - path: /etc/crictl.yaml
        content: "runtime-endpoint: unix:///run/containerd/containerd.sock\n"
        restart: false
        when: [{}]
    rendered_secrets: []
"""

RETURN = r"""
needs_action:
  description: Whether the node differs from the spec. If it does, nothing else is returned.
  returned: success
  type: bool
  sample: false
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: runtime_not_installed
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.compared import compare_spec
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import restore_secrets


def main() -> None:
    module = RedactingModule(
        argument_spec={
            "spec": {"type": "dict", "required": True},
            "rendered_files": {"type": "list", "elements": "dict", "required": True},
            "rendered_secrets": {
                "type": "list",
                "elements": "str",
                "required": True,
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
    node = Node.of(module, module.params["spec"]["timeout"])
    return compare_spec(node, module.params["spec"], restore_secrets(module.params))


if __name__ == "__main__":
    main()
