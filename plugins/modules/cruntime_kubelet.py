#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cruntime_kubelet
short_description: Point the kubelet at a container runtime
version_added: 0.1.0
author:
  - The cruntime.node contributors (@cruntime)
description:
  - Changes the CRI endpoint of the kubelet in the files with which C(kubelet.service) starts it,
    starts or restarts the kubelet, and verifies that the running kubelet uses the endpoint. If a
    step fails, all changes are rolled back.
  - Finds the settings as systemd and the kubelet find them, so it works with the files of every
    installer. It reads the command of the unit, the variables of the unit and of its environment
    files, and the files of the flags C(--config) and C(--config-dir). Comments and variables that
    another file overrides are not changed.
  - Changes every place that sets the endpoint, so that the same value applies if the last flag is
    removed later. Also changes C(instance-config.yaml), which kubeadm copies to the configuration
    file of the kubelet.
  - Fails before it changes anything if no file sets the endpoint, or if the endpoint comes from a
    place that cannot be changed safely, such as a wrapper script or a file of a package.
  - The role C(cruntime.node.switch) uses this module.
extends_documentation_fragment:
  - cruntime.node.attributes
options:
  endpoint:
    description:
      - CRI endpoint of the runtime, such as RV(cruntime.node.cruntime_enable#module:cri_endpoint).
        The runtime must be running, except in check mode.
      - If the kubelet has a separate endpoint for images, it is set to the same endpoint.
      - Requires exactly one of O(endpoint) and O(files).
    type: str
  cgroup_driver:
    description:
      - Cgroup driver of the runtime. It is changed in the places that set it, and a warning is
        returned if no file sets it. If not set, the driver of the kubelet is not changed.
      - Requires O(endpoint).
    type: str
    choices: [cgroupfs, systemd]
  files:
    description:
      - Texts of files to restore, by path, such as the return value RV(files) of an earlier run.
    type: dict
  timeout:
    description:
      - Maximum time in seconds for the CRI to respond, and for the kubelet to start. The minimum is
        V(1).
    type: int
    default: 60
  unsafe_writes:
    description:
      - Whether a file on which another file is mounted is overwritten in place, because it cannot
        be replaced atomically.
      - If V(false), the task fails before it changes anything.
    type: bool
    default: false
requirements:
  - systemd
  - root privileges (use C(become))
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the files that change, with secrets redacted, and the restart of the kubelet.
  idempotent:
    support: full
notes:
  - If another tool writes the files again, such as kubeadm, Kubespray or EKS nodeadm, set the
    endpoint there too.
seealso:
  - module: cruntime.node.cruntime_enable
"""

EXAMPLES = r"""
- name: Enable containerd
  cruntime.node.cruntime_enable:
    runtime: containerd
    cgroup_driver: systemd
  register: enabled

- name: Point the kubelet at containerd
  cruntime.node.cruntime_kubelet:
    endpoint: "{{ enabled.cri_endpoint }}"
    cgroup_driver: systemd
  register: kubelet

- name: Restore a file of the kubelet
  cruntime.node.cruntime_kubelet:
    files:
      /etc/kubernetes/kubelet.env: "{{ kubelet.files['/etc/kubernetes/kubelet.env'] }}"
"""

RETURN = r"""
before:
  description: Settings of the kubelet before the run, with which systemd would start it.
  returned: success
  type: dict
  contains: &settings
    endpoint:
      description: CRI endpoint. V(null) if no file sets it.
      type: str
    image_endpoint:
      description: CRI endpoint for images. V(null) if no file sets it.
      type: str
    cgroup_driver:
      description: Cgroup driver. V(null) if no file sets it.
      type: str
  sample:
    endpoint: unix:///var/run/cri-dockerd.sock
    image_endpoint: null
    cgroup_driver: cgroupfs
after:
  description: Settings of the kubelet after the run. In check mode, the predicted settings.
  returned: success
  type: dict
  contains: *settings
  sample:
    endpoint: unix:///run/containerd/containerd.sock
    image_endpoint: null
    cgroup_driver: systemd
files:
  description:
    - Texts before the run, by path, of all files that set one of the settings. With O(files), the
      texts of these files before the run.
    - A file can contain secrets, such as the password of a proxy.
  returned: success
  type: dict
  sample:
    /var/lib/kubelet/kubeadm-flags.env: |
      KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/cri-dockerd.sock"
changed_files:
  description: Paths of the files that the task changed, or would change in check mode.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/kubelet/kubeadm-flags.env]
