# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that are written differently, one case for each entry of the table."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.effective import equivalences
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    ANY,
    TABLE,
    Equivalences,
    Omitted,
    SamePlace,
    SameValues,
)
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES

CRI = ("plugins", "io.containerd.grpc.v1.cri")
CRI_2 = ("plugins", "io.containerd.cri.v1.runtime")
SERVER = "io.containerd.server.v1"
OPTIONS = ("containerd", "runtimes", "runc", "options", "systemdcgroup")
HANDLER = ("containerd", "runtimes", "runc")
LOOPBACK = ["127.0.0.0/8", "::1/128"]

#: For a path and a first version of the table: a version in its range, the nearest versions outside
#: of it, a path, and the place of this path.
PLACES = {
    **{
        ("containerd", ("plugins", f"{SERVER}.{table}"), (2, 3)): (
            "2.3.0",
            ["2.2.9"],
            ("plugins", f"{SERVER}.{table}", "address"),
            (table, "address"),
        )
        for table in ("grpc", "ttrpc", "metrics")
    },
    **{
        ("containerd", (*plugin, key), since): (version, others, (*plugin, key), place)
        for plugin, since, version, others in (
            (CRI, (0, 0), "1.7.24", ["2.0.0"]),
            (CRI_2, (2, 0), "2.0.0-rc.1", ["1.7.24"]),
        )
        for key, place in (
            ("containerdrootdir", ("root",)),
            ("containerdendpoint", ("grpc", "address")),
        )
    },
    ("containerd", (*CRI, "maxcontainerlogsize"), (0, 0)): (
        "1.6.20",
        ["2.0.0"],
        (*CRI, "maxContainerLogSize"),
        (*CRI, "maxcontainerloglinesize"),
    ),
}

#: The same, with a path and with values: what is needed, what has the same effect, and another one.
VALUES = {
    ("containerd", ("requiredplugins",), (0, 0)): (
        "1.6.20",
        [],
        ("requiredplugins",),
        ["a"],
        [["a"], ["b", "a"]],
        [[], None, ["b"]],
    ),
    ("containerd", (*CRI, "containerd", "runtimes", ANY, "sandboxmode"), (1, 7)): (
        "1.7.24",
        ["1.6.20", "2.0.0"],
        (*CRI, *HANDLER, "sandboxmode"),
        "podsandbox",
        ["podsandbox", "", None],
        ["shim"],
    ),
    ("containerd", (*CRI_2, "containerd", "runtimes", ANY, "sandboxer"), (2, 0)): (
        "2.1.9",
        ["1.7.24"],
        (*CRI_2, *HANDLER, "sandboxer"),
        "podsandbox",
        ["podsandbox", "", None],
        ["shim"],
    ),
    ("crio", ("crio", "network", "networkdir"), (0, 0)): (
        "1.28.0",
        [],
        ("crio", "network", "networkdir"),
        "/etc/cni/net.d",
        ["/etc/cni/net.d", "/etc/cni/net.d/"],
        ["/etc/cni", None],
    ),
    ("crio", ("crio", "network", "plugindirs"), (0, 0)): (
        "1.37.0",
        [],
        ("crio", "network", "plugindirs"),
        ["/a", "/b/"],
        [["/a/", "/b"]],
        [["/a"], ["/b", "/a"], None],
    ),
    ("docker", ("registry-mirrors",), (0, 0)): (
        "29.8.1",
        [],
        ("registry-mirrors",),
        ["https://a", "https://b/"],
        [["https://a/", "https://b/"]],
        [["https://b/", "https://a/"], [], None],
    ),
    ("docker", ("insecure-registries",), (0, 0)): (
        "29.9.3",
        ["29.10.0-rc.1"],
        ("insecure-registries",),
        ["b:1", "a:1"],
        [["a:1", "b:1"], ["a:1", "b:1", *LOOPBACK]],
        [["a:1"], LOOPBACK, None],
    ),
    ("docker", ("insecure-registries",), (29, 10)): (
        "29.10.0",
        ["29.9.3"],
        ("insecure-registries",),
        ["b:1", *LOOPBACK],
        [[*LOOPBACK, "b:1"]],
        [["b:1"], ["b:1", *LOOPBACK, "c:1"], [], None],
    ),
    ("docker", ("exec-opts",), (0, 0)): (
        "20.10.24",
        [],
        ("exec-opts",),
        ["native.cgroupdriver=systemd"],
        [["isolation=process", "native.cgroupdriver=systemd"]],
        [["native.cgroupdriver=cgroupfs"], [], None],
    ),
    ("", (), (0, 0)): (
        "1.0.0",
        [],
        ("key",),
        [{"a": 1, "b": ""}],
        [[{"a": 1}], [{"a": 1, "c": False}]],
        [[{"a": 2}], [{}], [], None],
    ),
}

