# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the managed files on the node with the rendered files. Nothing is changed."""

from __future__ import annotations

import json
import os
from typing import Any, Iterable, NamedTuple, Tuple

from ansible_collections.cruntime.node.plugins.module_utils.contents import (
    Content,
    Link,
    leads_to,
    locate,
    read,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import (
    ManagedFiles,
    managed_keys,
)

#: The keys that lead to a value in a JSON file.
KeyPath = Tuple[str, ...]


class Change(NamedTuple):
    """Current and desired content of a file.

    :param path: path with which its reader opens the file.
    :param target: resolved path that is written. Symbolic links that lead to it are kept.
    :param after: None if the file must not exist.
    :param restart: whether the runtime reads this file only when it starts.
    :param before: None if the file does not exist.
    :param mtime_ns: last change in nanoseconds since the epoch, None if the file does not exist.
    :param loaded_by: PID of the process that has reloaded the file since, 0 for no process.
    :param secret: whether the new content was rendered with secrets, see C(is_secret).
    :param hidden: whether the content before can be secret as a whole.
    :param keys: paths of the keys that the collection sets in a JSON file that tools also write.
    :param old_keys: paths of the keys that an earlier run wrote to such a file.
    :param unit: unit that reads the file, empty for the service of the runtime.
    :param unasked: paths of the keys that the collection writes although no option sets them.
    :param owned: whether the collection wrote the current content, which then needs no backup.
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
    keys: tuple[KeyPath, ...] = ()
    old_keys: tuple[KeyPath, ...] = ()
    unit: str = ""
    owned: bool = False
    unasked: tuple[KeyPath, ...] = ()

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def is_secret(self) -> bool:
        """Return whether only root may read the new content, because it contains secrets.

        A merged file can contain secrets of others.
        """
        from ansible_collections.cruntime.node.plugins.module_utils import redaction

        return self.secret or redaction.has_secrets(_text(self.after))

    @property
    def diff(self) -> dict[str, Any]:
        """Ansible's diff of this file, with secrets redacted."""
        before, after = _text(self.before), _text(self.after)
        return {
            "before_header": self.target,
            "after_header": self.target,
            "before": _redact(before, after, self.secret or self.hidden),
            "after": _redact(after, before, self.secret),
        }


def look(wanted: Iterable[dict[str, Any]], record: ManagedFiles, runtime: str) -> list[Change]:
    """Compare rendered files with the files on the node.

    :param wanted: dicts with C(path), C(restart) and either C(content) or C(link); C(shared) if
        others write keys to this JSON file too, true if these keys stay; C(unit) if a unit other
        than the service of the runtime reads the file.
    :param runtime: runtime of the files. Its other managed files will be removed.
    :raises CruntimeError: if a path cannot be read as a file.
    """
    wanted = list(wanted)
    # Different paths can lead to the same file.
    places = {locate(file["path"]) for file in wanted}
    # A certificate that is already at the path where the runtime reads it needs no link.
    changes = [
        _look(file, record)
        for file in wanted
        if not ("link" in file and leads_to(file["link"], locate(file["path"])))
    ]
    places.update(change.target for change in changes)
    removals = (_look_at_unwanted(path, record, places) for path in record.paths_of(runtime))
    return [*changes, *filter(None, removals)]


def _look(file: dict[str, Any], record: ManagedFiles) -> Change:
    path = file["path"]
    after: Link | bytes = Link(file["link"]) if "link" in file else file["content"].encode()
    target = locate(path) if isinstance(after, Link) else os.path.realpath(path)
    before, mtime_ns = _read_target(path, target)
    entry = record.entry(path, target)
    keys: tuple[KeyPath, ...] = ()
    if "shared" in file and not isinstance(after, Link):
        # Import it only for a shared file, which most runs do not have.
        from ansible_collections.cruntime.node.plugins.module_utils import daemon_json

        keys = tuple(daemon_json.list_paths(json.loads(after)))
        if file["shared"]:
            after = _merge_foreign_keys(target, before, after, managed_keys(entry))
    pid, loaded_ns = entry.get("loaded", (0, None))
    return Change(
        path,
        target,
        after,
        file["restart"],
        before,
        mtime_ns,
        loaded_by=pid if loaded_ns == mtime_ns else 0,
        secret=file.get("secret", False),
        # A file in the place of a link to a key can be a key.
        hidden=entry.get("secret", False)
        or (isinstance(after, Link) and isinstance(before, bytes)),
        keys=keys,
        old_keys=tuple(managed_keys(entry)),
        unit=file.get("unit", ""),
        owned=record.owns(entry, before),
        unasked=tuple(tuple(path) for path in file.get("unasked", ())),
    )


def _read_target(path: str, target: str) -> tuple[Content, int | None]:
    try:
        return read(target)
    except CruntimeError as error:
        if target == path:
            raise
        raise CruntimeError(
            f"{path}: unreadable target of the link: {error}", reason="file_unreadable"
        ) from error


def _look_at_unwanted(path: str, record: ManagedFiles, wanted: set[str]) -> Change | None:
    """Return the removal of a file that is no longer wanted, None if the file must stay.

    :param wanted: the places of the wanted files.
    """
    entry, target = record.entries[path], record.place(path)
    if target in wanted or os.path.realpath(path) in wanted:
        return None
    before, mtime_ns = read(target)
    if before is None:
        # An interrupted run removed the file, and a restart can be pending.
        mtime_ns = entry.get("gone")
        if mtime_ns is None:
            return None
    elif any(_is_one_file(target, other) for other in wanted):
        return None
    after = _without_managed_keys(before, entry)
    # A file that an admin has changed since then stays, without the keys of this collection.
    if before is not None and after is None and not record.owns(entry, before):
        return None
    return Change(
        path,
        target,
        after,
        entry["restart"],
        before,
        mtime_ns,
        hidden=entry.get("secret", False),
        old_keys=tuple(managed_keys(entry)),
        unit=entry.get("unit", ""),
        owned=record.owns(entry, before),
    )


def _without_managed_keys(before: Content, entry: dict[str, Any]) -> bytes | None:
    """Return a JSON file with only foreign keys; None if it has none or cannot be parsed."""
    if not entry.get("keys") or not isinstance(before, bytes):
        return None
    from ansible_collections.cruntime.node.plugins.module_utils import daemon_json

    try:
        rest = daemon_json.remove(daemon_json.parse(before), managed_keys(entry))
    except ValueError:
        return None
    return daemon_json.dump(rest) if rest else None


def _is_one_file(path: str, other: str) -> bool:
    """Return whether two places are the same file, for example through a bind mount."""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _merge_foreign_keys(path: str, before: Content, after: bytes, managed: list[KeyPath]) -> bytes:
    """Add the keys that other tools wrote to a JSON file.

    :raises CruntimeError: if the file cannot be parsed.
    """
    from ansible_collections.cruntime.node.plugins.module_utils import daemon_json

    try:
        found = daemon_json.parse(before) if isinstance(before, bytes) else {}
    except ValueError as error:
        raise CruntimeError(
            f"{path}: could not keep the foreign keys: {error}. "
            "Repair the file, or set exclusive: true to replace it",
            reason="file_unreadable",
        ) from error
    rendered = json.loads(after)
    merged = daemon_json.merge(found, rendered, managed)
    return after if merged == rendered else daemon_json.dump(merged)


def _redact(text: str, other: str, is_secret: bool) -> str:
    """Return a text for a diff.

    :param other: the text with which the diff compares it.
    :param is_secret: whether the text is known to contain secrets.
    """
    from ansible_collections.cruntime.node.plugins.module_utils import redaction

    shown = redaction.redact_file(text, other)
    return redaction.NOT_SHOWN if is_secret and text and shown == text else shown


def _text(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Link):
        return f"link to {content.target}\n"
    return content.decode("utf-8", errors="replace")
