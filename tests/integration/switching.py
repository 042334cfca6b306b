"""Helpers of the tests of the playbook switch."""

from __future__ import annotations

import json
import os
import subprocess

SWITCH = "cruntime.node.switch"
MARKER = "/var/lib/cruntime-switch.json"
# Nothing listens on this port.
GHOST = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def switch(inventory, *flags, **variables):
    """Run the playbook; return its exit status, its statistics and its output."""
    command = ["ansible-playbook", SWITCH, "--inventory", inventory, *flags]
    command += ["--extra-vars", json.dumps(variables)]
    env = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    assert "[DEPRECATION WARNING]" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)["stats"], done.stdout


def table(output):
    """Return the rows of the last table in the output, by the name of the node."""
    tables = [
        result["msg"]
        for play in json.loads(output)["plays"]
        for task in play["tasks"]
        for result in task["hosts"].values()
        if isinstance(result.get("msg"), list)
    ]
    return dict(line.split("  ", 1) for line in tables[-1])


def runtimes_at_boot(node):
    """Return which of the two runtimes start at boot. Check that the same ones run."""
    services = {name: node.service(name) for name in ("docker", "containerd")}
    # A removed runtime has no unit, and no mask either.
    return [name for name, unit in services.items() if unit.exists and unit.is_enabled]
