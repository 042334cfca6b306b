# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effective configuration of containerd: C(config dump), flags, and the status of its CRI."""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import tempfile
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import command_line, cri, dump
from ansible_collections.cruntime.node.plugins.module_utils.dropped import quote_path
from ansible_collections.cruntime.node.plugins.module_utils.effective import verifiers
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Source,
    find_flag_file,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import (
    Difference,
    Leaves,
    Tree,
    flatten,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
    Path,
    normalize,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CONTAINERD
from ansible_collections.cruntime.node.plugins.module_utils.oci_runtimes import RUNC_SHIM
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CONTAINERD_CERTS,
    CONTAINERD_DROP_INS,
)
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_drop_in
from ansible_collections.cruntime.node.plugins.module_utils.runner import refuse
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version

#: Flags that take precedence over a key, by the path of the key. C(config dump) ignores them.
_FLAGS: dict[Path, tuple[str, ...]] = {
    ("root",): ("root",),
    ("state",): ("state",),
    ("grpc", "address"): ("address", "a"),
    ("debug", "level"): ("log-level", "l"),
}
# Keys that C(config dump) prints in another way: the version of its own format, and the files that
# it has read.
_PRINTED = ("version", "imports")
# The plugins whose configuration is in the status of the CRI, for containerd 1.x and 2.x.
_CRI_PLUGINS = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")
# Name of the directory of a snapshotter in the data root, followed by the name of the snapshotter.
_SNAPSHOTS = "io.containerd.snapshotter.v1."
# The plugins with the configuration of registries.
_IMAGES = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")
from ansible_collections.cruntime.node.plugins.module_utils.services import Start


