# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change a set of files as one: stage, apply, restore."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from typing import Any, Iterable, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import atomic
from ansible_collections.cruntime.node.plugins.module_utils.contents import (
    Content,
    Link,
    read,
)
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import (
    STATE_DIR,
    ManagedFiles,
)


def clamp_future_mtimes(changes: Iterable[Change]) -> None:
    """Set mtimes that are in the future to now.

    Otherwise the file stays newer than every process, and a restart stays pending.
    """
    now = time.time_ns()
    for change in changes:
        found = change.before is not None and not change.changed
        if found and change.mtime_ns is not None and change.mtime_ns > now:
            os.utime(change.target, ns=(now, now), follow_symlinks=False)


def need_daemon_reload(changes: Iterable[Change]) -> bool:
    """Return whether systemd must reload its unit files after these changes."""
    return any(change.path.startswith("/etc/systemd/system/") for change in changes)


@contextlib.contextmanager
def staged(
    changes: Iterable[Change], directory: str, unsafe_writes: bool = False
) -> Iterator[dict[str, str]]:
    """Write the new contents into a scratch directory, where no runtime reads them.

    :param unsafe_writes: whether mounted files can be overwritten in place.
    :return: by live path, the path of the staged file.
    :raises CruntimeError: if a file cannot be replaced because it is a mount point.
    """
    changes = list(changes)
    _check_mounts(changes, unsafe_writes)
    paths = {}
    try:
        texts = {change.path: change.after for change in changes}
        for number, (path, text) in enumerate(texts.items()):
            if isinstance(text, bytes):
                paths[path] = os.path.join(directory, f"{number}-{os.path.basename(path)}")
                atomic.write_new(paths[path], text, 0o600)
        yield paths
    finally:
        for path in paths.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _check_mounts(changes: Iterable[Change], unsafe_writes: bool) -> None:
    changed = {
        change.target
        for change in changes
        # A mounted file can be overwritten in place, but not removed.
        if change.changed and not (unsafe_writes and isinstance(change.after, bytes))
    }
    for path in sorted(changed.intersection(atomic.list_mount_points() if changed else ())):
        raise atomic.describe_mount(path)


