# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running containers that the steps of a plan would end, or leave without a runtime."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import at_risk, cgroups, daemons
from ansible_collections.cruntime.node.plugins.module_utils.at_risk import (
    Container,
    Daemon,
    find_at_risk,
)
from ansible_collections.cruntime.node.plugins.module_utils.plan import Step
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

WEB = Container("a" * 64, "web", units=frozenset(["system.slice", "containerd.service"]))
POD = Container("b" * 64, "api", "default", "api-0", frozenset(["system.slice", "crio.service"]))
SHIM = Container("c", "c", units=frozenset(["system.slice", "containerd.service"]))
DOCKER = Daemon("docker", "Docker", ("docker.service",), [WEB], outlive_stop=False)
LIVE_RESTORE = DOCKER._replace(outlive_stop=True)
CRIO = Daemon("crio", "CRI-O", ("crio.service",), [POD])
CONTAINERD = Daemon("containerd", "containerd", ("containerd.service",), [SHIM])
ALL_DOCKER = ("docker.socket", "docker.service")


def units(**kill_modes):
    """Return the running units of all runtimes. Docker stops with its socket."""
    names = ("containerd", "crio", "docker")
    found = [
        Unit(f"{name}.service", active_state="active", kill_mode=kill_modes.get(name, "process"))
        for name in names
    ]
    found[2] = found[2]._replace(stops_with=frozenset(["docker.socket", "system.slice"]))
    found.append(Unit("docker.socket", active_state="active", kill_mode="control-group"))
    return {unit.name: unit for unit in found}


def outcomes(daemons_, *steps, takeover=None, **kill_modes):
    found = find_at_risk(daemons_, [Step(*step) for step in steps], units(**kill_modes), takeover)
    return [(each.container.name, each.unit, each.verb, each.outcome) for each in found]


ENDED = [("web", "docker.service", "restart", "ended")]


@pytest.mark.parametrize(
    ("daemon", "steps", "expected"),
    [
        (DOCKER, [("restart", ("docker.service",))], ENDED),
        (DOCKER, [("reload", ("docker.service",))], []),
        (DOCKER, [("enable", ("docker.service",)), ("restart", ("cri-docker.service",))], []),
        # systemd stops a unit together with the units that it requires.
        (DOCKER, [("restart", ("docker.socket",))], ENDED),
        # A reload before the restart turns live-restore on.
        (DOCKER, [("reload", ("docker.service",)), ("restart", ("docker.service",))], []),
        (LIVE_RESTORE, [("restart", ("docker.service",))], []),
        (LIVE_RESTORE._replace(outlive_start=False), [("restart", ("docker.service",))], ENDED),
        (
            LIVE_RESTORE._replace(outlive_start=False),
            [("stop", ALL_DOCKER)],
            [("web", "docker.service", "stop", "left")],
        ),
        (DOCKER, [("stop", ALL_DOCKER)], [("web", "docker.service", "stop", "ended")]),
        (CRIO, [("restart", ("crio.service",))], []),
        (CRIO, [("stop", ("crio.service",))], [("api", "crio.service", "stop", "left")]),
        (CONTAINERD, [("restart", ("containerd.service",))], []),
        (
            CONTAINERD,
            [("stop", ("containerd.service",))],
            [("c", "containerd.service", "stop", "left")],
        ),
    ],
)
def test_outcome_depends_on_the_runtime_and_the_step(daemon, steps, expected):
    assert outcomes([daemon], *steps) == expected


@pytest.mark.parametrize("mode", ["control-group", "mixed", ""])
def test_systemd_ends_what_runs_in_the_cgroup_of_a_unit(mode):
    steps = [("restart", ("crio.service",)), ("stop", ("containerd.service",))]
    assert outcomes([DOCKER, CRIO, CONTAINERD], *steps, crio=mode, containerd=mode) == [
        # A shim of Docker runs in the cgroup of containerd.
        ("web", "containerd.service", "stop", "ended"),
        ("api", "crio.service", "restart", "ended"),
        ("c", "containerd.service", "stop", "ended"),
    ]
    assert outcomes([CRIO], *steps, crio="none") == []


def test_a_stopped_unit_ends_nothing():
    found = units(crio="control-group")
    found["crio.service"] = found["crio.service"]._replace(active_state="inactive")
    assert find_at_risk([CRIO], [Step("stop", ("crio.service",))], found) == []


def test_a_new_runtime_leaves_the_containers_of_a_runtime_that_keeps_running():
    start = Step("start", ALL_DOCKER)
    left = [("c", "docker.service", "start", "left")]
    assert outcomes([CONTAINERD], ("start", ALL_DOCKER), takeover=start) == left
    assert outcomes([CONTAINERD], ("start", ALL_DOCKER)) == []
    stop = ("stop", ("containerd.service",))
    stopped = [("c", "containerd.service", "stop", "left")]
    assert outcomes([CONTAINERD], stop, takeover=Step("start", ("crio.service",))) == stopped


