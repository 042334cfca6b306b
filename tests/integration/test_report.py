"""The playbook that reports the drift of a fleet."""

import json
import subprocess

import pytest

from ansible_collections.cruntime.node.tests.integration.switching import GHOST

# The runtime matters little.
pytestmark = pytest.mark.short("containerd", "crio")

# Nothing listens on this port.
SECRET = "hunter2"
NOWHERE = "localhost/cruntime-test/nowhere:1"
FACTS = ("version", "cgroup_driver", "socket_path", "enabled")
LOG_LEVELS = ("debug.level", "crio.runtime.log_level", "log-level")


@pytest.fixture
def report(tmp_path):
    """Return a function that runs the playbook and returns its rows by name, and its page."""

    def run(hosts, *flags):
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        directory = tmp_path / "report"
        command = ["ansible-playbook", "--inventory", str(inventory), "cruntime.node.report"]
        command += ["--extra-vars", json.dumps({"report_dir": str(directory)}), *flags]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        data, page = (directory / name for name in ("report.json", "report.html"))
        texts = data.read_text(), page.read_text()
        assert SECRET not in "".join((done.stdout, done.stderr, *texts))
        assert "changed=1" not in done.stdout
        for path in (data, page):
            path.unlink()
        return {row["name"]: row for row in json.loads(texts[0])["nodes"]}, texts[1]

    return run


@pytest.fixture
def hosts(node, spec, info):
    """Return one node under several names, each with its own spec, and a missing host."""
    variables = node.ansible.get_variables()
    # Ansible connects to the nodes as root, and the nodes have no sudo.
    reached = {"ansible_host": variables["inventory_hostname"], "ansible_become": False}
    reached.update((key, variables[key]) for key in variables if key.startswith("ansible_"))
    reached.pop("ansible_facts", None)
    absent = [name for name, facts in info.items() if not facts["installed"]]
    far = {"log_level": "debug", "proxy": {"http": f"http://me:{SECRET}@proxy.local:3128"}}
    return {
        "as-specified": {**reached, "runtime_spec": spec},
        "drifted": {**reached, "runtime_spec": {**spec, **far}, "runtime_images": [NOWHERE]},
        "wrong": {**reached, "runtime_spec": {**spec, "log_level": "shout"}},
        "unspecified": reached,
        "ghost": {**GHOST, "runtime_spec": spec},
        **{f"no-{name}": {**reached, "runtime_spec": {"runtime": name}} for name in absent},
    }


@pytest.fixture
def info(node, run_module):
    return run_module(node, "cruntime.node.cruntime_info")["runtimes"]


def check_states(rows):
    absent = [name for name in rows if name.startswith("no-")]
    assert {name: row["state"] for name, row in rows.items()} == {
        "as-specified": "ok",
        "drifted": "drift",
        "wrong": "failed",
        "unspecified": "unspecified",
        "ghost": "unreachable",
        **dict.fromkeys(absent, "failed"),
    }
    assert "shout" in rows["wrong"]["error"]
    for name in absent:
        assert "is not installed" in rows[name]["error"]


def check_runtime(row, runtime, facts):
    (running,) = row["runtimes"]
    assert running == {"name": runtime.name, **{key: facts[key] for key in FACTS}}


def check_drift(row, runtime):
    drift = {item["file"]: item for item in row["drift"]}
    level = drift.pop(runtime.config)
    assert level["key"] in LOG_LEVELS
    assert (level["current"], level["desired"]) == (None, "debug")
    unit, secret = sorted(drift)
    assert unit.endswith("50-cruntime-proxy.conf")
    assert secret.endswith("50-cruntime-proxy.env")
    shown = [drift[secret][key] for key in ("key", "current", "desired")]
    assert shown == [None, None, "(not shown)"]
    assert [unit["name"] for unit in row["units"]] == [runtime.service]


@pytest.mark.once
def test_report_has_a_row_for_every_node(node, *, runtime, snapshot, hosts, info, report):
    before = snapshot()
    rows, page = report(hosts)
    assert list(rows) == list(hosts)
    assert all(name in page for name in hosts)
    check_states(rows)
    for name in ("as-specified", "drifted", "wrong", "unspecified"):
        check_runtime(rows[name], runtime, info[runtime.name])
    check_drift(rows["drifted"], runtime)
    assert rows["drifted"]["images_missing"] == [NOWHERE]
    # Check mode writes the report too, and a requested diff contains no secret.
    assert report({"drifted": hosts["drifted"]}, "--check", "--diff")[0] == {
        "drifted": rows["drifted"]
    }
    assert snapshot() == before
