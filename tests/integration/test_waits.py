"""No run waits forever: not for another run, not for a file, not for a process."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import ARCHIVES, RUNTIMES, check_failed, check_untouched

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    # The runtime matters little.
    pytest.mark.short("containerd", "crio"),
    pytest.mark.xdist_group("waits"),
]
IMAGE = "cruntime.node.cruntime_image"
CONTAINERS = "cruntime.node.cruntime_containers"
HOLD = """
import fcntl, time
lock = open("/run/cruntime/lock", "w")
fcntl.flock(lock, fcntl.LOCK_{})
print("locked", flush=True)
time.sleep(600)
"""


@pytest.fixture
def hold(spare):
    """Yield a function that starts a process that holds the lock, and returns its PID."""
    holders = []

    def start(how):
        command = ["docker", "exec", spare.name, "python3", "-c", HOLD.format(how)]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout.readline() == "locked\n"
        return spare.sh("pgrep -of 'fcntl.flock'").strip()

    yield start
    spare.sh("pkill -f fcntl.flock", check=False)
    for holder in holders:
        holder.wait()


def test_wait_for_another_run_ends_and_names_it(spare, spare_spec, hold):
    assert spare.sh("stat -c '%a %U %a' /run/cruntime").split()[:2] == ["700", "root"]
    assert spare.sh("stat -c '%a %U' /run/cruntime/lock").split() == ["600", "root"]
    pid = hold("EX")
    for module, args in (
        ("cruntime.node.cruntime_enable", {**spare_spec, "timeout": 2}),
        (
            IMAGE,
            {"runtime": spare_spec["runtime"], "archive": f"{ARCHIVES}/busybox.tar", "timeout": 2},
        ),
    ):
        result = spare.run(module, **args)
        check_untouched(result, "lock_timeout", "/run/cruntime/lock", pid, "python3", "2 seconds")
    # Check mode changes nothing, so it does not wait.
    assert "failed" not in spare.enable(check=True, **spare_spec, timeout=2)


def test_image_and_containers_tasks_share_the_lock(spare, spare_spec, hold):
    hold("SH")
    given = {"runtime": spare_spec["runtime"]}
    loaded = spare.run(IMAGE, **given, archive=f"{ARCHIVES}/busybox.tar", timeout=60)
    assert "failed" not in loaded, loaded["msg"]
    stopped = spare.run(CONTAINERS, **given, state="stopped", all=True)
    assert "failed" not in stopped, stopped["msg"]
    # A run without changes only reads, and shares the lock.
    result = spare.enable(**{**spare_spec, "log_level": "warn"}, timeout=2)
    check_untouched(result, "lock_timeout", "2 seconds")


def test_two_simultaneous_runs_both_succeed(spare, spare_spec):
    """Both runs restart the runtime, one after the other."""
    inventory = {"ansible_connection": "community.docker.docker", "ansible_user": "root"}
    inventory["ansible_python_interpreter"] = "/usr/bin/python3"
    options = [
        word for key, value in inventory.items() for word in ("--extra-vars", f"{key}={value}")
    ]
    args = json.dumps({**spare_spec, "state": "restarted"})
    command = ["ansible", spare.name, "--inventory", f"{spare.name},", *options]
    command += ["--module-name", "cruntime.node.cruntime_enable", "--args", args]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _run in range(2)
    ]
    output = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], output
    assert spare.enable(**spare_spec)["changed"] is False


#: Paths at which a file is expected: with any runtime, and with the runtime of the scenario.
PLACES = {
    "containerd": ["/etc/containerd/config.toml", "/etc/containerd/conf.d/x.toml"],
    "crio": ["/etc/crio/crio.conf.d/50-cruntime.conf", "/etc/crio/crio.conf.d/x.conf"],
    "docker": ["/etc/docker/daemon.json"],
}
KINDS = {
    "a FIFO": "mkfifo {}",
    "a device": "mknod {} c 1 5",
    "a link to a device": "ln -s /dev/zero {}",
    "an endless file": "truncate -s 1T {}",
}


@pytest.mark.parametrize(
    "kind", ["a FIFO", *(pytest.param(each, marks=pytest.mark.long) for each in [*KINDS][1:])]
)
def test_endless_file_is_rejected(spare, spare_spec, kind):
    paths = ["/var/lib/cruntime/files.json", "/etc/crictl.yaml", *PLACES[spare_spec["runtime"]]]
    process = spare.process_of(RUNTIMES[spare_spec["runtime"]].service)
    for path in paths:
        spare.sh(f"mkdir -p $(dirname {path}); test ! -e {path} || mv {path} /srv/away")
        spare.sh(KINDS[kind].format(path))
        try:
            results = [
                spare.enable(**{**spare_spec, **changes}, timeout=10)
                for changes in ({"log_level": "warn"}, {})
            ]
        finally:
            spare.sh(f"rm {path}; test ! -e /srv/away || mv /srv/away {path}")
        # A link in place of the record is not followed.
        is_link = path.endswith("files.json") and "link" in kind
        for result in results:
            check_untouched(result, "record_invalid" if is_link else "file_unreadable", path)
    assert spare.process_of(RUNTIMES[spare_spec["runtime"]].service) == process
    assert spare.enable(**spare_spec)["changed"] is False


#: By runtime: the tool that a run with changes calls, and its arguments.
CALLS = {
    "containerd": ("containerd", "config dump"),
    "crio": ("crio", " config"),
    "docker": ("dockerd", "--validate"),
}


@pytest.mark.parametrize(
    "answer",
    [
        "sleep infinity",
        # Only the exit status of dockerd --validate is used.
        pytest.param(
            "head -c 100000 /dev/urandom; exit 0", marks=pytest.mark.scenario("containerd", "crio")
        ),
    ],
)
def test_tool_that_hangs_or_prints_garbage_ends_in_one_error(spare, spare_spec, answer):
    tool, arguments = CALLS[spare_spec["runtime"]]
    unit, show = unit_of(spare, spare_spec)
    real = spare.sh(f"command -v {tool}").strip()
    wrapper = f'#!/bin/sh\ncase "$*" in *"{arguments}"*) {answer};; esac\nexec {real} "$@"\n'
    # The next start of the unit would use this wrapper.
    path, drop_in = f"/srv/{tool}", f"/run/systemd/system/{unit}.d/99-wrapper.conf"
    start = show("ExecStart").partition("argv[]=")[2].partition(" ;")[0].split()[1:]
    spare.write(path, wrapper)
    spare.write(drop_in, f"[Service]\nExecStart=\nExecStart={path} {' '.join(start)}\n")
    spare.sh(f"chmod +x {path}; systemctl daemon-reload")
    process = show("MainPID")
    try:
        result = spare.enable(**{**spare_spec, "log_level": "warn"}, timeout=5)
    finally:
        spare.sh(f"rm {path} {drop_in}; systemctl daemon-reload")
    check_untouched(result, "command_timeout" if "sleep" in answer else "output_unreadable")
    assert show("MainPID") == process


def test_archive_that_is_a_fifo_is_rejected(spare, spare_spec):
    spare.sh("test -p /srv/fifo.tar || mkfifo /srv/fifo.tar")
    result = spare.run(IMAGE, runtime=spare_spec["runtime"], archive="/srv/fifo.tar", timeout=10)
    check_failed(result, "archive_invalid", "/srv/fifo.tar")


def unit_of(spare, spare_spec):
    """Return the service of the runtime, and a function that reads a property of it."""
    unit = RUNTIMES[spare_spec["runtime"]].service
    return unit, lambda name: spare.sh(f"systemctl show -P {name} {unit}").strip()


def test_a_runtime_that_hangs_is_named_in_time(spare, spare_spec):
    _unit, show = unit_of(spare, spare_spec)
    assert spare.enable(**spare_spec).get("changed") is not None
    process = show("MainPID")
    spare.sh(f"kill -STOP {process}")
    try:
        result = spare.enable(**spare_spec, timeout=3)
        check_failed(result, "no_response", ".sock", "within 3 seconds", "journal")
        assert show("MainPID") == process
    finally:
        # systemd also continues a stopped process, so that it can end.
        restarted = spare.enable(**{**spare_spec, "state": "restarted"})
    assert restarted["changed"] is True
    assert show("MainPID") != process


#: Ends the start of a runtime when a run waits for it.
GO = """
until pgrep -f '^/[a-z/]*systemctl start'; do sleep 0.2; done
sleep 1
touch /run/go
"""


def test_a_start_that_takes_long_is_not_begun_again(spare, spare_spec):
    unit, show = unit_of(spare, spare_spec)
    assert spare.enable(**spare_spec).get("changed") is not None
    drop_in = f"/run/systemd/system/{unit}.d/99-slow.conf"
    wait = 'ExecStartPre=/bin/sh -c "until test -e /run/go; do sleep 0.2; done"'
    spare.write(drop_in, f"[Service]\nTimeoutStartSec=600\n{wait}\n")
    spare.sh(f"systemctl daemon-reload; systemctl restart --no-block {unit}; sleep 1")
    try:
        start = show("InvocationID")
        result = spare.enable(**spare_spec, timeout=3)
        check_failed(result, "unit_not_started", unit, "within 3 seconds")
        assert (show("ActiveState"), show("InvocationID")) == ("activating", start)
        spare.write("/srv/go", GO)
        spare.sh("systemd-run --quiet sh /srv/go")
        result = spare.enable(**spare_spec, timeout=60)
        assert result.get("changed") is True, result
        assert (show("ActiveState"), show("InvocationID")) == ("active", start)
    finally:
        spare.sh(f"rm {drop_in}; touch /run/go; systemctl daemon-reload")
    assert spare.enable(**spare_spec)["changed"] is False
