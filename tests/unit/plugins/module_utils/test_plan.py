# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of unit changes from the observed state. Some cases come from minikube's tests."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import plan
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit, needed_by

RUNTIMES = runtimes(Runner())
CONTAINERD, CRIO, DOCKER = (RUNTIMES[name] for name in ("containerd", "crio", "docker"))
STARTED = 1000.0


def node(*running, **changes):
    """Return the units of a node, with these running and enabled."""
    units = {}
    for runtime in RUNTIMES.values():
        for name in runtime.all_units:
            found = "loaded" if name in runtime.units else "not-found"
            units[name] = Unit(name, found, "inactive", "disabled" if found == "loaded" else "")
    for name in running:
        units[name] = units[name]._replace(
            active_state="active", file_state="enabled", pid=1, started=STARTED
        )
    for name, change in changes.items():
        unit = name.replace("_", ".").replace("cri.", "cri-")
        units[unit] = units[unit]._replace(**change)
    return units


def change(before=b"same", after=b"same", mtime=STARTED - 1, restart=True, loaded_by=0):
    return Change("/etc/x", "/etc/x", after, restart, before, int(mtime * 1e9), loaded_by)


def other_change():
    return change(before=b"other")._replace(path="/etc/z")


def daemon_json(before, after, **kwargs):
    contents = (json.dumps(config).encode() for config in (before, after))
    return change(*contents, **kwargs)._replace(path="/etc/docker/daemon.json")


def enable(runtime, units, changes=(), restart=False):
    """Return the steps to start and to stop units, and the predicted units."""
    others = [other for other in RUNTIMES.values() if other is not runtime]
    up = plan.plan_enable(runtime, units, changes, asked=restart)
    down = plan.plan_disable(others, units, needed_by(runtime.units, units), "why")
    return up, down, plan.predict(units, up + down)


ALL_DOCKER = ("docker.socket", "docker.service")


# Cases of minikube's tests. crio-shutdown is a unit of minikube's own image, so it has no row here.
@pytest.mark.parametrize(
    ("runtime", "running", "active"),
    [
        (DOCKER, ALL_DOCKER, {*ALL_DOCKER}),
        (DOCKER, (*ALL_DOCKER, "crio.service", "containerd.service"), {*ALL_DOCKER}),
        (CONTAINERD, ALL_DOCKER, {"containerd.service"}),
        (CRIO, ALL_DOCKER, {"crio.service"}),
    ],
)
def test_exactly_one_runtime_is_left_running(runtime, running, active):
    _up, _down, after = enable(runtime, node(*running))
    assert {name for name, unit in after.items() if unit.active} == active
    assert {name for name, unit in after.items() if unit.enabled} == active


def saved(units):
    return {
        name: plan.Saved(unit.active, unit.enabled, unit.masked)
        for name, unit in units.items()
        if unit.found
    }


@pytest.mark.parametrize("runtime", [CONTAINERD, CRIO, DOCKER])
@pytest.mark.parametrize("old", [("containerd.service",), ("crio.service",), ALL_DOCKER, ()])
def test_units_are_restored(runtime, old):
    before = node(*old)
    _up, _down, units = enable(runtime, before)
    wanted = saved(before)
    up, down = plan.plan_restore(wanted, units, RUNTIMES.values())
    after = plan.predict(units, [*up, *down])
    assert saved(after) == wanted
    assert plan.plan_restore(wanted, after, RUNTIMES.values()) == ([], [])
    # Nothing is stopped before everything is started.
    assert {step.verb for step in up} <= {"unmask", "start", "restart", "enable"}
    assert {step.verb for step in down} <= {"stop", "disable", "mask"}


def test_a_socket_is_started_again_with_its_service():
    units = node("docker.service")
    up, _down = plan.plan_restore(saved(node(*ALL_DOCKER)), units, RUNTIMES.values())
    assert up[0] == Step("restart", ALL_DOCKER, "restored")


def test_a_node_that_matches_its_spec_needs_no_step():
    units = node("containerd.service", docker_service={"file_state": "masked"})
    assert enable(CONTAINERD, units, [change()])[:2] == ([], [])


def test_a_predicted_node_needs_no_further_step():
    units = node(*ALL_DOCKER, "crio.service")
    _up, _down, after = enable(CONTAINERD, units, [change(before=None)])
    after["containerd.service"] = after["containerd.service"]._replace(started=STARTED)
    assert enable(CONTAINERD, after, [change()])[:2] == ([], [])


