# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of files changed as one: stage, put in place, restore."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from typing import Callable, Iterable, Iterator

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.files import (
    STATE_DIR,
    Change,
    Content,
    Ledger,
    Link,
    digest,
    read,
)


def settle(changes: Iterable[Change]) -> None:
    """Date files from the future to now: they would be newer than any process ever started."""
    now = time.time_ns()
    for change in changes:
        found = change.before is not None and not change.changed
        if found and change.mtime_ns is not None and change.mtime_ns > now:
            os.utime(change.target, ns=(now, now), follow_symlinks=False)


def need_daemon_reload(changes: Iterable[Change]) -> bool:
    """Say whether systemd has to read its unit files anew after these changes."""
    return any(change.path.startswith("/etc/systemd/system/") for change in changes)


@contextlib.contextmanager
def staged(changes: Iterable[Change], directory: str) -> Iterator[dict[str, str]]:
    """Write the new contents into a scratch directory, where no runtime reads them.

    :return: by live path, the path of the staged file.
    """
    paths = {}
    try:
        texts = {change.path: change.after for change in changes}
        for number, (path, text) in enumerate(texts.items()):
            if isinstance(text, bytes):
                paths[path] = os.path.join(directory, f"{number}-{os.path.basename(path)}")
                _write(paths[path], text, 0o600)
        yield paths
    finally:
        for path in paths.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def replace(module: AnsibleModule, source: str, target: str) -> None:
    """Rename one file over another, which hands on its owner, mode and SELinux context.

    Unlike AnsibleModule.atomic_move it never falls back to a copy, which a crash could cut short.
    """
    found = _status(target)
    if found is None:
        context = module.selinux_default_context(target)
    else:
        context = module.selinux_context(target)
        os.chown(source, found.st_uid, found.st_gid)
        os.chmod(source, stat.S_IMODE(found.st_mode))
    module.set_context_if_different(source, context, False)
    os.rename(source, target)


