"""Call several modules on the node through one connection.

Usage: call.py CALLS, a JSON list of [MODULE, OPTIONS]. Prints a JSON list of the results, each with
the number of processes that its module started.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys

from ansible.module_utils import basic

MODULES = "ansible_collections.cruntime.node.plugins.modules"


started = []
sys.addaudithook(lambda event, args: event == "subprocess.Popen" and started.append(args[0]))


def call(module, options):
    """Run a module in this process, and return its result and the number of started processes."""
    started.clear()
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    output = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(output):
        runpy.run_module(f"{MODULES}.{module}", run_name="__main__", alter_sys=True)
    return {**json.loads(output.getvalue()), "processes": len(started)}


if __name__ == "__main__":
    print(json.dumps([call(module, options) for module, options in json.loads(sys.argv[1])]))