class Swap:
    """Apply changes, and restore the files from before.

    :param replace_file: C(atomic.replace), bound to the AnsibleModule.
    """

    def __init__(
        self, replace_file: atomic.Replace, record: ManagedFiles, state_dir: str = STATE_DIR
    ) -> None:
        self._replace_file = replace_file
        self._record = record
        self._state_dir = state_dir
        record.upgrade()
        self._entries_before = dict(record.entries)
        # The status of each file before its change has its owner and mode.
        self._done: list[tuple[Change, os.stat_result | None]] = []
        self._made_dirs: list[str] = []

    def apply(self, changes: Iterable[Change], runtime: str, socket: str = "") -> dict[str, str]:
        """Write or remove every changed file.

        :param runtime: name of the runtime that the files belong to.
        :param socket: socket on which the runtime listens after it has read the files.
        :return: by target, the backup of a foreign file.
        """
        changes = [change for change in changes if change.changed]
        if not changes:
            return {}
        backups = {
            change.target: self._back_up(change.target, change.before)
            for change in changes
            if isinstance(change.before, bytes) and not change.owned
        }
        # Record the files before they are written. If a run is killed in between, the next run
        # must not treat a managed file as a foreign file.
        for change in changes:
            self._record.note(change.path, change.target, self._describe(change, runtime, socket))
        for path in self._record.paths_of(runtime):
            # Unchanged files of the runtime apply to the new socket too.
            if self._record.entries[path].get("socket"):
                self._record.entries[path] = dict(self._record.entries[path], socket=socket)
        self._save_record()
        for change in changes:
            self._done.append((change, atomic.get_status(change.target)))
            self._put(change.target, change.after, 0o600 if change.is_secret else 0o644)
            # Remove an empty directory, for example the directory of a registry. A directory that
            # is not empty stays, and so does a link.
            directory = os.path.dirname(change.path)
            if change.after is None and not _is_shared(directory):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
        return backups

    def finish(self, runtime: str, files: Iterable[Change], socket: str = "") -> None:
        """Make the record contain exactly the files of the spec, when no process uses the others.

        :param files: all managed files. An interrupted run can have removed a wanted one.
        :param socket: socket on which the runtime listens.
        """
        before = dict(self._record.entries)
        wanted = {file.path: file for file in files if file.after is not None}
        for file in wanted.values():
            # An admin can have removed the record or its key.
            entry = self._record.entry(file.path, file.target)
            if not self._record.owns(entry, file.after):
                described = {**entry, **self._describe(file, runtime, socket)}
                self._record.note(file.path, file.target, described)
        entries = dict(self._record.entries)
        for path in self._record.paths_of(runtime):
            if path in wanted:
                entries[path] = dict(entries[path], keys=list(wanted[path].keys))
                entries[path].pop("gone", None)
            elif "gone" in entries[path]:
                del entries[path]
        if entries != before or self._record.is_outdated:
            self._record.entries = entries
            self._save_record()

    def forget(self, runtime: str, keep_data: bool) -> None:
        """Remove a runtime from the record."""
        self._record.forget(runtime, keep_data)
        self._save_record()

    def mark_loaded(self, changes: Iterable[Change], pid: int) -> None:
        """Record that this process has reloaded these files, so no restart is pending for them."""
        for change in changes:
            mtime_ns = os.stat(change.target).st_mtime_ns
            self._record.entries[change.path]["loaded"] = [pid, mtime_ns]
        self._save_record()

    def restore(self) -> bool:
        """Restore the files from before C(apply); return whether unit files changed."""
        if not self._done:
            return False
        units_touched = need_daemon_reload(change for change, _found in self._done)
        while self._done:
            change, found = self._done.pop()
            if read(change.target)[0] == change.before:
                # A file that could not be written could not be restored either.
                continue
            # Only root can read the file until it has its owner again.
            self._put(change.target, change.before, 0o600)
            if found is not None:
                os.chown(change.target, found.st_uid, found.st_gid)
                os.chmod(change.target, stat.S_IMODE(found.st_mode))
            if change.mtime_ns is not None:
                # Otherwise the next run would find a file that is newer than the running process.
                times = (change.mtime_ns, change.mtime_ns)
                os.utime(change.target, ns=times, follow_symlinks=False)
        self._record.entries = self._entries_before
        self._save_record()
        while self._made_dirs:
            with contextlib.suppress(OSError):
                os.rmdir(self._made_dirs.pop())
        return units_touched

    def _save_record(self) -> None:
        # Write the key first. A killed run must not leave digests whose key is lost.
        if read(self._record.key_path)[0] != self._record.key:
            self._put(self._record.key_path, self._record.key, 0o600)
        self._put(self._record.path, self._record.dump(), 0o644)
        self._record.is_outdated = False

    def _put(self, path: str, content: Content, mode: int) -> None:
        try:
            if content is None:
                return atomic.remove_file(path)
            self._made_dirs += atomic.make_directories(os.path.dirname(path))
            if isinstance(content, Link):
                return atomic.write_link(path, content.target)
            return atomic.write_file(path, content, mode, self._replace_file)
        except OSError as error:
            raise atomic.describe_error(path, error) from error

    def _describe(self, change: Change, runtime: str, socket: str) -> dict[str, Any]:
        """Return the record entry for a change. It is recorded before the file is written."""
        gone = change.after is None
        # A killed run leaves the old or the new content.
        found = [self._record.digest(change.before)] if change.owned else []
        return {
            "digests": found if gone else [*found, self._record.digest(change.after)],
            **({"gone": time.time_ns()} if gone else {}),
            "restart": change.restart,
            "runtime": runtime,
            # An interrupted run leaves the old or the new keys.
            "keys": list(dict.fromkeys([*change.old_keys, *change.keys])),
            "unit": change.unit,
            "secret": change.is_secret,
            "socket": socket if change.restart else "",
        }

    def _back_up(self, path: str, content: Content) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = re.sub(r"/+", "_", path.strip("/"))
        backup = os.path.join(self._state_dir, "backups", f"{name}.{stamp}")
        self._put(backup, content, 0o600)
        return backup


def _is_shared(directory: str) -> bool:
    """Return whether packages or admins can rely on a directory."""
    return directory.endswith(".d") or os.path.dirname(directory) == "/etc"