rolled_back:
  description:
    - On failure, V(true) if all changes of files and of the unit were rolled back, and V(false) if
      the rollback failed.
  returned: failure, if the task changed something before it failed
  type: bool
  sample: true
journal:
  description: >-
    Last lines that the kubelet logged during the failed run. Secrets are redacted, and long lines
    are cut.
  returned: failure, if the task changed something before it failed
  type: list
  elements: str
  sample: ["failed to run Kubelet: validate service connection: connection refused"]
reason:
  description:
    - Code of the failure, for conditions in playbooks. Messages can change, but codes do not.
    - The documentation of the collection lists all codes.
  returned: failure
  type: str
  sample: kubelet_endpoint_not_found
cmd:
  description: Command that failed, as a list of arguments.
  returned: when a command fails
  type: list
  elements: str
  sample: [systemctl, restart, --, kubelet.service]
rc:
  description: Exit status of the command.
  returned: when a command fails
  type: int
  sample: 1
stderr:
  description: Last part of the error output of the command. Secrets are redacted.
  returned: when a command fails
  type: str
  sample: Job for kubelet.service failed because the control process exited with error code.
"""

import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import kubelet_pointing
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.lock import locked
from ansible_collections.cruntime.node.plugins.module_utils.redacting_module import (
    RedactingModule,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.services import Services

#: An endpoint that can be written to all files without quotation marks.
_ENDPOINT = re.compile(r"unix:///[\w./+@:-]+")


def main() -> None:
    module = RedactingModule(
        argument_spec={
            "endpoint": {"type": "str"},
            "cgroup_driver": {"type": "str", "choices": ["cgroupfs", "systemd"]},
            "files": {"type": "dict"},
            "timeout": {"type": "int", "default": 60},
            "unsafe_writes": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(**error.result)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def run(module: AnsibleModule) -> dict[str, Any]:
    options = module.params
    check_options(options)
    if os.geteuid() != 0:
        raise CruntimeError(
            "Changing the kubelet requires root privileges. Set become: true", reason="not_root"
        )
    timeout = options["timeout"]
    services = Services(Runner(), timeout)
    with locked(shared=False, timeout=timeout, check_mode=module.check_mode):
        unit = kubelet_pointing.find_unit(services)
        if options["files"] is None:
            plan = kubelet_pointing.plan_endpoint(
                unit, options["endpoint"], options["cgroup_driver"], options["unsafe_writes"]
            )
        else:
            plan = kubelet_pointing.plan_files(unit, options["files"])
        if not module.check_mode:
            kubelet_pointing.apply(module, services, plan, timeout)
    return plan.result


def check_options(options: dict[str, Any]) -> None:
    """Check the options that Ansible cannot check.

    :raises CruntimeError: if an option is not valid.
    """
    endpoint, files = options["endpoint"], options["files"]
    if (endpoint is None) == (files is None):
        raise CruntimeError(
            "endpoint and files: exactly one of them must be set", reason="option_invalid"
        )
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise CruntimeError(
            f"endpoint: {endpoint!r}: not a CRI endpoint. Set a URL with the path of a "
            "socket, such as unix:///run/containerd/containerd.sock",
            reason="option_invalid",
        )
    if files is not None and options["cgroup_driver"]:
        raise CruntimeError(
            "cgroup_driver is not supported with files. Set only one of them",
            reason="option_invalid",
        )
    for path, text in (files or {}).items():
        if not os.path.isabs(path) or not isinstance(text, str):
            raise CruntimeError(
                f"files: {path!r}: must be an absolute path, and its value must be a text",
                reason="option_invalid",
            )
    if options["timeout"] < 1:
        raise CruntimeError(
            f"timeout: {options['timeout']}: must be 1 or more seconds", reason="option_invalid"
        )


if __name__ == "__main__":
    main()
