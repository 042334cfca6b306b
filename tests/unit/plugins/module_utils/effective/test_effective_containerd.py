# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rendered file of containerd, compared with what each version of containerd prints."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import dump
from ansible_collections.cruntime.node.plugins.module_utils.effective import compare, containerd
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
)

VERSIONS = ("1.6.20", "1.7.24", "2.1.9", "2.4.2")
CRI = {"1": "io.containerd.grpc.v1.cri", "2": "io.containerd.cri.v1.runtime"}


class Node:
    """Rendered file, dump and status of one version of containerd."""

    def __init__(self, version, transcript):
        name = f"containerd-{version}-rich"
        self.plugin = CRI[version[0]]
        self.equivalences = Equivalences("containerd", version)
        self.dumped = dump.parse(transcript(f"{name}-config-dump.toml"))
        self.text = transcript(f"{name}-config.toml")
        self.filed = self.flatten()
        self.desired = containerd.parse_desired(self.text, self.filed)
        self.status = json.loads(transcript(f"{name}-crictl-info.json"))["config"]
        self.running = self.parse_status()

    def flatten(self):
        return compare.flatten(self.dumped, self.equivalences)

    def parse_status(self):
        return containerd.parse_status({"config": json.dumps(self.status)}, self.equivalences)

    def find_overridden(self, filed):
        return compare.find_overridden(self.desired, filed, self.equivalences)

    def find_pending(self, running):
        return compare.find_pending(self.desired, self.filed, running, self.equivalences)

    @property
    def leaves(self):
        """Return the written path, the normalized path and the value of each key."""
        return [
            (path, self.equivalences.locate(path), value)
            for path, value in compare.find_leaves(self.desired)
        ]


@pytest.fixture(params=VERSIONS)
def node(request, transcript):
    return Node(request.param, transcript)


def changed(value):
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return ["other", *value[1:]]
    return f"{value}x"


def test_a_node_that_matches_its_file(node):
    assert len(node.leaves) >= 14
    assert node.find_overridden(node.filed) == []
    assert node.find_pending(node.running) == []


def test_every_key_that_a_file_overrides_is_found(node):
    for path, normal, value in node.leaves:
        for current in (changed(value), None):
            # A file without a zero value has the same effect.
            expected = [] if not value and current is None else [(path, value, current)]
            assert node.find_overridden({**node.filed, normal: current}) == expected


def test_every_key_that_the_process_uses_in_another_way_is_found(node):
    known = [each for each in node.leaves if each[1] in node.running]
    # In 2.x, the status does not have the images and their registries.
    assert len(known) == (16 if node.plugin == CRI["1"] else 11)
    for path, normal, value in known:
        other = {**node.running, normal: changed(value)}
        assert node.find_pending(other) == [(path, value, changed(value))]


def test_a_handler_whose_status_lacks_the_cgroup_driver_uses_cgroupfs(node):
    del node.status["containerd"]["runtimes"]["crun"]["options"]["SystemdCgroup"]
    (found,) = node.find_pending(node.parse_status())
    handler = ("plugins", node.plugin, "containerd", "runtimes", "crun", "options", "SystemdCgroup")
    assert found == (handler, True, False)


def test_another_spelling_is_no_difference(node):
    # Kubespray writes systemdCgroup. containerd 2.x prints both spellings, and uses this one.
    options = node.dumped["plugins"][node.plugin]["containerd"]["runtimes"]["runc"]["options"]
    options["SystemdCgroup"] = False
    options["systemdCgroup"] = True
    assert node.find_overridden(node.flatten()) == []
    handler = node.status["containerd"]["runtimes"]["runc"]["options"]
    handler["systemdCgroup"] = handler.pop("SystemdCgroup")
    assert node.find_pending(node.parse_status()) == []


def test_flags_take_precedence(node):
    flags = containerd.read_flags(["containerd", "-l", "debug", "--address=/run/x.sock"])
    found = node.find_overridden({**node.filed, **flags})
    assert {(each.path, each.current) for each in found} == {
        (("grpc", "address"), "/run/x.sock"),
        (("debug", "level"), "debug"),
    }


def test_more_required_plugins_are_no_difference(node):
    path = ("requiredplugins",)
    more = {**node.filed, path: ["io.containerd.grpc.v1.cri", "other"]}
    assert node.find_overridden(more) == []
    assert len(node.find_overridden({**node.filed, path: []})) == 1


@pytest.mark.parametrize("spelling", ["SystemdCgroup", "systemdCgroup"])
def test_a_default_handler_of_another_file_must_use_the_cgroup_driver(node, spelling):
    table = node.dumped["plugins"][node.plugin]["containerd"]
    table["default_runtime_name"] = "nvidia"
    for driver in (True, False):
        table["runtimes"]["nvidia"] = {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"BinaryName": "/usr/bin/nvidia-container-runtime", spelling: driver},
        }
        filed = node.flatten()
        node.desired = containerd.parse_desired(node.text, filed)
        found = node.find_overridden(filed)
        assert [(each.path[-3:], each.current) for each in found] == (
            [] if driver else [(("nvidia", "options", "SystemdCgroup"), False)]
        )


REGISTRY = '[plugins."io.containerd.{}".registry'
MIRRORS = 'mirrors."x"]\nendpoint = ["y"]\n'
TLS = 'configs."x".tls]\nca_file = "y"\n'
AUTH = 'configs."x".auth]\nusername = "y"\n'


@pytest.mark.parametrize("plugin", ["grpc.v1.cri", "cri.v1.images"])
@pytest.mark.parametrize(("table", "found"), [(MIRRORS, True), (TLS, True), (AUTH, False)])
def test_mirrors_in_the_old_format(plugin, table, found):
    head = REGISTRY.format(plugin)
    certs = f'{head}]\nconfig_path = "/etc/containerd/certs.d"\n'
    rules = Equivalences("containerd", "2.1.9")
    leaves = containerd.parse_dump(f"{certs}{head}.{table}", rules)
    assert containerd.has_mirrors(leaves) is found
    assert containerd.excludes_mirrors(leaves)
    assert not containerd.excludes_mirrors(containerd.parse_dump(f"{head}.{table}", rules))


def test_an_oci_runtime_of_another_file_with_another_cgroup_driver(node):
    assert list(containerd.find_other_drivers(node.desired, node.filed)) == []
    parent = ("plugins", node.plugin, "containerd", "runtimes")
    runc = node.desired["plugins"][node.plugin]["containerd"]["runtimes"]["runc"]
    systemd = runc["options"]["SystemdCgroup"]
    driver, other = ("systemd", "cgroupfs") if systemd else ("cgroupfs", "systemd")
    path = (*parent, "nvidia")
    options = {
        (*path, "runtimetype"): "io.containerd.runc.v2",
        (*path, "options", "systemdcgroup"): not systemd,
    }
    found = list(containerd.find_other_drivers(node.desired, {**node.filed, **options}))
    assert found == [(path, other, driver)]
    options[(*path, "options", "systemdcgroup")] = systemd
    assert list(containerd.find_other_drivers(node.desired, {**node.filed, **options})) == []
    # Other shims do not use this option.
    kata = {(*path, "runtimetype"): "io.containerd.kata.v2"}
    assert list(containerd.find_other_drivers(node.desired, {**node.filed, **kata})) == []
