# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of files changed as one: look, stage, swap, restore.

A ledger of what was written here tells an admin's file from one of ours: a first take-over
keeps the admin's text, and a file that left the spec is removed only if it is still ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import stat
import time
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Union

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError

STATE_DIR = "/var/lib/cruntime"


class Link(NamedTuple):
    """What a symbolic link holds."""

    target: str


#: What a path holds; None where there is nothing.
Content = Union[bytes, Link, None]

#: What a diff shows in place of a content that is secret.
NOT_SHOWN = "(not shown: it holds secrets)\n"


@dataclasses.dataclass(frozen=True)
class Change:
    """One file: what it holds and what it shall hold.

    :param after: None where the file shall go.
    :param restart: the runtime reads this file when it starts, and only then.
    :param before: None where there is no file.
    :param mtime_ns: its last change in nanoseconds since the epoch, None where there is no file.
    :param loaded_by: the process that has read it by a reload since, 0 for none.
    :param secret: nobody but root may read it, and no output shows it.
    :param hidden: no output shows what it held before: that was, or may have been, secret.
    :param keys: of a file that is shared with others, the keys that are ours.
    :param unit: the unit that reads it, empty for the runtime's own service.
    """

    path: str
    after: Content
    restart: bool
    before: Content
    mtime_ns: int | None
    loaded_by: int = 0
    secret: bool = False
    hidden: bool = False
    keys: tuple[str, ...] = ()
    unit: str = ""

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def diff(self) -> dict[str, Any]:
        """Ansible's diff of this file."""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": _shown(self.before, self.secret or self.hidden),
            "after": _shown(self.after, self.secret),
        }


