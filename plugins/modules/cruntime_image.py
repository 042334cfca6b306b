#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.images.catalog import store_of
from ansible_collections.cruntime.node.plugins.module_utils.images.ensure import Work
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import catalog
from ansible_collections.cruntime.node.plugins.module_utils.services import Services


def main():
    module = AnsibleModule(argument_spec=options.IMAGE, supports_check_mode=True)
    try:
        result = run(module)
    except CruntimeError as error:
        module.fail_json(msg=str(error), **error.facts)
    module.exit_json(**result)


def run(module):
    wanted = request.parse(module.params)
    if os.geteuid() != 0:
        raise CruntimeError("images are the runtime's, and root's: run this task with become")
    runner = Runner()
    runtime = catalog.running(runner, Services(runner), module.params["runtime"])
    store = store_of(runner, runtime, module.tmpdir, module.params["timeout"])
    result = Work(store, runner, wanted, module.check_mode).run()
    return dict(result, runtime=runtime.name)


if __name__ == "__main__":
    main()