@pytest.mark.parametrize(
    ("changes", "restart", "why"),
    [
        ([change()], False, None),
        ([change()], True, "asked for"),
        ([change(before=b"other")], False, "/etc/x changed"),
        ([change(before=None)], False, "/etc/x changed"),
        ([change(mtime=STARTED + 1)], False, "/etc/x is newer than the running process"),
        ([change(mtime=STARTED)], False, None),
        ([change(mtime=STARTED + 5e-7)], False, "/etc/x is newer than the running process"),
        ([change(before=b"other"), other_change()], False, "/etc/x changed"),
        ([other_change(), change(before=b"other")], False, "/etc/z changed"),
        ([change(), change(mtime=STARTED + 1)], False, "/etc/x is newer than the running process"),
        ([change(before=b"other", restart=False)], False, None),
        ([change(mtime=STARTED + 1, restart=False)], False, None),
    ],
)
def test_pending_restart_is_planned(changes, restart, why):
    up = plan.plan_enable(CONTAINERD, node("containerd.service"), changes, asked=restart)
    assert up == ([Step("restart", ("containerd.service",), why)] if why else [])


def test_an_upgrade_of_the_package_needs_a_restart():
    units = node("containerd.service", containerd_service={"replaced": True})
    why = "the binary of containerd.service was replaced"
    up = plan.plan_enable(CONTAINERD, units, [change()], asked=False)
    assert up == [Step("restart", ("containerd.service",), why)]


def test_a_reload_that_was_recorded_needs_no_restart():
    units = node("containerd.service")
    assert (
        plan.plan_enable(CONTAINERD, units, [change(mtime=STARTED + 1, loaded_by=1)], asked=False)
        == []
    )
    (step,) = plan.plan_enable(
        CONTAINERD, units, [change(mtime=STARTED + 1, loaded_by=2)], asked=False
    )
    assert step.verb == "restart"


@pytest.mark.parametrize(
    ("before", "after", "kwargs", "verbs"),
    [
        ({}, {"debug": True}, {}, ["reload"]),
        ({"debug": True, "bip": "x"}, {"debug": False, "bip": "x"}, {}, ["reload"]),
        ({"registry-mirrors": ["x"]}, {}, {}, ["restart"]),  # a removed key stays in effect
        ({}, {"debug": True, "bip": "x"}, {}, ["restart"]),
        ({}, {"live-restore": True}, {}, ["reload"]),
        ({}, {"live-restore": True, "bip": "x"}, {}, ["reload", "restart"]),
        ({"live-restore": True}, {"live-restore": True, "bip": "x"}, {}, ["restart"]),
        # The process has never read the old content of the file.
        ({}, {"debug": True}, {"mtime": STARTED + 1}, ["restart"]),
        ({}, {"debug": True}, {"mtime": STARTED + 1, "loaded_by": 1}, ["reload"]),
    ],
)
def test_docker_is_reloaded_if_a_reload_is_enough(before, after, kwargs, verbs):
    changes = [daemon_json(before, after, **kwargs)]
    assert [
        step.verb for step in plan.plan_enable(DOCKER, node(*ALL_DOCKER), changes, asked=False)
    ] == verbs


def test_a_previously_invalid_file_of_docker_needs_a_restart():
    broken = daemon_json({}, {"debug": True})._replace(before=b"{")
    (step,) = plan.plan_enable(DOCKER, node(*ALL_DOCKER), [broken], asked=False)
    assert step.verb == "restart"


@pytest.fixture
def crio(monkeypatch, transcript):
    """Return a function that returns a CRI-O with the recorded status and these changed settings.

    The function takes the version of CRI-O. With None, CRI-O does not respond.
    """

    def make(version="1.37.0", **settings):
        config = transcript("crio-1.37.0-status-config.toml")
        for key, value in settings.items():
            config = re.sub(f"^( *{key}) = .*", rf'\1 = "{value}"', config, flags=re.MULTILINE)

        printed = f"crio version {version}\n"
        monkeypatch.setattr(Runner, "output", lambda *_argv, **_options: printed)
        found = runtimes(Runner())["crio"]
        if version:
            monkeypatch.setattr(Crio, "running_config", lambda _self: config)
        else:
            found.socket_path = "/nonexistent/crio.sock"
        return found

    return make


def crio_drop_in(before, after):
    path = "/etc/crio/crio.conf.d/50-cruntime.conf"
    return change(before.encode(), after.encode())._replace(path=path)


