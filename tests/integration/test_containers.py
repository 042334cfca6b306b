"""Containers listed, paused, stopped and removed on real runtimes, checked through the kernel."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from adhoc import SETTINGS
from conftest import ARCHIVES, check_failed, require_crictl
from test_pods import LOAD, POD, lenient

INFO = "cruntime.node.cruntime_info"
# The same image as in tests/nodes/Dockerfile.
CRICTL = "/usr/local/bin/crictl"
IMAGE = "localhost/cruntime-test/busybox:1"
QUOTED = 'it\'s "quoted", really=yes'
SECRET = "hunter2-hunter2"
# Counts, writes to both streams, prints its environment, and exits on SIGTERM.
COUNTER = (
    "trap 'exit 0' TERM; env; i=0; while :; do "
    "i=$((i+1)); echo out $i; echo err $i >&2; echo $i >/tmp/count-$COUNTER; sleep 0.1; done"
)
# Prints which counters on the node change, and which do not.
LOOK = """
import glob, json, time
def read():
    # All processes of a container have its root.
    found = {}
    for path in glob.glob("/proc/[0-9]*/root/tmp/count-*"):
        try:
            with open(path) as handle:
                found[path.rpartition("count-")[2]] = handle.read()
        except OSError:
            pass
    return found
first = read()
time.sleep(1)
second = read()
moving = sorted(name for name in second if second[name] != first.get(name))
print(json.dumps({"moving": moving, "still": sorted(set(second) - set(moving))}))
"""
NAMESPACES = ("alpha", "beta")
NAMES = ("api", "api-gateway")
ALL = {f"{namespace}/{name}" for namespace in NAMESPACES for name in NAMES}
# Runs the given pods with crictl, which the collection does not need.
RUN_PODS = """
import json, os, subprocess, sys
def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
def write(name, content):
    path = "/tmp/cruntime-%s.json" % name
    with open(path, "w") as handle:
        json.dump(content, handle)
    return path
for pod, handler, containers in json.loads(sys.argv[1]):
    os.makedirs(pod["log_directory"], exist_ok=True)
    path = write("pod", pod)
    sandbox = run("crictl", "runp", *(["--runtime", handler] if handler else []), path)
    for container in containers:
        created = run("crictl", "create", sandbox, write("container", container), path)
        run("crictl", "start", created)