class ContainerdEffective(Effective):
    hosts_dir = CONTAINERD_CERTS
    file_keys = tuple((key,) for key in _PRINTED)

    def list_read_files(self, start: Start) -> list[str]:
        drop_ins = _list_drop_ins()
        # Such a drop-in can name any other files, also ones that do not exist yet.
        if any(b"imports" in read_drop_in(path) for path in drop_ins):
            return []
        return [
            *(self._runtime.config_path, *CONTAINERD_DROP_INS, *drop_ins),
            *([verifiers.DIRECTORY] if self.equivalences.version >= verifiers.SINCE else []),
        ]

    def read_filed(self, start: Start, path: str) -> Leaves:
        check_drop_ins()
        result = self._runner.run("containerd", "--config", path, "config", "dump")
        if result.rc != 0:
            raise refuse(
                CONTAINERD.label,
                result.err.strip().replace(path, self._runtime.config_path),
                result,
            )
        leaves = parse_dump(result.out, self.equivalences)
        self._check_mirrors(leaves)
        return {**leaves, **read_flags(start.argv)}

    def _check_mirrors(self, leaves: Leaves) -> None:
        """Check that no file has mirrors in the old format, with which the CRI does not start."""
        if excludes_mirrors(leaves) and has_mirrors(leaves):
            found = [path for path, each in self._drop_ins.items() if has_mirrors(each)]
            raise CruntimeError(
                f"{' and '.join(found or [self._runtime.config_path])}: registry.mirrors and "
                "registry.configs.*.tls are not supported together with the config_path "
                f"{CONTAINERD_CERTS}: containerd would start without its CRI plugin. Move them to "
                f"registries, or to hosts.toml files in {CONTAINERD_CERTS}",
                reason="configuration_refused",
            )

    def read_running(self, argv: list[str]) -> Leaves:
        with Channel(self._runtime.socket_path, self._runtime.request_timeout) as channel:
            info = cri.status(channel)["info"]
            # The status of 2.x does not have the snapshotter.
            filesystems = cri.image_fs_info(channel) if self.equivalences.version >= (2, 0) else {}
        return {
            **parse_status(info, self.equivalences),
            **parse_filesystems(filesystems),
            **read_flags(argv),
        }

    def parse_desired(self, content: bytes, filed: Leaves) -> Tree:
        return parse_desired(content.decode(), filed)

    def find_source(self, difference: Difference, start: Start) -> Source:
        names = self.find_flag(difference.path, start.argv)
        if names:
            return find_flag_file(start.unit, names)
        normal = self.equivalences.locate(difference.path)
        for drop_in, leaves in reversed(list(self._drop_ins.items())):
            if self.equivalences.agree(normal, difference.current, leaves.get(normal)):
                return Source("file", drop_in)
        return Source()

    def find_conflicts(self, desired: Tree, filed: Leaves, start: Start) -> list[str]:
        found = self._find_unused_verifiers(filed)
        for path, driver, wanted in find_other_drivers(desired, filed):
            source = self.find_source(Difference((*path, "runtimetype"), None, RUNC_SHIM), start)
            found.append(
                f"{str(source) or self._runtime.config_path}: other cgroup driver: the OCI runtime "
                f"{path[-1]} uses {driver}, but the kubelet must use {wanted}. Set SystemdCgroup = "
                f"{'true' if wanted == 'systemd' else 'false'} in its options"
            )
        return found

    def _find_unused_verifiers(self, filed: Leaves) -> list[str]:
        if self.equivalences.version < verifiers.SINCE:
            return []
        local = verifiers.find_local_pull(filed)
        if local is None:
            return []
        key, advice = local
        directory, names = verifiers.list_verifiers(filed)
        message = (
            f"{directory}: image verifiers without effect: with {quote_path(key)}, the CRI of "
            f"containerd pulls images without {', '.join(names)}. {advice}"
        )
        return [message] if names else []

    def find_flag(self, path: Path, argv: list[str]) -> tuple[str, ...]:
        names = _FLAGS.get(path, ())
        return names if names and command_line.find_flag(argv, *names) else ()

    def list_drop_ins(self) -> list[str]:
        return _list_drop_ins()

    @functools.cached_property
    def _drop_ins(self) -> dict[str, Leaves]:
        """The settings of each drop-in, in the order in which containerd reads them.

        The binary itself reads each drop-in, because it can be written in any TOML syntax. It is
        imported, because a drop-in without a version has the version of the file that imports it.
        """
        found: dict[str, Leaves] = {}
        for path in _list_drop_ins():
            with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as main:
                main.write(f"version = {self._version}\nimports = [{json.dumps(path)}]\n")
                main.flush()
                result = self._runner.run("containerd", "--config", main.name, "config", "dump")
            with contextlib.suppress(CruntimeError):
                dumped = result.out if result.rc == 0 else ""
                found[path] = parse_dump(dumped, self.equivalences)
        return found

    @property
    def _version(self) -> int:
        """Version of the format that the collection writes for the installed containerd."""
        return 2 if installed_version(self._runtime.version()).major < 2 else 3


def check_drop_ins() -> None:
    """Check that no drop-in would block containerd, or fill the memory of the node.

    :raises CruntimeError: if a drop-in is not a regular file, or is too large.
    """
    for path in _list_drop_ins():
        read_drop_in(path)


@parsing("containerd config dump")
def parse_dump(text: str, equivalences: Equivalences) -> Leaves:
    """Parse C(containerd config dump)."""
    return flatten(dump.parse(text), equivalences)


@parsing("status of the CRI")
def parse_status(info: dict[str, str], equivalences: Equivalences) -> Leaves:
    """Parse the status of the CRI: the configuration of the CRI plugin that runs."""
    config: dict[str, Any] = json.loads(info.get("config") or "{}")
    plugin = _CRI_PLUGINS[equivalences.version >= (2, 0)]
    return flatten({"plugins": {plugin: config}}, equivalences)


