# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rendered file of containerd, compared with what each version of containerd prints."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import dump
from ansible_collections.cruntime.node.plugins.module_utils.effective import compare, containerd

VERSIONS = ("1.6.20", "1.7.24", "2.1.9", "2.4.2")
CRI = {"1": "io.containerd.grpc.v1.cri", "2": "io.containerd.cri.v1.runtime"}


@pytest.fixture(params=VERSIONS)
def node(request, transcript):
    """Return the rendered file, the dump and the status of one version."""
    name = f"containerd-{request.param}-rich"
    dumped = dump.parse(transcript(f"{name}-config-dump.toml"))
    filed = containerd.parse_dump(transcript(f"{name}-config-dump.toml"))
    desired = containerd.parse_desired(transcript(f"{name}-config.toml"), filed)
    status = json.loads(transcript(f"{name}-crictl-info.json"))["config"]
    return request.param, desired, filed, status, dumped


def parse_status(config):
    return containerd.parse_status({"config": json.dumps(config)})


def changed(value):
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value, "more"]
    return f"{value}x"


def test_a_node_that_matches_its_file(node):
    _version, desired, filed, status, _dumped = node
    assert len(list(compare.find_leaves(desired))) >= 14
    assert compare.find_overridden(desired, filed) == []
    assert compare.find_pending(desired, filed, parse_status(status)) == []


def test_every_key_that_a_file_overrides_is_found(node):
    _version, desired, filed, _status, _dumped = node
    for path, value in compare.find_leaves(desired):
        for current in (changed(value), None):
            other = {**filed, compare.normalize(path): current}
            # A file without a zero value has the same effect.
            expected = [] if not value and current is None else [(path, value, current)]
            assert compare.find_overridden(desired, other) == expected


def test_every_key_that_the_process_uses_in_another_way_is_found(node):
    version, desired, filed, status, _dumped = node
    running = parse_status(status)
    known = [
        (path, value)
        for path, value in compare.find_leaves(desired)
        if compare.normalize(path) in running
    ]
    # In 2.x, the status does not have the images and their registries.
    assert len(known) == (16 if version.startswith("1") else 11)
    for path, value in known:
        other = {**running, compare.normalize(path): changed(value)}
        assert compare.find_pending(desired, filed, other) == [(path, value, changed(value))]


def test_a_handler_whose_status_lacks_the_cgroup_driver_uses_cgroupfs(node):
    version, desired, filed, status, _dumped = node
    other = copy.deepcopy(status)
    del other["containerd"]["runtimes"]["crun"]["options"]["SystemdCgroup"]
    (found,) = compare.find_pending(desired, filed, parse_status(other))
    plugin = CRI[version[0]]
    handler = ("plugins", plugin, "containerd", "runtimes", "crun", "options", "SystemdCgroup")
    assert found == (handler, True, False)


def test_another_spelling_is_no_difference(node):
    version, desired, filed, status, dumped = node
    # Kubespray writes systemdCgroup. containerd 2.x prints both spellings, and uses this one.
    options = dumped["plugins"][CRI[version[0]]]["containerd"]["runtimes"]["runc"]["options"]
    options["SystemdCgroup"] = False
    options["systemdCgroup"] = True
    assert compare.find_overridden(desired, compare.flatten(dumped)) == []
    spelled = copy.deepcopy(status)
    handler = spelled["containerd"]["runtimes"]["runc"]["options"]
    handler["systemdCgroup"] = handler.pop("SystemdCgroup")
    assert compare.find_pending(desired, filed, parse_status(spelled)) == []


def test_flags_take_precedence(node):
    _version, desired, filed, _status, _dumped = node
    flags = containerd.read_flags(["containerd", "-l", "debug", "--address=/run/x.sock"])
    found = compare.find_overridden(desired, {**filed, **flags})
    assert {(each.path[-1], each.current) for each in found} == {
        ("address", "/run/x.sock"),
        ("level", "debug"),
    }


def test_more_required_plugins_are_no_difference(node):
    _version, _desired, filed, _status, _dumped = node
    more = {**filed, ("requiredplugins",): ["io.containerd.grpc.v1.cri", "other"]}
    text = 'required_plugins = ["io.containerd.grpc.v1.cri"]\n'
    assert compare.find_overridden(containerd.parse_desired(text, more), more) == []
    none = {**filed, ("requiredplugins",): []}
    assert len(compare.find_overridden(containerd.parse_desired(text, none), none)) == 1


@pytest.mark.parametrize("spelling", ["SystemdCgroup", "systemdCgroup"])
def test_a_default_handler_of_another_file_must_use_the_cgroup_driver(node, transcript, spelling):
    version, _desired, _filed, _status, dumped = node
    table = dumped["plugins"][CRI[version[0]]]["containerd"]
    table["default_runtime_name"] = "nvidia"
    for driver in (True, False):
        table["runtimes"]["nvidia"] = {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"BinaryName": "/usr/bin/nvidia-container-runtime", spelling: driver},
        }
        filed = compare.flatten(dumped)
        desired = containerd.parse_desired(
            transcript(f"containerd-{version}-rich-config.toml"), filed
        )
        found = compare.find_overridden(desired, filed)
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
    leaves = containerd.parse_dump(f"{certs}{head}.{table}")
    assert containerd.has_mirrors(leaves) is found
    assert containerd.excludes_mirrors(leaves)
    assert not containerd.excludes_mirrors(containerd.parse_dump(f"{head}.{table}"))


def test_an_oci_runtime_of_another_file_with_another_cgroup_driver(node):
    version, desired, filed, _status, _dumped = node
    assert list(containerd.find_other_drivers(desired, filed)) == []
    parent = ("plugins", CRI[version[0]], "containerd", "runtimes")
    runc = desired["plugins"][CRI[version[0]]]["containerd"]["runtimes"]["runc"]
    systemd = runc["options"]["SystemdCgroup"]
    driver, other = ("systemd", "cgroupfs") if systemd else ("cgroupfs", "systemd")
    path = (*compare.normalize(parent), "nvidia")
    options = {
        (*path, "runtimetype"): "io.containerd.runc.v2",
        (*path, "options", "systemdcgroup"): not systemd,
    }
    found = list(containerd.find_other_drivers(desired, {**filed, **options}))
    assert found == [(path, other, driver)]
    options[(*path, "options", "systemdcgroup")] = systemd
    assert list(containerd.find_other_drivers(desired, {**filed, **options})) == []
    # Other shims do not use this option.
    kata = {(*path, "runtimetype"): "io.containerd.kata.v2"}
    assert list(containerd.find_other_drivers(desired, {**filed, **kata})) == []
