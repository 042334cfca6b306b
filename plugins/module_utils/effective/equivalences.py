# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find settings that are written differently but have the same effect. Pure functions.

C(TABLE) has all equivalences. Each one applies to keys of a range of versions of a runtime, and has
the source that describes it.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Iterable, NamedTuple, Tuple, Union

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import (
    INSECURE_NETWORKS,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version

#: Keys that lead to a value.
Path = Tuple[str, ...]
# Major and minor version.
_Version = Tuple[int, int]

#: Stands for any one key in a path.
ANY = "*"
_CRI = ("plugins", "io.containerd.grpc.v1.cri")
_CRI_2 = ("plugins", "io.containerd.cri.v1.runtime")
_RUNC_OPTIONS = ("containerd", "runtimes", ANY, "options", "systemdcgroup")


class Scope(NamedTuple):
    """Keys to which an equivalence applies.

    :param runtime: name of the runtime in a spec, empty for every runtime.
    :param path: normalized path of the key, or of a table. Empty for every key.
    :param since: first version.
    :param before: first version to which it no longer applies, None if there is none.
    """

    runtime: str
    path: Path
    since: _Version = (0, 0)
    before: _Version | None = None

    def includes(self, runtime: str, version: _Version) -> bool:
        return (
            self.runtime in ("", runtime)
            and self.since <= version
            and (self.before is None or version < self.before)
        )

    def matches(self, path: Path) -> bool:
        """Return whether a normalized path is the path of this scope, or is below it."""
        return len(self.path) <= len(path) and all(
            key in (ANY, found) for key, found in zip(self.path, path)
        )


class SameValues(NamedTuple):
    """Values with the same effect.

    :param agree: returns whether the second value has the effect of the first one.
    """

    scope: Scope
    agree: Callable[[Any, Any], bool]
    source: str


class SamePlace(NamedTuple):
    """Key or table that is printed at another path.

    :param place: the normalized path in the rendered file.
    """

    scope: Scope
    place: Path
    source: str


class Omitted(NamedTuple):
    """Key that a process does not report if it has a certain value.

    :param value: this value. None if the key is not set.
    :param parent: length of the path of the table that the process then reports.
    """

    scope: Scope
    value: Any
    parent: int
    source: str


Equivalence = Union[SameValues, SamePlace, Omitted]


def _agree(needed: Any, found: Any) -> bool:
    """Return whether values are equal, or are both zero values. Tables can have further keys."""
    if isinstance(needed, dict) and isinstance(found, dict):
        return all(_agree(value, found.get(key)) for key, value in needed.items())
    if isinstance(needed, list) and isinstance(found, list):
        return len(needed) == len(found) and all(map(_agree, needed, found))
    return (needed or None) == (found or None)


def _agree_without_slashes(needed: Any, found: Any) -> bool:
    return _agree(_strip_slashes(needed), _strip_slashes(found))


def _strip_slashes(value: Any) -> Any:
    if isinstance(value, list):
        return [_strip_slashes(item) for item in value]
    return value.rstrip("/") if isinstance(value, str) else value


def _contains(needed: Any, found: Any) -> bool:
    """Return whether a list contains all items of another list."""
    return {*(needed or ())} <= {*(found or ())}


def _agree_without_loopback(needed: Any, found: Any) -> bool:
    expected, present = (
        {*(value or ())}.difference(INSECURE_NETWORKS) for value in (needed, found)
    )
    return expected == present


def _agree_in_any_order(needed: Any, found: Any) -> bool:
    """Return whether lists have the same items. An empty list is not an absent one."""
    return (needed is None) == (found is None) and {*(needed or ())} == {*(found or ())}


def _agree_about_sandbox(needed: Any, found: Any) -> bool:
    return (needed or "podsandbox") == (found or "podsandbox")


#: All equivalences. The first one that applies to a key decides.
TABLE: tuple[Equivalence, ...] = (
    *(
        SamePlace(
            Scope("containerd", ("plugins", f"io.containerd.server.v1.{table}"), since=(2, 3)),
            (table,),
            "containerd config dump prints version 4 of its format, seen on 2.3.4 and 2.4.2",
        )
        for table in ("grpc", "ttrpc", "metrics")
    ),
    *(
        SamePlace(
            Scope("containerd", (*plugin, key), since=since, before=before),
            place,
            f"containerd {path}/config.go, the runtime Config with which Status responds",
        )
        for plugin, since, before, path in (
            (_CRI, (0, 0), (2, 0), "pkg/cri/config"),
            (_CRI_2, (2, 0), None, "internal/cri/config"),
        )
        for key, place in (
            ("containerdrootdir", ("root",)),
            ("containerdendpoint", ("grpc", "address")),
        )
    ),
    SamePlace(
        Scope("containerd", (*_CRI, "maxcontainerlogsize"), before=(2, 0)),
        (*_CRI, "maxcontainerloglinesize"),
        "containerd pkg/cri/config/config.go: the names in TOML and JSON, seen on 1.6.20 and "
        "1.7.24",
    ),
    *(
        Omitted(
            Scope("containerd", (*plugin, *_RUNC_OPTIONS), since=since, before=before),
            False,
            len(plugin) + 3,
            f"Status has only the options that a file sets, seen on {seen}",
        )
        for plugin, since, before, seen in (
            (_CRI, (0, 0), (2, 0), "1.6.20 and 1.7.24"),
            (_CRI_2, (2, 0), None, "2.1.9"),
        )
    ),
    *(
        Omitted(
            Scope("crio", ("crio", "runtime", key)),
            None,
            2,
            "GET /config has no list that is not set, seen on 1.37.0",
        )
        for key in ("defaultsysctls", "defaultulimits")
    ),
    SameValues(
        Scope("containerd", ("requiredplugins",)),
        _contains,
        "containerd services/server/config/config.go: the lists of all files are merged",
    ),
    SameValues(
        Scope(
            "containerd",
            (*_CRI, "containerd", "runtimes", ANY, "sandboxmode"),
            since=(1, 7),
            before=(2, 0),
        ),
        _agree_about_sandbox,
        "seen on 1.7.24",
    ),
    SameValues(
        Scope("containerd", (*_CRI_2, "containerd", "runtimes", ANY, "sandboxer"), since=(2, 0)),
        _agree_about_sandbox,
        "seen on 2.1.9",
    ),
    *(
        SameValues(
            Scope("crio", ("crio", "network", key)),
            _agree_without_slashes,
            "GET /config adds a slash, seen on 1.34.0 and 1.37.0",
        )
        for key in ("networkdir", "plugindirs")
    ),
    SameValues(
        Scope("docker", ("registry-mirrors",)),
        _agree_without_slashes,
        "GET /info adds a slash, seen on 20.10.24, 26.1.5 and 29.8.1",
    ),
    SameValues(
        Scope("docker", ("insecure-registries",), before=(29, 10)),
        _agree_without_loopback,
        "GET /info adds the loopback networks, seen on 20.10.24, 26.1.5 and 29.8.1",
    ),
    SameValues(
        Scope("docker", ("insecure-registries",), since=(29, 10)),
        _agree_in_any_order,
        "https://github.com/moby/moby/releases/tag/docker-v29.10.0",
    ),
    SameValues(
        Scope("docker", ("exec-opts",)),
        _contains,
        "GET /info reports only the cgroup driver, seen on 20.10.24, 26.1.5 and 29.8.1",
    ),
    SameValues(
        Scope("", ()),
        _agree,
        "containerd config dump and crio config print zero values for keys that no file sets",
    ),
)


class Equivalences:
    """Equivalences of one version of a runtime.

    :param runtime: name of the runtime.
    :param version: version of the runtime.
    :raises ValueError: if it is not a version.
    """

    def __init__(self, runtime: str, version: str) -> None:
        found = installed_version(version)
        self.runtime = runtime
        # A release candidate reads the same files as its release.
        self.version = (found.major, found.minor)
        self._entries = [entry for entry in TABLE if entry.scope.includes(runtime, self.version)]

    def locate(self, path: Iterable[str]) -> Path:
        """Return the normalized path of a key in the rendered file."""
        normal = normalize(path)
        for entry in self._entries:
            if isinstance(entry, SamePlace) and entry.scope.matches(normal):
                return (*entry.place, *normal[len(entry.scope.path) :])
        return normal

    def agree(self, path: Path, needed: Any, found: Any) -> bool:
        """Return whether a value of a key has the effect of another value.

        :param path: the normalized path in the rendered file.
        :param needed: the value that the key should have. A list can be a part of the found one, if
            the runtime reports only this part.
        """
        entry = next(
            entry
            for entry in self._entries
            if isinstance(entry, SameValues) and entry.scope.matches(path)
        )
        return entry.agree(needed, found)

    def complete(self, path: Path, reported: dict[Path, Any]) -> dict[Path, Any]:
        """Return the reported value of a key by its path, empty if the key is not reported."""
        if path in reported:
            return {path: reported[path]}
        for entry in self._entries:
            if isinstance(entry, Omitted) and entry.scope.matches(path):
                parent = path[: entry.parent]
                if any(other[: entry.parent] == parent for other in reported):
                    return {path: entry.value}
        return {}


@functools.lru_cache(maxsize=None)
def _normalize_key(key: str) -> str:
    return key.replace("_", "").lower()


def normalize(path: Iterable[str]) -> Path:
    """Return a path in the form that all spellings of its keys have in common.

    containerd prints sandbox_image as sandboxImage, and reads systemdCgroup as SystemdCgroup, seen
    on 1.6.20, 1.7.24, 2.1.9 and 2.4.2.
    """
    return tuple(map(_normalize_key, path))
