"""Call modules on the node itself, one after the other, which costs no connection for each.

Usage: call.py CALLS, a JSON list of [MODULE, OPTIONS]. Prints a JSON list of results.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys

from ansible.module_utils import basic

MODULES = "ansible_collections.cruntime.node.plugins.modules"


def call(module, options):
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    output = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(output):
        runpy.run_module(f"{MODULES}.{module}", run_name="__main__", alter_sys=True)
    return json.loads(output.getvalue())


if __name__ == "__main__":
    print(json.dumps([call(module, options) for module, options in json.loads(sys.argv[1])]))
