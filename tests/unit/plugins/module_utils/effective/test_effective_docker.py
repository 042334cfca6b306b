# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json, compared with the flags and with what each version of Docker reports."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.effective import compare, docker
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import Start, Unit
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

VERSIONS = ("20.10.24", "26.1.5", "29.8.1")
#: For each key that Docker reports: where it does, and another value.
REPORTED = {
    "data-root": (("DockerRootDir",), "/x"),
    "exec-opts": (("CgroupDriver",), "cgroupfs"),
    "insecure-registries": (("RegistryConfig", "IndexConfigs", "r.example:5000", "Secure"), True),
    "live-restore": (("LiveRestoreEnabled",), False),
    "log-driver": (("LoggingDriver",), "journald"),
    "registry-mirrors": (("RegistryConfig", "Mirrors"), ["https://other.example/"]),
    "runtimes": (("Runtimes", "crun", "path"), "/usr/local/bin/crun"),
}
#: The flags of dockerd, each with another value than in the file.
FLAGS = {
    "default-ulimits": "--default-ulimit nofile=5",
    "data-root": "--data-root=/x",
    "exec-opts": "--exec-opt native.cgroupdriver=cgroupfs",
    "insecure-registries": "--insecure-registry other:5000",
    "live-restore": "--live-restore=false",
    "log-driver": "--log-driver journald",
    "log-level": "-l debug",
    "log-opts": "--log-opt max-size=1m",
    "registry-mirrors": "--registry-mirror https://other.example",
}


class Node:
    """daemon.json and the response of GET /info of one version of Docker."""

    def __init__(self, version, transcript):
        self.equivalences = Equivalences("docker", version)
        self.desired = json.loads(transcript(f"docker-{version}-daemon.json"))
        self.info = json.loads(transcript(f"docker-{version}-info.json"))

    def flatten(self, keys):
        return compare.flatten(keys, self.equivalences)

    def find_overridden(self, keys):
        return compare.find_overridden(self.desired, self.flatten(keys), self.equivalences)

    def find_pending(self):
        running = self.flatten(docker.parse_info(self.info))
        filed = self.flatten(self.desired)
        return compare.find_pending(self.desired, filed, running, self.equivalences)


@pytest.fixture(params=VERSIONS)
def node(request, transcript):
    return Node(request.param, transcript)


def test_a_node_that_matches_its_file(node):
    assert node.find_overridden(node.desired) == []
    assert node.find_pending() == []


@pytest.mark.parametrize("key", REPORTED)
def test_each_key_that_the_process_uses_in_another_way_is_found(node, key):
    path, value = REPORTED[key]
    table = node.info
    for name in path[:-1]:
        table = table[name]
    assert table[path[-1]] != value
    table[path[-1]] = value
    (found,) = node.find_pending()
    assert found.path[0] == key


@pytest.mark.parametrize("key", FLAGS)
def test_each_key_that_a_flag_sets_in_another_way_is_found(node, key):
    flags = docker.read_flags(["dockerd", "-H", "fd://", *FLAGS[key].split(), "--label", "a=b"])
    assert list(flags) == [key]
    found = node.find_overridden({**node.desired, **flags})
    assert {each.path[0] for each in found} == {key}


def test_flags_with_the_same_values_are_no_difference(node):
    words = (
        "--data-root /var/lib/docker --exec-opt native.cgroupdriver=systemd --live-restore "
        "--insecure-registry=r.example:5000 --registry-mirror https://m.example/ "
        "--log-opt max-size=10m --log-opt max-file=3 --default-ulimit nofile=1024:2048"
    )
    flags = docker.read_flags(words.split())
    assert len(flags) == 7
    assert node.find_overridden({**node.desired, **flags}) == []


def test_docker_29_10_uses_exactly_the_listed_insecure_registries(transcript):
    # No node of the tests has this version.
    node = Node("29.8.1", transcript)
    node.equivalences = Equivalences("docker", "29.10.0")
    registries = node.info["RegistryConfig"]
    assert registries["InsecureRegistryCIDRs"] == ["::1/128", "127.0.0.0/8"]
    (found,) = node.find_pending()
    assert found.path == ("insecure-registries",)
    node.desired["insecure-registries"] += ["127.0.0.0/8", "::1/128"]
    assert node.find_pending() == []
    registries["InsecureRegistryCIDRs"] = []
    assert [each.path for each in node.find_pending()] == [("insecure-registries",)]


def test_other_flags_stay():
    set_by_options = ["--live-restore", "-s", "overlay2", "--log-opt", "a=b"]
    words = ["dockerd", "-H", "fd://", *set_by_options, "--dns", "192.0.2.1", "-D"]
    kept = ["dockerd", "-H", "fd://", "--dns", "192.0.2.1", "-D"]
    assert docker.remove_flags(words) == kept


def test_a_key_that_a_flag_sets_to_the_same_value_is_left_out_of_the_file():
    effective = docker.DockerEffective(Runner(), Docker(Runner()), "29.8.1")
    content = json.dumps({"live-restore": True, "registry-mirrors": ["https://m/"], "bip": "x"})
    argv = ["dockerd", "--live-restore", "--registry-mirror=https://m", "--log-level=debug"]
    start = Start(Unit("docker.service"), argv, {})
    assert json.loads(effective.leave_out(content, start)) == {"bip": "x"}
    # Another value stays, so that it is found as overridden.
    other = Start(Unit("docker.service"), ["dockerd", "--live-restore=false"], {})
    assert effective.leave_out(content, other) == content


def test_another_response_is_unreadable():
    with fails("output_unreadable", "GET /info"):
        docker.parse_info({"RegistryConfig": None})


def test_a_key_that_a_flag_sets_must_be_in_effect_too():
    effective = docker.DockerEffective(Runner(), Docker(Runner()), "29.8.1")
    filed = {("live-restore",): True, ("log-driver",): "local", ("debug",): True}
    desired = effective.parse_desired(b'{"log-driver": "local"}', filed)
    assert desired == {"log-driver": "local", "live-restore": True}
    running = {("live-restore",): False, ("log-driver",): "local"}
    found = compare.find_pending(desired, filed, running, effective.equivalences)
    assert found == [(("live-restore",), True, False)]