def crio_registries(after=b"new"):
    path = "/etc/containers/registries.conf.d/50-cruntime.conf"
    return change(b"old", after)._replace(path=path)


def crio_verb(runtime, *changes):
    (step,) = plan.plan_enable(runtime, node("crio.service"), changes, asked=False)
    return step.verb


A, B = (f'[crio.runtime.runtimes."{name}"]\nruntime_path = "/{name}"\n' for name in "ab")


@pytest.mark.parametrize(
    ("before", "after", "verb"),
    [
        ('[crio.image]\npause_image = "a"\n', '[crio.image]\npause_image = "b"\n', "reload"),
        ("", '# why\n[crio.image]\npause_image = "b"\n', "reload"),
        ('[crio.runtime]\nlog_level = "info"\n', "", "reload"),
        ("", '[crio.image]\npinned_images = ["a"]\n', "reload"),
        ("", '[crio.runtime]\ndefault_runtime = "b"\n' + B, "restart"),
        (A + B, A.replace("/a", "/c") + B, "restart"),
        ("", '[crio.runtime]\ncgroup_manager = "cgroupfs"\n', "restart"),
        ("", '[crio.image]\npause_image = "b"\nimage_volumes = "bind"\n', "restart"),
        # The handler has a key with the same name.
        ("[crio.runtime]\n" + A, '[crio.runtime]\nno_pivot = "x"\n' + A, "restart"),
        ('[crio]\nroot = "/a"\n[x]\nroot = "/c"\n', '[x]\nroot = "/c"\n', "restart"),
    ],
)
def test_crio_is_reloaded_if_a_reload_is_enough(crio, before, after, verb):
    assert crio_verb(crio(), crio_drop_in(before, after)) == verb


@pytest.mark.parametrize("after", [b"new", None])
def test_crio_reloads_its_registries(crio, after):
    assert crio_verb(crio(), crio_registries(after)) == "reload"


@pytest.mark.parametrize(
    "running",
    [{"version": "1.30.9"}, {"log_level": "warn"}, {"log_filter": "x"}, {"version": None}],
)
def test_crio_is_restarted_if_its_reload_is_not_logged(crio, running):
    shown = crio_drop_in("", '[crio.image]\npause_image = "b"\n')
    assert crio_verb(crio(**running), crio_registries()) == "restart"
    # The status of CRI-O shows this setting, so no log line is needed.
    assert crio_verb(crio(**running), shown) == "reload"


def test_crio_is_restarted_if_it_would_stop_logging_the_reload(crio):
    quiet = crio_drop_in("", '[crio.runtime]\nlog_level = "error"\n')
    assert crio_verb(crio(), quiet) == "reload"
    assert crio_verb(crio(), quiet, crio_registries()) == "restart"


def test_rollback_reloads_units_that_were_reloaded():
    units = node(*ALL_DOCKER)
    steps = plan.plan_rollback(units, units, [Step("reload", ("docker.service",), "why")])
    assert steps == [Step("reload", ("docker.service",))]


def test_a_rollback_of_a_reload_does_not_reload_a_new_process():
    before = node(*ALL_DOCKER)
    taken = [Step("reload", ("docker.service",), "why")]
    now = node(*ALL_DOCKER, docker_service={"pid": 2})
    assert plan.plan_rollback(before, now, taken) == [Step("restart", ("docker.service",))]
    now = node(*ALL_DOCKER, docker_service={"active_state": "inactive", "pid": 0})
    assert plan.plan_rollback(before, now, taken) == [Step("start", ("docker.service",))]


def test_a_rollback_stops_a_socket_that_was_not_active():
    before = adapted_node(*ALL_DOCKER, ADAPTER[1])
    now = adapted_node(*ALL_DOCKER, *ADAPTER, cri_docker_service={"pid": 2})
    back = plan.plan_rollback(before, now, [Step("restart", ADAPTER, "/etc/y changed")])
    assert [step for step in back if step.verb in ("stop", "restart")] == [
        Step("stop", ADAPTER[:1]),
        Step("restart", ADAPTER[1:]),
    ]


def test_a_plan_has_the_changed_files_and_all_steps():
    up, down = (Step(verb, ("x.service",)) for verb in ("start", "stop"))
    whole = plan.Plan([change(), other_change()], [up], [down])
    assert whole.changed == [other_change()]
    assert whole.steps == [up, down]


