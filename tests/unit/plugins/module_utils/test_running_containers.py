# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option running_containers: which steps of a plan are refused, taken or wait."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import plan, running_containers
from ansible_collections.cruntime.node.plugins.module_utils.at_risk import Container, Daemon
from ansible_collections.cruntime.node.plugins.module_utils.effective.comparison import Comparison
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.inspection import (
    Inspection,
    plan_disable_others,
)
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.node import Node
from ansible_collections.cruntime.node.plugins.module_utils.plan import Plan
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

RUNTIMES = runtimes(Runner())
NODE = Node(None, Runner(), RUNTIMES, *[None] * (len(Node._fields) - 4), 1)
WEB = Container("a" * 64, "web")
POD = Container("b" * 64, "api", "default", "api-0")
DOCKER = Daemon("docker", "Docker", ("docker.service",), [WEB], outlive_stop=False)
CONTAINERD = Daemon("containerd", "containerd", ("containerd.service",), [POD])
CONFIG = "/etc/docker/daemon.json"
RESTART = ["restart docker.service"]


def units(*running, **changes):
    """Return the units of a node, with these running and enabled."""
    found = {
        name: Unit(name, "loaded", "inactive", "disabled", kill_mode="process")
        for runtime in RUNTIMES.values()
        for name in runtime.all_units
    }
    for name in running:
        found[name] = found[name]._replace(
            active_state="active", file_state="enabled", pid=1, started=1.0
        )
    needs = frozenset(["docker.socket", "containerd.service"])
    found["docker.service"] = found["docker.service"]._replace(needs=needs)
    for name, change in changes.items():
        found[name] = found[name]._replace(**change)
    return found


ON_DOCKER = ("docker.socket", "docker.service", "containerd.service")


@pytest.fixture
def restrain(monkeypatch):
    """Return a function that restrains the plan of a run, on a node with these daemons."""

    def run(name, on, daemons, change=None, **options):
        monkeypatch.setattr(running_containers, "read_daemons", lambda *_args, **_kw: daemons)
        options = {
            "state": "enabled",
            "running_containers": "refuse",
            "disable_others": True,
            **options,
        }
        runtime, files = RUNTIMES[name], [change] if change else []
        asked = options["state"] == "restarted"
        up = plan.plan_enable(runtime, on, files, asked=asked)
        down = plan_disable_others(NODE, runtime, on)
        about = (runtime, "1.0", "systemd", on, ManagedFiles("/nonexistent"))
        found = Inspection(*about, Plan(files, up, down), [], Comparison("x"))
        found = running_containers.restrain(NODE, found, options)
        steps = [f"{step.verb} {' '.join(step.units)}" for step in found.plan.steps]
        return steps, found.restraint

    return run


def config(before=b"{}", mtime=0.5):
    return Change(CONFIG, CONFIG, b'{"bip": "x"}', True, before, int(mtime * 1e9))


def describe(restraint):
    return (
        [(each.container.name, each.outcome) for each in restraint.at_risk],
        [tuple(each) for each in restraint.pending],
    )


def test_a_change_that_ends_containers_is_refused(restrain):
    steps, restraint = restrain("docker", units(*ON_DOCKER), [DOCKER], config())
    assert steps == RESTART
    assert describe(restraint) == ([("web", "ended")], [])
    for fact in ("web (aaaaaaaaaaaa)", "restart of docker.service", "live_restore: true"):
        assert fact in restraint.refusal
    assert restraint.diffs == [
        {
            "before_header": "running containers",
            "after_header": "running containers",
            "before": "web (aaaaaaaaaaaa)\n",
            "after": "",
        }
    ]


@pytest.mark.parametrize(("policy", "warns"), [("stop", True), ("ignore", False)])
def test_a_change_can_be_allowed(restrain, policy, warns):
    on = units(*ON_DOCKER)
    steps, restraint = restrain("docker", on, [DOCKER], config(), running_containers=policy)
    assert steps == RESTART
    assert describe(restraint) == ([("web", "ended")], [])
    assert restraint.refusal == ""
    assert bool(restraint.warnings) is warns


def test_a_change_can_wait(restrain):
    on = units(*ON_DOCKER)
    steps, restraint = restrain("docker", on, [DOCKER], config(), running_containers="defer")
    assert steps == []
    pending = [("docker.service", f"{CONFIG} changed")]
    assert describe(restraint) == ([("web", "ended")], pending)
    assert (restraint.refusal, restraint.diffs) == ("", [])
    (warning,) = restraint.warnings
    assert f"docker.service ({CONFIG} changed)" in warning


