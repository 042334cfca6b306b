"""A secret of a spec, and a secret in a file of an admin, are in no output of a run on a node."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from adhoc import SETTINGS
from conftest import RUNTIMES, scenario_runtime

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    pytest.mark.short("containerd", "crio"),
    pytest.mark.xdist_group("secrets"),
]
#: In the spec, in a file of an admin, and in a variable of the service.
MARKS = ("MARKofthespec", "MARKoftheadmin", "MARKofaproxy")
_REGISTRY = "io.containerd.grpc.v1.cri"
#: By runtime: extra_config with a secret.
EXTRA = {
    "containerd": {
        "plugins": {_REGISTRY: {"registry": {"configs": {"a.test": {"auth": {"auth": MARKS[0]}}}}}}
    },
    "crio": {"crio": {"runtime": {"default_env": [f"REGISTRY_TOKEN={MARKS[0]}"]}}},
    "docker": {"labels": [f"registry_token={MARKS[0]}"]},
}
#: By runtime: a file of an admin that is replaced, or merged with the rendered file.
ADMIN = {
    "containerd": f'version = 2\n[plugins."{_REGISTRY}".registry.configs."b.test".auth]\n'
    f'password = "{MARKS[1]}"\n',
    "crio": f'[crio.runtime]\ndefault_env = ["ADMIN_TOKEN={MARKS[1]}"]\n',
    "docker": json.dumps({"node-generic-resources": [f"token={MARKS[1]}"]}),
}
#: Record the command lines of all processes until the file /run/watch is removed.
WATCH = """
import glob, os
seen = set()
while os.path.exists("/run/watch"):
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            seen.add(open(path, "rb").read())
        except OSError:
            pass
open("/run/watched", "wb").write(b"\\n".join(seen))
"""
#: Print the mode of each file that contains a mark, except logs and the files of processes.
FIND = (
    "grep --recursive --files-with-matches --devices=skip --exclude-dir=journal -e MARKof"
    " /etc /var/lib/cruntime /var/log /root /tmp /run /usr/local 2>/dev/null"
    " | xargs --no-run-if-empty stat --format='%a %n'"
)


def run_ansible(spare, module, *flags, **args):
    """Run a module with -vvv; return all that Ansible prints, and the result."""
    with spare.inventory() as inventory:
        command = ["ansible", spare.name, "--inventory", inventory, "--module-name", module]
        command += ["--args", json.dumps(args), "-vvv", *flags]
        # The default callback shows diffs, warnings and the invocation.
        environment = {**os.environ, **SETTINGS, "ANSIBLE_STDOUT_CALLBACK": "default"}
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
    assert '"changed": ' in done.stdout, done.stdout
    return done.stdout


@pytest.fixture
def spec():
    proxy = {"http": f"http://me:{MARKS[2]}@127.0.0.1:3128"}
    base = {"cgroup_driver": "systemd", "proxy": proxy, "timeout": 20}
    name = scenario_runtime()
    return {"runtime": name, "extra_config": EXTRA[name], **base}


@pytest.fixture
def watched(spare, spare_spec):
    """Write a file of an admin, and watch the command lines of the node."""
    name = scenario_runtime()
    spare.write(RUNTIMES[name].config, ADMIN[name])
    spare.write("/run/watch.py", WATCH)
    spare.sh("touch /run/watch; rm -f /run/watched; nohup python3 /run/watch.py >/dev/null 2>&1 &")
    yield
    spare.sh("rm -f /run/watch")
    spare.enable(**spare_spec, exclusive=True)


def check_hidden(text):
    """Check that a text has no secret, and show only the place of it."""
    for mark in MARKS:
        place = text.find(mark)
        assert place < 0, text[max(place - 200, 0) : place + 200]


@pytest.mark.usefixtures("watched")
def test_secrets_are_in_no_output(spare, spec):
    enable, drift = "cruntime.node.cruntime_enable", "cruntime.node.cruntime_drift_info"
    begun = spare.sh("date +%s").strip()
    check_hidden(run_ansible(spare, enable, "--check", "--diff", **spec))
    check_hidden(run_ansible(spare, drift, spec=spec))
    check_hidden(run_ansible(spare, enable, "--diff", **spec))
    check_hidden(
        run_ansible(spare, "cruntime.node.cruntime_info", gather_subset=["effective", "logs"])
    )
    # Without this address, the start fails, and the run is rolled back.
    check_hidden(run_ansible(spare, enable, "--diff", **{**spec, "metrics": "192.0.2.1:1338"}))
    # Of the messages of the runtime itself, the collection returns a redacted part.
    journal = f"journalctl --no-pager --since=@{begun} _COMM=python3 + SYSLOG_IDENTIFIER=python3"
    assert "Invoked with" in spare.sh(f"journalctl --no-pager --since=@{begun} | grep Invoked")
    check_hidden(spare.sh(f"{journal}; journalctl --no-pager --since=@{begun} | grep ansible-"))
    spare.sh("rm /run/watch; while ! test -e /run/watched; do sleep 0.1; done")
    assert "systemctl" in spare.sh("cat /run/watched | tr '\\0' ' '")
    check_hidden(spare.sh("cat /run/watched"))


@pytest.mark.usefixtures("watched")
def test_only_root_can_read_files_with_secrets(spare, spec):
    result = spare.enable(**spec)
    assert "failed" not in result, result["msg"]
    modes = dict(line.split(" ", 1)[::-1] for line in spare.sh(FIND).splitlines())
    assert RUNTIMES[spec["runtime"]].config in modes
    assert any(path.startswith("/var/lib/cruntime/backups/") for path in modes)
    assert any(path.endswith("-proxy.env") for path in modes)
    assert {path: mode for path, mode in modes.items() if mode != "600"} == {}
    assert spare.sh("stat --format=%a /var/lib/cruntime/key").strip() == "600"