def test_a_removal_leaves_no_mask():
    units = node("docker.service", docker_socket={"file_state": "masked"})
    units["docker.service"] = units["docker.service"]._replace(path="/usr/lib/systemd/x.service")
    assert plan.stop_for_removal(DOCKER, units, "why") == [
        Step("stop", ("docker.service",), "why"),
        Step("disable", ("docker.service",), "why"),
    ]
    units["docker.service"] = units["docker.service"]._replace(file_state="masked")
    assert plan.stop_for_removal(DOCKER, units, "why") == [
        Step("stop", ("docker.service",), "why"),
        Step("unmask", ("docker.service",), "why"),
    ]


def test_a_restart_of_docker_leaves_its_socket_to_the_clients():
    up = plan.plan_enable(DOCKER, node(*ALL_DOCKER), [], asked=True)
    assert up == [Step("restart", ("docker.service",), "asked for")]


def test_docker_and_its_missing_socket_are_restarted_together():
    units = node(*ALL_DOCKER, docker_socket={"active_state": "inactive"})
    (step,) = plan.plan_enable(DOCKER, units, [], asked=False)
    assert (step.verb, step.units) == ("restart", ALL_DOCKER)


def test_a_start_that_has_begun_begins_again_only_for_new_files():
    units = node("containerd.service", containerd_service={"active_state": "activating"})
    (step,) = plan.plan_enable(CONTAINERD, units, [], asked=False)
    assert step.verb == "start"
    (step,) = plan.plan_enable(CONTAINERD, units, [], asked=True)
    assert step.verb == "restart"
    changes = [change(b"other")]
    (step,) = plan.plan_enable(CONTAINERD, units, changes, asked=False)
    assert step.verb == "restart"


def test_a_masked_unit_is_unmasked_started_and_enabled():
    units = node(docker_service={"load_state": "masked", "file_state": "masked"})
    up = plan.plan_enable(DOCKER, units, [], asked=False)
    assert [(step.verb, step.units) for step in up] == [
        ("unmask", ("docker.service",)),
        ("start", ALL_DOCKER),
        ("enable", ALL_DOCKER),
    ]


ADAPTER = ("cri-docker.socket", "cri-docker.service")
ADAPTED = DOCKER.configured({"cri_service": True})


def adapted_node(*running, **changes):
    """Return the units of a node where cri-dockerd is installed."""
    for name in ("cri_docker_socket", "cri_docker_service"):
        changes[name] = {"load_state": "loaded", **changes.get(name, {})}
    return node(*running, **changes)


def adapter_file(unit="cri-docker.service", **kwargs):
    return change(**kwargs)._replace(path="/etc/y", unit=unit)


def test_docker_is_started_with_its_adapter():
    units = adapted_node(cri_docker_service={"file_state": "masked", "load_state": "masked"})
    up = plan.plan_enable(ADAPTED, units, [], asked=False)
    assert [(step.verb, step.units) for step in up] == [
        ("unmask", ("cri-docker.service",)),
        ("start", ALL_DOCKER),
        ("start", ADAPTER),
        ("enable", (*ALL_DOCKER, *ADAPTER)),
    ]
    after = plan.predict(units, up)
    assert all(after[name].active and after[name].enabled for name in ADAPTED.wanted_units)
    assert plan.plan_enable(ADAPTED, adapted_node(*ALL_DOCKER, *ADAPTER), [], asked=False) == []