@pytest.mark.parametrize("policy", ["refuse", "defer"])
def test_a_restart_that_was_pending_waits(restrain, policy):
    change = config(before=b'{"bip": "x"}', mtime=2)
    on = units(*ON_DOCKER)
    steps, restraint = restrain("docker", on, [DOCKER], change, running_containers=policy)
    assert steps == []
    pending = [("docker.service", f"{CONFIG} is newer than the running process")]
    assert describe(restraint) == ([("web", "ended")], pending)
    assert restraint.refusal == ""
    assert restrain("docker", on, [DOCKER._replace(containers=[])], change)[0] == RESTART


def test_a_requested_restart_is_done(restrain):
    steps, restraint = restrain("docker", units(*ON_DOCKER), [DOCKER], state="restarted")
    assert steps == RESTART
    assert restraint.refusal == ""
    assert "web" in restraint.warnings[0]


def test_a_requested_restart_does_not_allow_the_stop_of_another_runtime(restrain):
    steps, restraint = restrain(
        "containerd", units(*ON_DOCKER), [DOCKER, CONTAINERD], state="restarted"
    )
    assert "restart containerd.service" in steps
    assert "web" in restraint.refusal
    assert "api" not in restraint.refusal


def test_an_inactive_socket_does_not_restart_a_runtime_with_containers(restrain):
    on = units("docker.service", "containerd.service")
    steps, restraint = restrain("docker", on, [DOCKER])
    assert steps == ["enable docker.socket"]
    pending = [("docker.service", "docker.socket not active")]
    assert describe(restraint) == ([("web", "ended")], pending)


def test_a_switch_is_refused_or_leaves_the_old_runtime(restrain):
    on = units(*ON_DOCKER)
    steps, restraint = restrain("crio", on, [DOCKER, CONTAINERD])
    assert "start crio.service" in steps
    assert describe(restraint) == ([("web", "ended"), ("api", "left")], [])
    assert restraint.diffs[0]["after"] == ("default/api-0/api (bbbbbbbbbbbb), without a runtime\n")
    steps, restraint = restrain("crio", on, [DOCKER, CONTAINERD], running_containers="defer")
    assert steps == ["start crio.service", "enable crio.service"]
    why = "disabled in favor of CRI-O"
    names = {name for name, cause in describe(restraint)[1] if cause == why}
    assert names == {*ON_DOCKER}
    # Docker still needs containerd.
    steps, restraint = restrain("crio", on, [DOCKER], running_containers="defer")
    assert steps == ["start crio.service", "enable crio.service"]


def test_a_switch_to_docker_leaves_the_containers_of_containerd(restrain):
    on = units("containerd.service")
    _steps, restraint = restrain("docker", on, [CONTAINERD])
    assert describe(restraint) == ([("api", "left")], [])
    assert "the start of docker.service would leave default/api-0/api" in restraint.refusal
    assert restrain("docker", on, [CONTAINERD], disable_others=False)[1].at_risk == ()


def test_a_run_that_stops_nothing_does_not_ask_the_runtimes(restrain):
    # The daemons could not be iterated.
    assert restrain("docker", units(*ON_DOCKER), None)[0] == []
    assert restrain("containerd", units(), None, disable_others=False)[0] != []


@pytest.mark.parametrize(
    ("policy", "steps", "pending"),
    [
        ("refuse", 2, []),
        ("stop", 2, []),
        ("ignore", 2, []),
        ("defer", 0, [("containerd.service", "asked for")]),
    ],
)
def test_disabled_state_respects_running_containers(monkeypatch, policy, steps, pending):
    monkeypatch.setattr(running_containers, "read_daemons", lambda *_args, **_kw: [CONTAINERD])
    runtime, on = RUNTIMES["containerd"], units("containerd.service")
    planned = plan.plan_disable([runtime], on, keep=(), why="asked for")
    kept, restraint = running_containers.restrain_stop(NODE, runtime, planned, on, policy)
    assert len(kept) == steps
    assert describe(restraint) == ([("api", "left")], pending)
    assert bool(restraint.refusal) is (policy == "refuse")


DROP_IN = "/etc/systemd/system/crio.service.d/50-cruntime-kill-mode.conf"


def test_a_new_drop_in_sets_the_kill_mode_before_the_restart(tmp_path):
    on = units(**{"crio.service": {"kill_mode": "control-group"}})
    change = Change(DROP_IN, DROP_IN, b"[Service]\nKillMode=process\n", False, None, None)

    def mode(**changes):
        found = {**on, "crio.service": on["crio.service"]._replace(**changes)}
        return running_containers.predict_kill_modes(found, [change])["crio.service"].kill_mode

    assert mode() == "process"
    later = tmp_path / "90-admin.conf"
    later.write_text("[Service]\nKillMode=mixed\n")
    assert mode(drop_ins=(str(later),)) == "control-group"
    later.write_text("[Service]\nSlice=x.slice\n")
    assert mode(drop_ins=(str(later),)) == "process"
    assert running_containers.predict_kill_modes(on, [change._replace(after=None)]) == on