def parse_filesystems(response: dict[str, Any]) -> Leaves:
    """Return the snapshotter and the data root from the directory of the snapshots.

    A snapshotter can have a directory of its own, which tells neither of them.
    """
    # The filesystem of the default snapshotter is the first one.
    first = (response.get("image_filesystems") or [{}])[0]
    mountpoint = (first.get("fs_id") or {}).get("mountpoint", "")
    root, name = os.path.split(mountpoint)
    if not name.startswith(_SNAPSHOTS):
        return {}
    return {("plugins", _IMAGES[1], "snapshotter"): name[len(_SNAPSHOTS) :], ("root",): root}


def parse_desired(text: str, filed: Leaves) -> Tree:
    """Parse a rendered file, without the keys that C(config dump) prints in another way."""
    tree = {key: value for key, value in dump.parse(text).items() if key not in _PRINTED}
    _add_default_handler(tree, filed)
    return tree


def _add_default_handler(tree: Tree, filed: Leaves) -> None:
    """Add the cgroup driver of the default handler, if another file has chosen and defined it.

    The kubelet gets one cgroup driver, so the default handler must use it.
    """
    plugins = tree.get("plugins", {})
    for plugin in _CRI_PLUGINS:
        handlers = plugins.get(plugin, {}).get("containerd", {}).get("runtimes", {})
        name = filed.get(normalize(("plugins", plugin, "containerd", "default_runtime_name")))
        path = ("plugins", plugin, "containerd", "runtimes", str(name))
        kind = filed.get(normalize((*path, "runtime_type")))
        if handlers and name not in handlers and kind == RUNC_SHIM:
            options = next(iter(handlers.values())).get("options", {})
            if "SystemdCgroup" in options:
                handlers[name] = {"options": {"SystemdCgroup": options["SystemdCgroup"]}}


def find_other_drivers(desired: Tree, filed: Leaves) -> Iterator[tuple[Path, str, str]]:
    """Yield the OCI runtimes of other files with another cgroup driver than the rendered ones.

    :return: the path of the OCI runtime, its cgroup driver, and the rendered one.
    """
    for plugin in _CRI_PLUGINS:
        handlers = desired.get("plugins", {}).get(plugin, {}).get("containerd", {})
        ours = handlers.get("runtimes", {})
        drivers = {
            _name_driver(handler["options"]["SystemdCgroup"])
            for handler in ours.values()
            if "SystemdCgroup" in handler.get("options", {})
        }
        parent = normalize(("plugins", plugin, "containerd", "runtimes"))
        known = {(*parent, *normalize([name])) for name in ours}
        for path in sorted({path[:5] for path in filed if path[:4] == parent} - known):
            driver = _name_driver(filed.get((*path, "options", "systemdcgroup")))
            if filed.get((*path, "runtimetype")) == RUNC_SHIM:
                yield from ((path, driver, wanted) for wanted in drivers - {driver})


def _name_driver(is_systemd: Any) -> str:
    return "systemd" if is_systemd else "cgroupfs"


def read_flags(argv: list[str]) -> Leaves:
    """Return the keys that the flags of containerd set."""
    found = {path: command_line.find_flag(argv, *names) for path, names in _FLAGS.items()}
    return {path: value for path, value in found.items() if value is not None}


def has_mirrors(leaves: Leaves) -> bool:
    """Return whether there are mirrors or certificates in the old format."""
    return any(
        path[:3] == ("plugins", plugin, "registry")
        and (path[3] == "mirrors" or (path[3] == "configs" and "tls" in path))
        for path in leaves
        for plugin in _IMAGES
    )


def excludes_mirrors(leaves: Leaves) -> bool:
    """Return whether mirrors in the old format prevent the start of the CRI."""
    paths = [("plugins", plugin, "registry", "configpath") for plugin in _IMAGES]
    return CONTAINERD_CERTS in map(leaves.get, paths)


def _list_drop_ins() -> list[str]:
    return [
        path for parent in CONTAINERD_DROP_INS for path in sorted(glob.glob(f"{parent}/*.toml"))
    ]