@pytest.mark.parametrize("running", [(), ADAPTER, ADAPTER[:1]])
def test_an_adapter_that_is_not_requested_is_unchanged(running):
    units = adapted_node(*ALL_DOCKER, *running)
    (step,) = plan.plan_enable(DOCKER, units, [change(before=b"other")], asked=False)
    assert step == Step("restart", ("docker.service",), "/etc/x changed")


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ([adapter_file()], []),
        (
            [adapter_file(before=b"other")],
            [Step("restart", ADAPTER[1:], "/etc/y changed")],
        ),
        (
            [adapter_file(mtime=STARTED + 1)],
            [Step("restart", ADAPTER[1:], "/etc/y is newer than the running process")],
        ),
        # A socket cannot be started while its service is running.
        (
            [adapter_file(ADAPTER[0], before=b"other")],
            [Step("restart", ADAPTER, "/etc/y changed")],
        ),
        (
            [adapter_file(before=b"other"), adapter_file(ADAPTER[0], after=None, mtime=STARTED)],
            [Step("restart", ADAPTER, "/etc/y changed")],
        ),
        (
            [adapter_file(before=b"other"), adapter_file(before=b"other")._replace(path="/etc/z")],
            [Step("restart", ADAPTER[1:], "/etc/y changed")],
        ),
        # The adapter reads the properties of Docker when it starts.
        (
            [change(before=b"other")],
            [
                Step("restart", ("docker.service",), "/etc/x changed"),
                Step("restart", ADAPTER[1:], "Docker is restarted"),
            ],
        ),
        (
            [daemon_json({}, {"debug": True}), adapter_file(before=b"other")],
            [
                Step("reload", ("docker.service",), "/etc/docker/daemon.json changed"),
                Step("restart", ADAPTER[1:], "/etc/y changed"),
            ],
        ),
        (
            [daemon_json({}, {"debug": True})],
            [Step("reload", ("docker.service",), "/etc/docker/daemon.json changed")],
        ),
    ],
)
def test_the_adapter_is_restarted_if_its_files_change(changes, steps):
    units = adapted_node(*ALL_DOCKER, *ADAPTER)
    assert plan.plan_enable(ADAPTED, units, changes, asked=False) == steps


def test_an_adapter_older_than_its_runtime_is_restarted():
    units = adapted_node(*ALL_DOCKER, *ADAPTER, docker_service={"started": STARTED + 1})
    (step,) = plan.plan_enable(ADAPTED, units, [], asked=False)
    assert step == Step(
        "restart", ADAPTER[1:], "docker.service was started after cri-docker.service"
    )
    assert plan.plan_enable(DOCKER, units, [], asked=False) == []


def test_an_adapter_without_known_start_times_is_not_restarted():
    unknown = {"started": None}
    units = adapted_node(*ALL_DOCKER, *ADAPTER, docker_service=unknown, cri_docker_service=unknown)
    assert plan.plan_enable(ADAPTED, units, [], asked=False) == []


def test_a_running_adapter_is_restarted_if_its_file_is_removed():
    gone = [adapter_file(after=None)]
    assert plan.plan_enable(DOCKER, adapted_node(*ALL_DOCKER), gone, asked=False) == []
    (step,) = plan.plan_enable(DOCKER, adapted_node(*ALL_DOCKER, *ADAPTER), gone, asked=False)
    assert step.units == ADAPTER[1:]


def test_rollback_restarts_a_socket_with_its_old_address():
    before = adapted_node(*ALL_DOCKER, *ADAPTER)
    taken = [Step("restart", ADAPTER, "/etc/y changed")]
    now = adapted_node(*ALL_DOCKER, *ADAPTER, cri_docker_service={"pid": 2})
    (step,) = plan.plan_rollback(before, now, taken)
    assert (step.verb, set(step.units)) == ("restart", set(ADAPTER))
    # At this time, no unit has been restarted.
    assert plan.plan_rollback(before, before, taken) == []


# Case of minikube's tests: the adapter before Docker, sockets before services. systemd orders the
# units within one call.
def test_docker_is_stopped_with_its_adapter():
    units = node(
        *ALL_DOCKER,
        cri_docker_socket={"load_state": "loaded", "active_state": "active"},
        cri_docker_service={"load_state": "loaded", "file_state": "enabled"},
    )
    assert plan.plan_disable([DOCKER], units, (), "why") == [
        Step("stop", ("cri-docker.socket", *ALL_DOCKER), "why"),
        Step("disable", ("cri-docker.service", *ALL_DOCKER), "why"),
        Step("mask", ("cri-docker.service", "docker.service"), "why"),
    ]


@pytest.mark.parametrize("runtime", [CONTAINERD, CRIO])
def test_the_others_are_stopped_and_disabled(runtime):
    units = node(*runtime.units)
    assert plan.plan_disable([runtime], units, (), "why") == [
        Step("stop", runtime.units, "why"),
        Step("disable", runtime.units, "why"),
    ]


def test_an_inactive_docker_is_masked_against_activation():
    assert plan.plan_disable([DOCKER], node(), (), "why") == [
        Step("mask", ("docker.service",), "why")
    ]


def test_a_unit_file_of_an_admin_is_not_masked():
    units = node(docker_service={"path": "/etc/systemd/system/docker.service"})
    assert plan.plan_disable([DOCKER], units, (), "why") == []