class Ledger:
    """What this collection wrote on this node, and for which runtime."""

    def __init__(self, state_dir: str = STATE_DIR) -> None:
        self.path = os.path.join(state_dir, "files.json")
        self.entries: dict[str, dict[str, Any]] = {}
        try:
            with open(self.path, encoding="utf-8") as handle:
                self.entries = json.load(handle)
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise CruntimeError(
                f"{self.path} is damaged ({error}). Remove it and run again: "
                "the files it lists are then backed up once more"
            ) from error

    def owns(self, path: str, content: Content) -> bool:
        """Say whether this is what was last written there."""
        return self.entries.get(path, {}).get("digest") == _digest(content)

    def loaded_by(self, path: str, mtime_ns: int | None) -> int:
        """Return the process that has read this state of the file by a reload, or 0."""
        pid, loaded = self.entries.get(path, {}).get("loaded", (0, None))
        return pid if loaded == mtime_ns else 0

    def secret(self, path: str) -> bool:
        """Say whether what was last written there was secret."""
        return bool(self.entries.get(path, {}).get("secret"))

    def keys(self, path: str) -> list[str]:
        """Return the keys that were last written to a file shared with others."""
        keys: list[str] = self.entries.get(path, {}).get("keys", [])
        return keys

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
        a JSON file may hold keys of others too; C(unit) if another than the runtime's reads it.
    :param runtime: whose files these are; those of its that are wanted no more shall go.
    :raises CruntimeError: a path can't be read as a file.
    """
    changes = [_look(file, ledger) for file in wanted]
    wanted_paths = {change.path for change in changes}
    for path in ledger.paths_of(runtime):
        if path in wanted_paths:
            continue
        before, mtime_ns = _read(path)
        entry = ledger.entries[path]
        if before is None:
            # A run that was killed took it away, and may owe a restart.
            mtime_ns = entry.get("gone")
        # What an admin has made of it since is the admin's.
        if mtime_ns is not None and (before is None or ledger.owns(path, before)):
            unit, hidden = entry.get("unit", ""), ledger.secret(path)
            change = Change(
                path, None, entry["restart"], before, mtime_ns, hidden=hidden, unit=unit
            )
            changes.append(change)
    return changes


def _look(file: dict[str, Any], ledger: Ledger) -> Change:
    path = file["path"]
    after: Link | bytes = Link(file["link"]) if "link" in file else file["content"].encode()
    if not isinstance(after, Link):
        # The link stays and its target is written: a link in /etc is the admin's decision.
        path = os.path.realpath(path)
    before, mtime_ns = _read(path)
    secret = file.get("secret", False)
    keys: tuple[str, ...] = ()
    if file.get("shared") and not isinstance(after, Link):
        keys = tuple(json.loads(after))
        after = _with_others_keys(before, after, ledger.keys(path))
    return Change(
        path,
        after,
        file["restart"],
        before,
        mtime_ns,
        ledger.loaded_by(path, mtime_ns),
        secret,
        # What stands in the place of a link to a key may be a key.
        ledger.secret(path) or (isinstance(after, Link) and isinstance(before, bytes)),
        keys,
        file.get("unit", ""),
    )


def _with_others_keys(before: Content, after: bytes, ours: list[str]) -> bytes:
    """Keep the keys of a JSON file that were not written here, beside those that are now."""
    found = json_object(before) or {}
    rendered = json.loads(after)
    others = {key: found[key] for key in found if key not in rendered and key not in ours}
    if not others:
        return after
    return (json.dumps({**others, **rendered}, indent=2) + "\n").encode()


def json_object(content: Content) -> dict[str, Any] | None:
    """Read a file that holds a JSON object, None where it holds no such thing."""
    try:
        data = json.loads(content) if isinstance(content, bytes) else None
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _read(path: str) -> tuple[Content, int | None]:
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


def settle(changes: Iterable[Change]) -> None:
    """Date files from the future to now: they would be newer than any process ever started."""
    now = time.time_ns()
    for change in changes:
        found = change.before is not None and not change.changed
        if found and change.mtime_ns is not None and change.mtime_ns > now:
            os.utime(change.path, ns=(now, now), follow_symlinks=False)


def touch_units(changes: Iterable[Change]) -> bool:
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
    try:
        found = os.stat(target)
    except FileNotFoundError:
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
        self._done: list[Change] = []
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
            change.path: self._back_up(change.path, change.before)
            for change in changes
            if isinstance(change.before, bytes)
            and not self._ledger.owns(change.path, change.before)
        }
        # Before the files, so that a run killed in between takes nothing of ours for an admin's.
        for change in changes:
            gone = change.after is None
            self._ledger.entries[change.path] = {
                # Until it is gone, it is known as ours.
                "digest": _digest(change.before if gone else change.after),
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
            self._done.append(change)
            self._put(change.path, change.after, 0o600 if change.secret else 0o644)
            # The folder of one registry, say; a folder with anything in it stays.
            if change.after is None and not _is_shared(os.path.dirname(change.path)):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(change.path))
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
            mtime_ns = os.stat(change.path).st_mtime_ns
            self._ledger.entries[change.path]["loaded"] = [pid, mtime_ns]
        self._save_ledger()

    def restore(self) -> bool:
        """Bring back what stood there before C(apply); say whether that changed unit files."""
        if not self._done:
            return False
        units_touched = touch_units(self._done)
        while self._done:
            change = self._done.pop()
            if _read(change.path)[0] == change.before:
                # Where it could not be written, it could not be written back either.
                continue
            self._put(change.path, change.before, 0o600 if change.hidden else 0o644)
            if change.mtime_ns is not None:
                # Or the next run would take it for newer than the process that runs by it.
                times = (change.mtime_ns, change.mtime_ns)
                os.utime(change.path, ns=times, follow_symlinks=False)
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
                if mode == 0o600 and os.path.exists(path):
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
            os.mkdir(path, 0o755)
            self._made_dirs.append(path)

    def _back_up(self, path: str, content: Content) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = re.sub(r"/+", "_", path.strip("/"))
        backup = os.path.join(self._state_dir, "backups", f"{name}.{stamp}")
        self._put(backup, content, 0o600)
        return backup


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


def _shown(content: Content, secret: bool) -> str:
    if content is None:
        return ""
    return NOT_SHOWN if secret else _text(content)


def _text(content: bytes | Link) -> str:
    if isinstance(content, Link):
        return f"link to {content.target}\n"
    return content.decode("utf-8", errors="replace")


def _digest(content: Content) -> str:
    if content is None:
        return ""
    kind, data = ("link", content.target.encode()) if isinstance(content, Link) else ("", content)
    return hashlib.sha256(data).hexdigest() + kind