class Swap:
    """Puts changes in place and can take them back.

    :param replace: C(replace) of this module, with its AnsibleModule.
    """

    def __init__(
        self, replace: Callable[[str, str], None], ledger: Ledger, state_dir: str = STATE_DIR
    ) -> None:
        self._replace = replace
        self._ledger = ledger
        self._state_dir = state_dir
        self._entries_before = dict(ledger.entries)
        # With what the file was like, for its owner and its mode.
        self._done: list[tuple[Change, os.stat_result | None]] = []
        self._made_dirs: list[str] = []

    def apply(self, changes: Iterable[Change], runtime: str, socket: str = "") -> dict[str, str]:
        """Write or remove every changed file.

        :param runtime: whose files these are.
        :param socket: where it answers when it has read them.
        :return: by path, the backup kept of a file that was not written here.
        """
        changes = [change for change in changes if change.changed]
        if not changes:
            return {}
        backups = {
            change.target: self._back_up(change.target, change.before)
            for change in changes
            if isinstance(change.before, bytes)
            and not self._ledger.owns(change.target, change.before)
        }
        # Before the files, so that a run killed in between takes nothing of ours for an admin's.
        for change in changes:
            gone = change.after is None
            self._ledger.entries[change.target] = {
                # Until it is gone, it is known as ours.
                "digest": digest(change.before if gone else change.after),
                **({"gone": time.time_ns()} if gone else {}),
                "restart": change.restart,
                "runtime": runtime,
                "keys": list(change.keys),
                "unit": change.unit,
                "secret": change.secret,
                "socket": socket if change.restart else "",
            }
        for path in self._ledger.paths_of(runtime):
            # It answers there by all of its files, those too that did not change.
            if self._ledger.entries[path].get("socket"):
                self._ledger.entries[path] = dict(self._ledger.entries[path], socket=socket)
        self._save_ledger()
        for change in changes:
            self._done.append((change, _status(change.target)))
            self._put(change.target, change.after, 0o600 if change.secret else 0o644)
            # The folder of one registry, say; a folder with anything in it stays.
            if change.after is None and not _is_shared(os.path.dirname(change.target)):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(change.target))
        return backups

    def finish(self, runtime: str) -> None:
        """Forget the files that are gone, now that nothing runs by them any more."""
        paths = self._ledger.paths_of(runtime)
        gone = [path for path in paths if "gone" in self._ledger.entries[path]]
        for path in gone:
            del self._ledger.entries[path]
        if gone:
            self._save_ledger()

    def mark_loaded(self, changes: Iterable[Change], pid: int) -> None:
        """Note that this process has read these files by a reload: no restart is owed for them."""
        for change in changes:
            mtime_ns = os.stat(change.target).st_mtime_ns
            self._ledger.entries[change.target]["loaded"] = [pid, mtime_ns]
        self._save_ledger()

    def restore(self) -> bool:
        """Bring back what stood there before C(apply); say whether that changed unit files."""
        if not self._done:
            return False
        units_touched = need_daemon_reload(change for change, _found in self._done)
        while self._done:
            change, found = self._done.pop()
            if read(change.target)[0] == change.before:
                # Where it could not be written, it could not be written back either.
                continue
            # For nobody else, until it is whose it was.
            self._put(change.target, change.before, 0o600)
            if found is not None:
                os.chown(change.target, found.st_uid, found.st_gid)
                os.chmod(change.target, stat.S_IMODE(found.st_mode))
            if change.mtime_ns is not None:
                # Or the next run would take it for newer than the process that runs by it.
                times = (change.mtime_ns, change.mtime_ns)
                os.utime(change.target, ns=times, follow_symlinks=False)
        self._ledger.entries = self._entries_before
        self._save_ledger()
        while self._made_dirs:
            with contextlib.suppress(OSError):
                os.rmdir(self._made_dirs.pop())
        return units_touched

    def _save_ledger(self) -> None:
        self._put(self._ledger.path, self._ledger.dump(), 0o644)

    def _put(self, path: str, content: Content, mode: int) -> None:
        directory = os.path.dirname(path)
        if content is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
                _sync(directory)
            return
        # A fixed name: what a killed run left is overwritten by the next one.
        temporary = os.path.join(_staging(directory), f".{os.path.basename(path)}.cruntime")
        try:
            self._make_dirs(directory)
            if isinstance(content, Link):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
                os.symlink(content.target, temporary)
                os.rename(temporary, path)
            else:
                _write(temporary, content, mode)
                if mode == 0o600 and _status(path) is not None:
                    # The replacement takes over the mode of what it replaces.
                    os.chmod(path, mode)
                self._replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise CruntimeError(f"{path} can't be written: {error.strerror}") from error
        _sync(directory)

    def _make_dirs(self, directory: str) -> None:
        missing = []
        while not os.path.isdir(directory):
            missing.append(directory)
            directory = os.path.dirname(directory)
        for path in reversed(missing):
            os.mkdir(path)
            # Whatever the umask is.
            os.chmod(path, 0o755)
            self._made_dirs.append(path)

    def _back_up(self, path: str, content: Content) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = re.sub(r"/+", "_", path.strip("/"))
        backup = os.path.join(self._state_dir, "backups", f"{name}.{stamp}")
        self._put(backup, content, 0o600)
        return backup


def _status(path: str) -> os.stat_result | None:
    """Return what a file is like; None where there is none, and for a link, which has no mode."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return None if stat.S_ISLNK(found.st_mode) else found


def _is_shared(directory: str) -> bool:
    """Say whether a folder is there for many: one that a package or an admin may count on."""
    return directory.endswith(".d") or os.path.dirname(directory) == "/etc"


def _staging(directory: str) -> str:
    """Return where a temporary file is safe: some read every file of a folder named NAME.d."""
    while directory.endswith(".d"):
        directory = os.path.dirname(directory)
    return directory


def _write(path: str, content: bytes, mode: int) -> None:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _sync(directory: str) -> None:
    """Make a rename in this directory outlast a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