#: The same, with the path of another key of the table that the process reports, and the value.
OMITTED = {
    ("containerd", (*CRI, *OPTIONS[:2], ANY, *OPTIONS[3:]), (0, 0)): (
        "1.7.24",
        ["2.0.0"],
        (*CRI, *OPTIONS),
        (*CRI, *HANDLER, "runtimetype"),
        False,
    ),
    ("containerd", (*CRI_2, *OPTIONS[:2], ANY, *OPTIONS[3:]), (2, 0)): (
        "2.0.0",
        ["1.7.24"],
        (*CRI_2, *OPTIONS),
        (*CRI_2, *HANDLER, "runtimetype"),
        False,
    ),
    **{
        ("crio", ("crio", "runtime", key), (0, 0)): (
            "1.37.0",
            [],
            ("crio", "runtime", key),
            ("crio", "runtime", "loglevel"),
            None,
        )
        for key in ("defaultsysctls", "defaultulimits")
    },
}


def entries(kind):
    """Return the entries of a kind by runtime, path and first version."""
    found = [entry for entry in TABLE if isinstance(entry, kind)]
    by_scope = {(each.scope.runtime, each.scope.path, each.scope.since): each for each in found}
    assert len(by_scope) == len(found)
    return by_scope


@pytest.mark.parametrize(
    ("kind", "cases"), [(SamePlace, PLACES), (SameValues, VALUES), (Omitted, OMITTED)]
)
def test_each_entry_has_a_case_and_a_source(kind, cases):
    assert set(entries(kind)) == set(cases)
    assert all(len(entry.source) > 10 for entry in entries(kind).values())
    assert all(
        entry.scope.runtime in (*RUNTIMES, "")
        and entry.scope.path == equivalences.normalize(entry.scope.path)
        for entry in entries(kind).values()
    )


@pytest.mark.parametrize("scope", PLACES)
def test_places(scope):
    runtime = scope[0]
    version, others, path, place = PLACES[scope]
    assert Equivalences(runtime, version).locate(path) == place
    for other in others:
        assert Equivalences(runtime, other).locate(path) == equivalences.normalize(path)


@pytest.mark.parametrize("scope", VALUES)
def test_values(scope):
    runtime = scope[0]
    version, others, path, needed, same, different = VALUES[scope]
    agree = Equivalences(runtime or "docker", version).agree
    assert agree(path, needed, needed)
    assert [value for value in same if not agree(path, needed, value)] == []
    assert [value for value in different if agree(path, needed, value)] == []
    for other in others:
        # In another version, at least one of the values has another effect.
        agree = Equivalences(runtime, other).agree
        assert [agree(path, needed, value) for value in (*same, *different)] != [
            *[True] * len(same),
            *[False] * len(different),
        ]


@pytest.mark.parametrize("scope", OMITTED)
def test_omitted_keys(scope):
    runtime = scope[0]
    version, others, path, sibling, value = OMITTED[scope]
    complete = Equivalences(runtime, version).complete
    assert complete(path, {sibling: "x"}) == {path: value}
    assert complete(path, {sibling: "x", path: True}) == {path: True}
    # The process does not report the handler.
    assert complete(path, {}) == {}
    for other in others:
        assert Equivalences(runtime, other).complete(path, {sibling: "x"}) == {}


def test_an_empty_list_is_not_an_absent_one_in_new_versions_of_docker():
    old, new = Equivalences("docker", "29.9.0"), Equivalences("docker", "29.10.0")
    path = ("insecure-registries",)
    assert old.agree(path, [], None)
    assert not new.agree(path, [], None)
    assert not new.agree(path, None, [])
    assert new.agree(path, [], [])


def test_spellings():
    assert equivalences.normalize(("sandbox_image",)) == equivalences.normalize(("sandboxImage",))
