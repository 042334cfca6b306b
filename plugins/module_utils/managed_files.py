# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and update the managed-files record: the files that this collection wrote on this node.

The record distinguishes managed files from foreign files. A foreign file is backed up before it is
replaced. A managed file that the spec no longer has is removed only if its content is unchanged.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import json
import os
from typing import Any, Callable, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.contents import (
    Content,
    Link,
    json_object,
    locate,
    read,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

STATE_DIR = "/var/lib/cruntime"
#: Version of the record's format. Version 1 had only files, each with one digest. In versions 1 and
#: 2, anyone could guess a short secret in a file from its digest, which had no key.
VERSION = 3

_TYPES: dict[str, type] = {
    "digests": list,
    "restart": bool,
    "runtime": str,
    "target": str,
    "keys": list,
    "unit": str,
    "secret": bool,
    "socket": str,
    "gone": int,
    "loaded": list,
}
_KEY_LENGTH = 32
_REQUIRED = ("digests", "restart", "runtime")


class ManagedFiles:
    """Managed-files record of a node.

    The record has a file under the path with which it is read. Each run resolves this path again,
    because one of its directories can have become a link.

    :raises CruntimeError: if the record is damaged, or was written by a newer collection.
    """

    def __init__(self, state_dir: str = STATE_DIR) -> None:
        self.path = os.path.join(state_dir, "files.json")
        self.key_path = os.path.join(state_dir, "key")
        #: Whether an older release wrote the record, with digests that have no key.
        self.is_outdated = False
        #: By path: C(digests) of every content that the file can have, C(restart), C(runtime),
        #: C(target) if the path was a link, and C(keys), C(unit), C(secret), C(socket), C(gone)
        #: and C(loaded).
        self.entries: dict[str, dict[str, Any]] = {}
        #: By runtime, the data directories that were configured for it.
        self.data_roots: dict[str, list[str]] = {}
        content = read(self.path)[0]
        if content is not None:
            self._load(content)

    def _load(self, content: Content) -> None:
        data = json_object(content)
        if data is None:
            raise self._damaged("it does not contain a JSON object")
        version = data.get("version", 1)
        if not _is_type(version, int):
            raise self._damaged(f"its version is {version!r}")
        if version > VERSION:
            raise CruntimeError(
                f"{self.path}: unknown version: a newer release of cruntime.node wrote version "
                f"{version} of it. Update the collection on the controller",
                reason="record_invalid",
            )
        self.is_outdated = version < VERSION
        if version < 2:
            data = {"files": {path: _updated(entry) for path, entry in data.items()}}
        damage = find_damage(data)
        if damage:
            raise self._damaged(damage)
        self.entries = data["files"]
        self.data_roots = data.get("data_roots", {})

    def _damaged(self, cause: str) -> CruntimeError:
        return CruntimeError(
            f"{self.path}: damaged record: {cause}. Remove it and run the task again. The files "
            "that it lists are then backed up before they are replaced",
            reason="record_invalid",
        )

    @functools.cached_property
    def key(self) -> bytes:
        """Return the key of the digests, a new one if there is none: then all files are foreign.

        Only root can read its file. Anyone else can read the record.
        """
        content = read(self.key_path)[0]
        if isinstance(content, bytes) and len(content) == _KEY_LENGTH:
            return content
        return os.urandom(_KEY_LENGTH)

    def digest(self, content: Content) -> str:
        """Return the keyed digest of a content, empty if there is none."""
        return _digest(content, lambda data: hmac.new(self.key, data, hashlib.sha256).hexdigest())

    def owns(self, entry: dict[str, Any], content: Content) -> bool:
        """Return whether the collection wrote this content to the file of an entry."""
        digests = entry.get("digests", ())
        if self.digest(content) in digests:
            return True
        return self.is_outdated and _digest_without_key(content) in digests

    def upgrade(self) -> None:
        """Replace the digests that have no key. A file that was edited since then is foreign."""
        for path, entry in self.entries.items() if self.is_outdated else ():
            content = None
            with contextlib.suppress(CruntimeError):
                content = read(self.place(path))[0]
            owned = content is not None and self.owns(entry, content)
            self.entries[path] = dict(entry, digests=[self.digest(content)] if owned else [])

    def entry(self, path: str, target: str) -> dict[str, Any]:
        """Return the entry of a file, also if it was recorded under another path.

        :param target: the resolved path.
        """
        if path in self.entries:
            return self.entries[path]
        return next((self.entries[known] for known in self._known_as(target)), {})

    def note(self, path: str, target: str, entry: dict[str, Any]) -> None:
        """Record the entry of a file, and remove its entries under other paths."""
        for known in list(self._known_as(target)):
            del self.entries[known]
        self.entries[path] = entry if target == locate(path) else dict(entry, target=target)

    def note_data_root(self, runtime: str, root: str) -> None:
        """Record the data root that is configured for a runtime, in addition to earlier ones."""
        roots = self.data_roots.setdefault(runtime, [])
        if root not in roots:
            roots.append(root)

    def forget(self, runtime: str, keep_data: bool) -> None:
        """Remove the files of a runtime from the record, and its data roots unless data is kept."""
        for path in self.paths_of(runtime):
            del self.entries[path]
        if not keep_data:
            self.data_roots.pop(runtime, None)

    def place(self, path: str) -> str:
        """Return the place of a recorded file, see C(locate)."""
        return locate(self.entries[path].get("target", path))

    def socket_of(self, runtime: str) -> str | None:
        """Return the socket that this runtime was last configured to listen on, if any."""
        sockets = [self.entries[path].get("socket") for path in self.paths_of(runtime)]
        return next(filter(None, sockets), None)

    def paths_of(self, runtime: str) -> list[str]:
        """Return the paths of a runtime's files."""
        return sorted(path for path, entry in self.entries.items() if entry["runtime"] == runtime)

    def dump(self) -> bytes:
        """Return the record as JSON."""
        data = {"version": VERSION, "files": self.entries, "data_roots": self.data_roots}
        return json.dumps(data, indent=1, sort_keys=True).encode()

    def _known_as(self, target: str) -> Iterable[str]:
        return (path for path in self.entries if self.place(path) == target)


def managed_keys(entry: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the paths of the keys that were last written to a file that other tools also write."""
    # Version 1 had only top-level keys, each as a string.
    return [(key,) if isinstance(key, str) else tuple(key) for key in entry.get("keys", [])]


def find_damage(data: dict[str, Any]) -> str:
    """Return the first problem of a record, empty if the record is valid."""
    files, roots = data.get("files"), data.get("data_roots", {})
    if not isinstance(files, dict) or not isinstance(roots, dict):
        return "files and data_roots must be objects"
    for path, entry in files.items():
        if not _is_path(path):
            return f"{path!r} is not the path of a file"
        if not isinstance(entry, dict) or not all(key in entry for key in _REQUIRED):
            return f"the entry of {path} lacks one of {', '.join(_REQUIRED)}"
        for key, value in entry.items():
            if key in _TYPES and not (_is_type(value, _TYPES[key]) and _fits(key, value)):
                return f"{key} of {path} is {value!r}"
    for runtime, paths in roots.items():
        if not isinstance(paths, list) or not all(map(_is_path, paths)):
            return f"data_roots of {runtime!r} is {paths!r}"
    return ""


def _digest(content: Content, digest: Callable[[bytes], str]) -> str:
    if content is None:
        return ""
    if isinstance(content, Link):
        return digest(content.target.encode()) + "link"
    return digest(content)


def _digest_without_key(content: Content) -> str:
    return _digest(content, lambda data: hashlib.sha256(data).hexdigest())


def _fits(key: str, value: Any) -> bool:
    if key == "loaded":
        return len(value) == 2 and all(_is_type(each, int) for each in value)
    if key == "digests":
        return all(isinstance(each, str) for each in value)
    if key == "keys":
        return all(isinstance(each, str) or _is_key_path(each) for each in value)
    if key == "target":
        return _is_path(value)
    return not isinstance(value, str) or _is_encodable(value)


def _is_type(value: Any, kind: type) -> bool:
    """Return whether a value has this JSON type. In Python, a boolean is also a number."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _is_key_path(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(key, str) for key in value)


def _is_path(path: Any) -> bool:
    return (
        isinstance(path, str) and path.startswith("/") and "\0" not in path and _is_encodable(path)
    )


def _is_encodable(text: str) -> bool:
    """Return whether a string can be a file name. JSON can contain half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _updated(entry: Any) -> Any:
    """Return an entry of version 1 in the current format."""
    if not isinstance(entry, dict) or "digest" not in entry:
        return entry
    rest = {key: value for key, value in entry.items() if key != "digest"}
    return {**rest, "digests": [entry["digest"]]}
