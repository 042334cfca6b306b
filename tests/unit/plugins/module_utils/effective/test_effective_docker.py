# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json, compared with the flags and with what each version of Docker reports."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.effective import base, compare, docker
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
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
    "data-root": "--data-root=/x",
    "exec-opts": "--exec-opt native.cgroupdriver=cgroupfs",
    "insecure-registries": "--insecure-registry other:5000",
    "live-restore": "--live-restore=false",
    "log-driver": "--log-driver journald",
    "log-level": "-l debug",
    "log-opts": "--log-opt max-size=1m",
    "registry-mirrors": "--registry-mirror https://other.example",
}


@pytest.fixture(params=VERSIONS)
def node(request, transcript):
    """Return daemon.json and the response of GET /info of one version."""
    content = transcript(f"docker-{request.param}-daemon.json")
    desired = docker.normalize_keys(json.loads(content))
    return desired, json.loads(transcript(f"docker-{request.param}-info.json"))


def test_a_node_that_matches_its_file(node):
    desired, info = node
    filed = compare.flatten(desired)
    assert compare.find_overridden(desired, filed) == []
    assert compare.find_pending(desired, filed, docker.parse_info(info)) == []


@pytest.mark.parametrize("key", REPORTED)
def test_each_key_that_the_process_uses_in_another_way_is_found(node, key):
    desired, info = node
    path, value = REPORTED[key]
    table = info
    for name in path[:-1]:
        table = table[name]
    assert table[path[-1]] != value
    table[path[-1]] = value
    (found,) = compare.find_pending(desired, compare.flatten(desired), docker.parse_info(info))
    assert found.path[0] == key


@pytest.mark.parametrize("key", FLAGS)
def test_each_key_that_a_flag_sets_in_another_way_is_found(node, key):
    desired, _info = node
    flags = docker.read_flags(["dockerd", "-H", "fd://", *FLAGS[key].split(), "--label", "a=b"])
    assert list(flags) == [key]
    filed = compare.flatten(docker.normalize_keys({**desired, **flags}))
    assert {found.path[0] for found in compare.find_overridden(desired, filed)} == {key}


def test_flags_with_the_same_values_are_no_difference(node):
    desired, _info = node
    words = (
        "--data-root /var/lib/docker --exec-opt native.cgroupdriver=systemd --live-restore "
        "--insecure-registry=r.example:5000 --registry-mirror https://m.example/ "
        "--log-opt max-size=10m --log-opt max-file=3"
    )
    flags = docker.read_flags(words.split())
    assert len(flags) == 6
    filed = compare.flatten(docker.normalize_keys({**desired, **flags}))
    assert compare.find_overridden(desired, filed) == []


def test_other_flags_stay():
    set_by_options = ["--live-restore", "-s", "overlay2", "--log-opt", "a=b"]
    words = ["dockerd", "-H", "fd://", *set_by_options, "--dns", "192.0.2.1", "-D"]
    kept = ["dockerd", "-H", "fd://", "--dns", "192.0.2.1", "-D"]
    assert docker.remove_flags(words) == kept


def test_a_key_that_a_flag_sets_to_the_same_value_is_left_out_of_the_file():
    effective = docker.DockerEffective(Runner(), Docker(Runner()))
    content = json.dumps({"live-restore": True, "registry-mirrors": ["https://m/"], "bip": "x"})
    argv = ["dockerd", "--live-restore", "--registry-mirror=https://m", "--log-level=debug"]
    start = base.Start(Unit("docker.service"), argv, {})
    assert json.loads(effective.leave_out(content, start)) == {"bip": "x"}
    # Another value stays, so that it is found as overridden.
    other = base.Start(Unit("docker.service"), ["dockerd", "--live-restore=false"], {})
    assert effective.leave_out(content, other) == content


def test_built_in_networks_are_no_difference():
    listed = {"insecure-registries": ["b:1", "127.0.0.0/8", "a:1"]}
    reported = {"insecure-registries": ["a:1", "b:1", "::1/128"]}
    assert docker.normalize_keys(listed) == docker.normalize_keys(reported)


def test_another_response_is_unreadable():
    with fails("output_unreadable", "GET /info"):
        docker.parse_info({"RegistryConfig": None})