def test_each_container_has_one_outcome_and_messages_are_short():
    steps = [Step("restart", ("docker.service",)), Step("stop", ("docker.service",))]
    many = DOCKER._replace(containers=[WEB._replace(id=str(n), name=f"web{n}") for n in range(12)])
    found = find_at_risk([many, CRIO], [*steps, Step("stop", ("crio.service",))], units())
    assert len(found) == 13
    text = at_risk.describe(found)
    assert text.startswith("the restart of docker.service would end web0 (0), web1 (1), ")
    assert "web9 (9) and 2 more; the stop of crio.service would leave default/api-0/api" in text
    assert text.endswith(f"({'b' * 12}) without a runtime")
    assert found[-1].result == {
        "id": "b" * 64,
        "name": "api",
        "namespace": "default",
        "pod": "api-0",
        "runtime": "crio",
        "step": {"unit": "crio.service", "verb": "stop"},
        "outcome": "left",
    }


# Lines of /proc/PID/cgroup: cgroups v2, a hybrid hierarchy with a systemd in a container, and v1.
CGROUPS = {
    "0::/system.slice/crio.service\n": {"system.slice", "crio.service"},
    "4:memory:/kubepods/pod1/crio-conmon-x\n1:name=systemd:/kubepods/pod1/crio-conmon-x\n"
    "0::/docker/12ab/system.slice/crio.service\n": {
        "docker",
        "12ab",
        "system.slice",
        "crio.service",
    },
    "4:memory:/x\n1:name=systemd:/system.slice/crio.service\n0::/\n": {
        "system.slice",
        "crio.service",
    },
    "0::/\n": set(),
    "": set(),
}


@pytest.mark.parametrize("text", CGROUPS)
def test_units_of_a_process_are_in_the_hierarchy_of_systemd(text):
    assert cgroups.parse_units(text) == CGROUPS[text]


def test_a_process_that_has_ended_belongs_to_no_unit():
    assert cgroups.read_units(2**22 + 1) == frozenset()


def docker_container(number, state="running", **labels):
    return {
        "Id": str(number) * 64,
        "Names": [f"/name{number}"],
        "State": state,
        "Labels": {f"io.kubernetes.{key.replace('_', '.')}": text for key, text in labels.items()},
    }


def test_running_containers_of_docker():
    answer = daemons.parse_docker(
        {"LiveRestoreEnabled": True},
        [
            docker_container(1),
            docker_container(2, "paused"),
            docker_container(3, "exited"),
            docker_container(
                4,
                container_name="api",
                pod_name="api-0",
                pod_namespace="default",
                docker_type="container",
            ),
            docker_container(5, container_name="POD", pod_name="api-0", docker_type="podsandbox"),
            {**docker_container(6), "Labels": None},
        ],
    )
    assert answer.containers == [
        Container("1" * 64, "name1"),
        Container("2" * 64, "name2"),
        Container("4" * 64, "api", "default", "api-0"),
        Container("6" * 64, "name6"),
    ]
    assert answer.outlive_stop is True
    assert "3" * 64 in answer.known


def test_running_containers_of_a_cri():
    listed = [
        {
            "id": "c1",
            "pod_sandbox_id": "s1",
            "metadata": {"name": "api"},
            "state": "CONTAINER_RUNNING",
        },
        {
            "id": "c2",
            "pod_sandbox_id": "s1",
            "metadata": {"name": "old"},
            "state": "CONTAINER_EXITED",
        },
        {"id": "c3", "pod_sandbox_id": "gone", "metadata": None, "state": "CONTAINER_RUNNING"},
    ]
    sandboxes = [{"id": "s1", "metadata": {"name": "api-0", "namespace": "default"}}]
    answer = daemons.parse_cri(listed, sandboxes)
    assert answer.containers == [Container("c1", "api", "default", "api-0"), Container("c3", "c3")]
    assert answer.known == {"c1", "c2", "c3", "s1"}
    assert answer.sandboxes == {"c1": "s1", "c3": "gone"}


@pytest.mark.parametrize(
    ("argv", "container_id"),
    [
        ("containerd-shim-runc-v2 -namespace moby -id 12ab -address /run/x.sock", "12ab"),
        (
            "/usr/bin/conmon -b /run/containers/storage/x -c 12ab --exit-dir /run/crio/exits -u 9",
            "12ab",
        ),
        ("conmon --cid 12ab", "12ab"),
        ("conmon --version", ""),
    ],
)
def test_id_of_the_container_that_a_process_holds(argv, container_id):
    assert daemons._find_id(argv.split()) == container_id
