# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as they are on the node, and as they shall be. Writes none.

A ledger of what was written here tells an admin's file from one of ours: a first take-over
keeps the admin's text, and a file that left the spec is removed only if it is still ours.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Iterable, NamedTuple, Union

from ansible_collections.cruntime.node.plugins.module_utils import daemon_json
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

STATE_DIR = "/var/lib/cruntime"


class Link(NamedTuple):
    """What a symbolic link holds."""

    target: str


#: What a path holds; None where there is nothing.
Content = Union[bytes, Link, None]

#: What a diff shows in place of a content that is secret.
NOT_SHOWN = "(not shown: it holds secrets)\n"


class Change(NamedTuple):
    """One file: what it holds and what it shall hold.

    :param path: as its reader knows it.
    :param target: where it is written: a link to it on the way is the admin's decision, and stays.
    :param after: None where the file shall go.
    :param restart: the runtime reads this file when it starts, and only then.
    :param before: None where there is no file.
    :param mtime_ns: its last change in nanoseconds since the epoch, None where there is no file.
    :param loaded_by: the process that has read it by a reload since, 0 for none.
    :param secret: nobody but root may read it, and no output shows it.
    :param hidden: no output shows what it held before: that was, or may have been, secret.
    :param keys: of a JSON file that others write to as well, the paths of the keys that are ours.
    :param unit: the unit that reads it, empty for the runtime's own service.
    """

    path: str
    target: str
    after: Content
    restart: bool
    before: Content
    mtime_ns: int | None
    loaded_by: int = 0
    secret: bool = False
    hidden: bool = False
    keys: tuple[daemon_json.Path, ...] = ()
    unit: str = ""

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def diff(self) -> dict[str, Any]:
        """Ansible's diff of this file."""
        return {
            "before_header": self.target,
            "after_header": self.target,
            "before": _shown(self.before, self.secret or self.hidden),
            "after": _shown(self.after, self.secret),
        }


class Ledger:
    """What this collection wrote on this node, and for which runtime."""

    def __init__(self, state_dir: str = STATE_DIR) -> None:
        self.path = os.path.join(state_dir, "files.json")
        self.entries: dict[str, dict[str, Any]] = {}
        content = read(self.path)[0]
        if content is None:
            return
        entries = json_object(content)
        if entries is None:
            raise CruntimeError(
                f"{self.path} is damaged: it holds no JSON object. Remove it and run again: "
                "the files it lists are then backed up once more"
            )
        self.entries = entries

    def owns(self, path: str, content: Content) -> bool:
        """Say whether this is what was last written there."""
        return self.entries.get(path, {}).get("digest") == digest(content)

    def loaded_by(self, path: str, mtime_ns: int | None) -> int:
        """Return the process that has read this state of the file by a reload, or 0."""
        pid, loaded = self.entries.get(path, {}).get("loaded", (0, None))
        return pid if loaded == mtime_ns else 0

    def secret(self, path: str) -> bool:
        """Say whether what was last written there was secret."""
        return bool(self.entries.get(path, {}).get("secret"))

    def keys(self, path: str) -> list[daemon_json.Path]:
        """Return the paths of the keys that were last written to a file shared with others."""
        keys = self.entries.get(path, {}).get("keys", [])
        # A first version recorded the keys of the top level, each as a string.
        return [(key,) if isinstance(key, str) else tuple(key) for key in keys]

    def socket_of(self, runtime: str) -> str | None:
        """Return where this runtime was last told to answer, None where nothing was written."""
        sockets = [self.entries[path].get("socket") for path in self.paths_of(runtime)]
        return next(filter(None, sockets), None)

    def paths_of(self, runtime: str) -> list[str]:
        return sorted(path for path, entry in self.entries.items() if entry["runtime"] == runtime)

    def dump(self) -> bytes:
        return json.dumps(self.entries, indent=1, sort_keys=True).encode()