def test_containerd_is_not_stopped_if_docker_needs_it():
    needs = frozenset({"containerd.service", "docker.socket", "network-online.target"})
    units = node(*ALL_DOCKER, "containerd.service", docker_service={"needs": needs})
    assert needed_by(DOCKER.units, units) == {"containerd.service", "docker.socket"}
    assert enable(DOCKER, units)[:2] == ([], [])


def test_indirect_dependencies_are_found():
    units = node(
        docker_socket={"needs": frozenset({"docker.service"})},
        docker_service={"needs": frozenset({"containerd.service", "docker.socket"})},
    )
    assert "containerd.service" in needed_by(["docker.socket"], units)


@pytest.mark.parametrize(
    "before",
    [
        node("containerd.service"),
        node(*ALL_DOCKER),
        node(docker_service={"file_state": "masked"}),
        node("crio.service", docker_socket={"file_state": "enabled"}),
    ],
)
@pytest.mark.parametrize(
    "now",
    [
        node(),
        node(*ALL_DOCKER, "crio.service"),
        node(docker_service={"file_state": "masked"}),
    ],
)
def test_rollback_restores_all_unit_states(before, now):
    back = plan.predict(now, plan.plan_rollback(before, now, []))
    for name, unit in before.items():
        assert back[name].state == unit.state


def test_rollback_does_not_restart_an_unchanged_process():
    units = node("containerd.service")
    assert plan.plan_rollback(units, units, []) == []


def test_rollback_kills_a_unit_that_hangs_in_a_stop():
    before = node("containerd.service")
    now = node("containerd.service", containerd_service={"active_state": "deactivating"})
    assert plan.plan_rollback(before, now, []) == [
        Step("kill", ("containerd.service",)),
        Step("start", ("containerd.service",)),
    ]


def test_rollback_restarts_a_process_that_read_the_new_files():
    before = node("containerd.service")
    now = node("containerd.service", containerd_service={"pid": 2})
    assert plan.plan_rollback(before, now, []) == [Step("restart", ("containerd.service",))]


# Restarts that wait

LIVE = {"live-restore": True, "bip": "x"}


@pytest.mark.parametrize(
    ("changes", "state", "options", "verbs"),
    [
        ([change(mtime=STARTED + 1)], {}, {}, ["restart"]),
        ([change(mtime=STARTED + 1)], {}, {"pays": False}, []),
        ([], {"docker_service": {"replaced": True}}, {"pays": False}, []),
        ([], {}, {"pending": "x"}, ["restart"]),
        ([], {}, {"pending": "x", "pays": False}, []),
        # A reload turns a pending live-restore on before the restart.
        ([], {}, {"pending": "x", "protects": True}, ["reload", "restart"]),
        ([daemon_json({}, LIVE)], {}, {"protects": True}, ["reload", "restart"]),
        # A change of this run.
        ([daemon_json({}, {"bip": "x"})], {}, {"pays": False}, ["restart"]),
        ([daemon_json({}, {"bip": "x"})], {}, {"pays": False, "restarts": False}, []),
        ([daemon_json({}, LIVE)], {}, {"pays": False, "restarts": False}, ["reload"]),
        ([daemon_json({}, {"debug": True}, mtime=STARTED + 1)], {}, {"pays": False}, ["reload"]),
        # The socket is not active.
        ([], {"docker_socket": {"active_state": "inactive"}}, {}, ["restart"]),
        ([], {"docker_socket": {"active_state": "inactive"}}, {"pays": False}, []),
        ([], {"docker_service": {"active_state": "inactive"}}, {"pays": False}, ["start"]),
    ],
)
def test_a_restart_can_wait(changes, state, options, verbs):
    units = node(*ALL_DOCKER, **state)
    steps = plan.plan_enable(DOCKER, units, changes, asked=False, **options)
    assert [step.verb for step in steps] == verbs


@pytest.mark.parametrize(
    ("flags", "after", "expected"),
    [
        ("", {"live-restore": True}, True),
        ("", {"live-restore": False}, False),
        ("", {}, False),
        ("--live-restore", {}, True),
        ("$OPTS", {}, True),
        ("--live-restore=false", {}, False),
    ],
)
def test_containers_of_docker_outlive_a_start_with_live_restore(flags, after, expected):
    units = {
        "docker.service": Unit(
            "docker.service",
            command=("dockerd", *flags.split()),
            environment=("OPTS=--live-restore",),
        )
    }
    assert DOCKER.outlives_start([daemon_json({}, after)], units) is expected
    assert CONTAINERD.outlives_start([], units) is True