"""


def container(namespace, name):
    environment = {"DB_PASSWORD": SECRET, "COUNTER": f"{namespace}-{name}"}
    return {
        "metadata": {"name": name},
        "image": {"image": IMAGE},
        "command": ["/bin/sh", "-c", COUNTER],
        "labels": {"tier": QUOTED},
        "envs": [{"key": key, "value": value} for key, value in environment.items()],
        "log_path": f"{name}.log",
    }


def pods(handlers):
    """Return two pods in two namespaces, each with its own handler, with two containers each."""
    return [
        (
            {
                **POD,
                "metadata": {"name": "web", "namespace": namespace, "uid": namespace, "attempt": 0},
                "log_directory": f"/tmp/{namespace}",
            },
            handler,
            [container(namespace, name) for name in NAMES],
        )
        for namespace, handler in zip(NAMESPACES, handlers)
    ]


class Script:
    """Tasks that run one after the other, and their results.

    All tasks are in one playbook, because each start of Ansible takes long.
    """

    def __init__(self):
        self.tasks = []

    def task(self, label, module, **options):
        keywords = {"diff": True, "ignore_errors": True}
        self.tasks.append({"name": label, module: options, **keywords})

    def do(self, label, **options):
        self.task(label, "cruntime.node.cruntime_containers", **options)

    def list(self, label, **options):
        self.task(label, INFO, gather_subset=["containers"], **options)

    def predict(self, label, **options):
        self.do(label, **options)
        self.tasks[-1]["check_mode"] = True

    def command(self, label, *argv):
        self.task(label, "ansible.builtin.command", argv=[str(word) for word in argv])

    def look(self, label):
        """Check which counters change."""
        self.command(label, "/usr/bin/python3", "-c", LOOK)

    def run(self, name, inventory, path):
        play = {"hosts": name, "gather_facts": False, "tasks": self.tasks}
        path.write_text(json.dumps([play]))
        done = subprocess.run(
            ["ansible-playbook", "--inventory", inventory, str(path)],
            check=False, capture_output=True, text=True,
            env={**os.environ, **SETTINGS},
        )  # fmt: skip
        try:
            tasks = json.loads(done.stdout)["plays"][0]["tasks"]
        except (ValueError, LookupError):
            pytest.fail(f"{path} printed no result:\n{done.stdout}\n{done.stderr}")
        self.results = {task["task"]["name"]: task["hosts"][name] for task in tasks}

    def __getitem__(self, label):
        """Return the result of a task that succeeded."""
        result = self.results[label]
        assert not result.get("failed"), result
        return result

    def refusal(self, label):
        """Return the result of a task that failed."""
        result = self.results[label]
        assert result.get("failed") is True, result
        return result

    def changes(self, label):
        return [(each["before"], each["after"]) for each in self[label]["changes"]]

    def found(self, label):
        return {f"{each['namespace']}/{each['name']}": each for each in self[label]["containers"]}

    def moving(self, label):
        return json.loads(self[label]["stdout"])["moving"]

    def still(self, label):
        return json.loads(self[label]["stdout"])["still"]


SELECTIONS = {
    "labels": ({"labels": {"tier": QUOTED}}, ALL),
    "a name": ({"name": "api"}, {"alpha/api", "beta/api"}),
    "a name with a dot": ({"name": "a.i"}, set()),
    "a pattern": ({"name_pattern": "^a.i$"}, {"alpha/api", "beta/api"}),
    "a name and a namespace": ({"name": "api", "namespaces": ["beta"]}, {"beta/api"}),
    "a pod": ({"pod": "web"}, ALL),
}
REFUSALS = {
    "all without a selector": ({"state": "absent"}, "option_invalid", "state=absent"),
    "all that run": (
        {"state": "stopped", "current_state": "running"},
        "option_invalid",
        "state=stopped",
    ),
    "an unknown id": ({"state": "stopped", "ids": ["0" * 64]}, "container_not_found", "0" * 64),
    "no id": ({"state": "stopped", "ids": [""]}, "option_invalid", "ids"),
    "pods that pause": (
        {"state": "paused", "name": "x", "sandboxes": True},
        "option_invalid",
        "sandboxes",
    ),
}


def start_pods(script, runtime, spec, node):
    """Start pods with crictl. The second pod has an OCI runtime that is not the default."""
    spec = {**spec, "extra_config": lenient(runtime, node)}
    if runtime == "containerd":
        spec["oci_runtimes"] = [{"name": "crun", "path": "/usr/bin/crun"}]
    handlers = ["", {"containerd": "crun", "crio": "runc"}[runtime]]
    script.task("converge", "cruntime.node.cruntime_enable", **spec)
    for name in ("pause", "busybox"):
        archive, image = f"{ARCHIVES}/{name}.tar", f"localhost/cruntime-test/{name}:1"
        script.command(f"load {name}", *LOAD[runtime].format(archive=archive, image=image).split())
    script.command("start", "/usr/bin/python3", "-c", RUN_PODS, json.dumps(pods(handlers)))


def start_docker(script):
    """Start the same containers with the names that Kubernetes uses, and one outside of a pod."""
    run = ("docker", "run", "--detach", "--network", "none", "--name")
    for name in ("pause", "busybox"):
        script.command(f"load {name}", "docker", "load", "--input", f"{ARCHIVES}/{name}.tar")
    for pod, _handler, containers in pods(["", ""]):
        suffix = f"web_{pod['metadata']['namespace']}_uid_0"
        script.command(suffix, *run, f"k8s_POD_{suffix}", "localhost/cruntime-test/pause:1")
        for each in containers:
            name = each["metadata"]["name"]
            environment = [f"--env={env['key']}={env['value']}" for env in each["envs"]]
            script.command(
                f"{name}_{suffix}", *run, f"k8s_{name}_{suffix}",
                f"--label=tier={QUOTED}", *environment, IMAGE, *each["command"],
            )  # fmt: skip
    script.command("plain", *run, "plain", IMAGE, "sleep", "600")


def add_selection_tasks(script):
    for label, (options, _wanted) in SELECTIONS.items():
        script.list(label, **options)
    for label, (options, *_error) in REFUSALS.items():
        script.do(label, **options)
    script.do("gone", state="absent", ids=["0" * 64])
    script.do("none", state="absent", ids=[])
    options = {"name": "api", "namespaces": ["alpha"]}
    script.task("logs", INFO, gather_subset=["containers", "logs"], log_lines=40, **options)
    script.task("all logs", INFO, gather_subset=["logs"], log_lines=9999, **options)


def add_pause_tasks(script):
    script.predict("predicted", state="paused", name="api")
    script.look("before")
    script.do("paused", state="paused", name="api")
    script.do("paused again", state="paused", name="api")
    script.look("frozen")
    script.list("only", pod="web", current_state="paused")
    script.do("unpaused", state="running", name="api", namespaces=["beta"])
    script.look("thawed")


def add_stop_tasks(script):
    script.do("one stopped", state="stopped", name="api", namespaces=["beta"], timeout=5)
    script.do("not running", state="paused", namespaces=["beta"])
    script.do("stopped", state="stopped", namespaces=["alpha"], timeout=5)
    script.do("stopped again", state="stopped", namespaces=["alpha"])
    script.look("stopped and frozen")


def add_removal_tasks(script):
    alpha = {"state": "absent", "namespaces": ["alpha"]}
    script.do("first gone", **alpha, name="api", sandboxes=True)
    script.do("second gone", **alpha, name="api-gateway")
    script.do("pod gone", **alpha, sandboxes=True)
    script.do("pod gone again", **alpha, sandboxes=True)
    script.do("pod stopped", state="stopped", pod="web", sandboxes=True, timeout=5)
    script.do("all gone", state="absent", all=True, sandboxes=True)
    script.list("left")
    script.look("after")


def break_runtime(script, runtime):
    units = [f"{runtime}.socket"] * (runtime == "docker") + [f"{runtime}.service"]
    script.command("stop", "systemctl", "stop", *units)
    script.do("down", runtime=runtime, state="stopped", all=True)
    script.task("info down", INFO, gather_subset=["containers"], runtime=runtime)
    script.task("logs down", INFO, gather_subset=["logs"], runtime=runtime)
    script.command("start again", "systemctl", "start", *units)


@pytest.fixture(scope="module")
def results(host, request, tmp_path_factory):
    """Run all tasks on one node, and return their results."""
    variables = host.ansible.get_variables()
    spec, name = variables["cruntime_spec"], variables["inventory_hostname"]
    runtime = spec["runtime"]
    script = Script()
    if runtime == "docker":
        start_docker(script)
    else:
        require_crictl(host)
        start_pods(script, runtime, spec, host)
    # The modules do not need the client of the runtime.
    client = host.check_output("command -v docker") if runtime == "docker" else CRICTL
    script.command("hide", "mv", client, f"{client}.away")
    add_selection_tasks(script)
    add_pause_tasks(script)
    add_stop_tasks(script)
    add_removal_tasks(script)
    break_runtime(script, runtime)
    script.command("unhide", "mv", f"{client}.away", client)
    script.task("converge back", "cruntime.node.cruntime_enable", **spec)
    path = tmp_path_factory.mktemp("play") / "play.json"
    script.run(name, request.config.getoption("ansible_inventory"), path)
    return script


def test_containers_have_the_same_return_values_with_all_runtimes(results, runtime):
    found = results.found("labels")
    for name, each in found.items():
        assert (each["namespace"], each["name"]) == tuple(name.split("/"))
        assert (each["pod"], each["state"], each["image"]) == ("web", "running", IMAGE)
        assert each["labels"]["tier"] == QUOTED
        assert each["image_id"].startswith("sha256:")
        assert each["created"].endswith("Z")
        assert each["pid"] > 1
        assert SECRET not in json.dumps(each)
    assert len({each["pod_id"] for each in found.values()}) == 2
    assert results["paused"]["runtime"] == runtime.name


@pytest.mark.parametrize("label", SELECTIONS)
def test_selectors_return_the_matching_containers(results, label):
    assert set(results.found(label)) == SELECTIONS[label][1]


@pytest.mark.parametrize("label", REFUSALS)
def test_invalid_selections_are_rejected(results, label):
    _options, *error = REFUSALS[label]
    check_failed(results.refusal(label), *error)
    assert len(results.moving("before")) == 4


def test_container_that_does_not_exist_is_absent(results):
    assert results["gone"]["changed"] is results["none"]["changed"] is False


def test_paused_container_stops_counting_until_it_is_unpaused(results):
    predicted, paused = results["predicted"], results["paused"]
    assert len(results.moving("before")) == 4
    assert paused["changed"] is predicted["changed"] is True
    assert paused["diff"] == predicted["diff"]
    assert "(beta/web/api): paused\n" in paused["diff"]["after"]
    assert results["paused again"]["changed"] is False
    assert results.still("frozen") == ["alpha-api", "beta-api"]
    assert results.moving("frozen") == ["alpha-api-gateway", "beta-api-gateway"]
    assert set(results.found("only")) == {"alpha/api", "beta/api"}
    assert results.changes("unpaused") == [("paused", "running")]
    assert results.still("thawed") == ["alpha-api"]
    assert len(results.moving("thawed")) == 3


def test_stop_unpauses_a_paused_container(results):
    assert results.changes("stopped") == [("paused", "exited"), ("running", "exited")]
    assert [warning for warning in results["stopped"]["warnings"] if "Unpausing " in warning]
    assert results["stopped again"]["changed"] is False
    # A selection other than by ID skips a container that is not running.
    assert results.changes("not running") == [("running", "paused")]
    assert results.still("stopped and frozen") == ["beta-api-gateway"]
    assert results.moving("stopped and frozen") == []


def test_sandbox_is_removed_with_its_last_container(results, runtime):
    assert results.changes("first gone") == results.changes("second gone") == [("exited", "absent")]
    assert results["second gone"]["containers"] == []
    assert results.changes("pod gone") == [("running", "absent")]
    assert results["pod gone again"]["changed"] is False
    assert results.changes("pod stopped") == [("paused", "exited"), ("running", "exited")]
    assert len(results.changes("all gone")) == (4 if runtime.name == "docker" else 3)
    assert {after for _before, after in results.changes("all gone")} == {"absent"}
    assert results["left"]["containers"] == []
    assert results.moving("after") == results.still("after") == []


def test_logs_are_returned_without_secrets(results, node, runtime):
    (found,) = results["logs"]["containers"]
    (log,) = results["logs"]["logs"]["containers"]
    assert found["id"] == log["id"]
    lines = log["text"].splitlines()
    assert len(lines) == 40
    assert {line.split()[0] for line in lines} == {"out", "err"}
    (whole,) = results["all logs"]["logs"]["containers"]
    assert "DB_PASSWORD=********" in whole["text"]
    assert SECRET not in json.dumps([results["logs"], results["all logs"]])
    journal = results["logs"]["logs"]["runtime"]
    assert runtime.service in journal["units"]
    assert journal["text"]
    # The returned command can be run.
    for command in (journal["command"], results["logs"]["logs"]["status_command"]):
        node.check_output(command.replace("sudo ", "", 1))


def test_stopped_runtime_is_reported(results):
    for label in ("down", "info down"):
        check_failed(results.refusal(label), "runtime_not_running")
    # The error contains the journal of the runtime.
    assert results["logs down"]["logs"]["runtime"]["text"]
    assert [warning for warning in results["logs down"]["warnings"] if "is not running" in warning]