def look(wanted: Iterable[dict[str, Any]], ledger: Ledger, runtime: str) -> list[Change]:
    """Compare rendered files with what is on the node.

    :param wanted: dicts with C(path), C(restart) and either C(content) or C(link); C(shared) if
        others write keys to this JSON file too, true if these keys stay; C(unit) if another than
        the runtime's reads it.
    :param runtime: whose files these are; those of its that are wanted no more shall go.
    :raises CruntimeError: a path can't be read as a file.
    """
    changes = [_look(file, ledger) for file in wanted]
    wanted_paths = {change.target for change in changes}
    for path in ledger.paths_of(runtime):
        if path in wanted_paths:
            continue
        before, mtime_ns = read(path)
        entry = ledger.entries[path]
        if before is None:
            # A run that was killed took it away, and may owe a restart.
            mtime_ns = entry.get("gone")
        # What an admin has made of it since is the admin's.
        if mtime_ns is not None and (before is None or ledger.owns(path, before)):
            unit, hidden = entry.get("unit", ""), ledger.secret(path)
            change = Change(
                path, path, None, entry["restart"], before, mtime_ns, hidden=hidden, unit=unit
            )
            changes.append(change)
    return changes


def _look(file: dict[str, Any], ledger: Ledger) -> Change:
    after: Link | bytes = Link(file["link"]) if "link" in file else file["content"].encode()
    target = file["path"] if isinstance(after, Link) else os.path.realpath(file["path"])
    before, mtime_ns = read(target)
    secret = file.get("secret", False)
    keys: tuple[daemon_json.Path, ...] = ()
    if "shared" in file and not isinstance(after, Link):
        keys = tuple(daemon_json.list_paths(json.loads(after)))
        if file["shared"]:
            after = _merge_foreign_keys(target, before, after, ledger.keys(target))
    return Change(
        file["path"],
        target,
        after,
        file["restart"],
        before,
        mtime_ns,
        ledger.loaded_by(target, mtime_ns),
        secret,
        # What stands in the place of a link to a key may be a key.
        ledger.secret(target) or (isinstance(after, Link) and isinstance(before, bytes)),
        keys,
        file.get("unit", ""),
    )


def _merge_foreign_keys(
    path: str, before: Content, after: bytes, managed: list[daemon_json.Path]
) -> bytes:
    """Add the keys that others wrote to a JSON file.

    :raises CruntimeError: if they can't be read.
    """
    try:
        found = daemon_json.parse(before) if isinstance(before, bytes) else {}
    except ValueError as error:
        raise CruntimeError(
            f"{path}: The keys in this file can't be kept: {error}. "
            "Repair the file, or set exclusive to replace it"
        ) from error
    rendered = json.loads(after)
    merged = daemon_json.merge(found, rendered, managed)
    return after if merged == rendered else daemon_json.dump(merged)


def json_object(content: Content) -> dict[str, Any] | None:
    """Read a file that holds a JSON object, None where it holds no such thing."""
    try:
        data = json.loads(content) if isinstance(content, bytes) else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def read(path: str) -> tuple[Content, int | None]:
    """Return what a path holds, and its last change in nanoseconds since the epoch.

    :raises CruntimeError: it can't be read as a file.
    """
    try:
        if os.path.islink(path):
            return Link(os.readlink(path)), os.lstat(path).st_mtime_ns
        with open(path, "rb") as handle:
            return handle.read(), os.fstat(handle.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise CruntimeError(
            f"{path} must be a readable file, but: {error.strerror}. Move it away and run again"
        ) from error


def _shown(content: Content, secret: bool) -> str:
    if content is None:
        return ""
    return NOT_SHOWN if secret else _text(content)


def _text(content: bytes | Link) -> str:
    if isinstance(content, Link):
        return f"link to {content.target}\n"
    return content.decode("utf-8", errors="replace")


def digest(content: Content) -> str:
    """Tell a content from any other; empty for none."""
    if content is None:
        return ""
    kind, data = ("link", content.target.encode()) if isinstance(content, Link) else ("", content)
    return hashlib.sha256(data).hexdigest() + kind
