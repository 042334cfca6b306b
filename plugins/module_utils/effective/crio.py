# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effective configuration of CRI-O: C(crio config), flags, and C(GET /config)."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import tempfile
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import (
    atomic,
    command_line,
    crio_api,
    dump,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective import environment
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import (
    Effective,
    Source,
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
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import CRIO
from ansible_collections.cruntime.node.plugins.module_utils.paths import CRIO_DROP_INS
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import (
    read_drop_in,
    read_regular,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, refuse
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import CONFIG_PATH

# crio reads variables with this prefix as flags.
_VARIABLE = "CONTAINER_"
_PINNED = ("crio", "image", "pinnedimages")
# crio config prints a key with its default as a comment.
_TABLE = re.compile(r"(?:# )?\[([\w.\"/-]+)\]")
_KEY = re.compile(r"(?:# )?(\w+) = (.*)")
from ansible_collections.cruntime.node.plugins.module_utils.services import Start


class CrioEffective(Effective):
    def find_config_place(self) -> str:
        return CRIO_DROP_INS

    def list_read_files(self, start: Start) -> list[str]:
        main = command_line.find_flag(start.argv, "config", "c") or CONFIG_PATH
        paths = [main, CRIO_DROP_INS]
        for directory, directories, names in os.walk(CRIO_DROP_INS):
            paths += [os.path.join(directory, name) for name in sorted([*directories, *names])]
        return paths

    def read_filed(self, start: Start, path: str) -> Leaves:
        with _place(path) as flags:
            variables = {
                name: value
                for name, value in start.environment.items()
                if name.startswith(_VARIABLE)
            }
            result = self._runner.run("crio", *start.argv[1:], *flags, "config", env=variables)
        if result.rc != 0:
            raise describe_refusal(result, *flags[1:])
        return parse_config(result.out)

    def read_running(self, argv: list[str]) -> Leaves:
        text = crio_api.config(self._runtime.socket_path, self._runtime.request_timeout)
        leaves = parse_running(text, self.equivalences)
        # CRI-O adds the pause image to the list, and a reload empties the list.
        leaves.pop(_PINNED, None)
        return leaves

    def parse_desired(self, content: bytes, filed: Leaves) -> Tree:
        return dump.parse(content.decode())

    def find_source(self, difference: Difference, start: Start) -> Source:
        source = environment.find_start_source(self, normalize(difference.path), start)
        if source.kind:
            return source
        setting = re.compile(rf"^[ \t]*\"?{difference.path[-1]}\"?[ \t]*=", re.MULTILINE)
        for drop_in in reversed(_list_drop_ins()):
            with contextlib.suppress(OSError, CruntimeError):
                if setting.search(read_regular(drop_in).decode("utf-8", errors="replace")):
                    return Source("file", drop_in)
        return Source()

    def find_flag(self, path: Path, argv: list[str]) -> tuple[str, ...]:
        names = (word.partition("=")[0].lstrip("-") for word in argv if word.startswith("--"))
        return tuple(name for name in names if name.replace("-", "") == path[-1])[:1]

    def find_variable(self, path: Path, environment: dict[str, str]) -> str:
        wanted = normalize((_VARIABLE + path[-1],))
        return next((name for name in environment if normalize((name,)) == wanted), "")

    def list_drop_ins(self) -> list[str]:
        return _list_drop_ins()


@contextlib.contextmanager
def _place(path: str) -> Iterator[tuple[str, ...]]:
    """Yield the flags with which crio reads a staged drop-in in place of the present one."""
    if path == CRIO.config_path:
        for directory, _directories, names in os.walk(CRIO_DROP_INS):
            for name in names:
                # Reading a FIFO could block crio.
                read_drop_in(os.path.join(directory, name))
        yield ()
        return
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as directory:
        copy_drop_ins(directory)
        shutil.copy(path, os.path.join(directory, os.path.basename(CRIO.config_path)))
        yield ("--config-dir", directory)


def copy_drop_ins(directory: str) -> None:
    """Copy the files that CRI-O reads in its drop-in directory and below.

    :raises CruntimeError: if CRI-O could not read one of the files.
    """
    if os.path.islink(CRIO_DROP_INS):
        raise CruntimeError(
            f"{CRIO_DROP_INS}: unreadable drop-ins: the path is a link, and CRI-O does not start "
            "with a link. Replace the link with a directory, or with a bind mount of its target",
            reason="file_unreadable",
        )
    for source, directories, names in os.walk(CRIO_DROP_INS):
        copy = os.path.join(directory, os.path.relpath(source, CRIO_DROP_INS))
        for name in directories:
            os.mkdir(os.path.join(copy, name))
        for name in names:
            content = read_drop_in(os.path.join(source, name))
            atomic.write_new(os.path.join(copy, name), content, 0o600)


@parsing("GET /config")
def parse_running(text: str, equivalences: Equivalences) -> Leaves:
    """Parse the configuration of the running process."""
    return flatten(dump.parse(text), equivalences)


def parse_config(text: str) -> Leaves:
    """Parse C(crio config), in which a key with its default value is a comment.

    Strings are not escaped. A list has one item per line.
    """
    leaves: Leaves = {}
    table: Path = ()
    lines = iter(text.splitlines())
    for line in lines:
        found = _TABLE.fullmatch(line)
        if found:
            table = normalize(found[1].replace('"', "").split("."))
            continue
        found = _KEY.fullmatch(line)
        if found:
            value = _read_list(lines) if found[2] == "[" else _read_value(found[2])
            leaves[(*table, *normalize([found[1]]))] = value
    return leaves


def _read_list(lines: Iterator[str]) -> list[str]:
    items = []
    for line in lines:
        text = line.lstrip("# \t").rstrip(" ,")
        if text == "]":
            break
        items.append(_read_value(text))
    return items


def _read_value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    if text.startswith("[") and text.endswith("]"):
        return [_read_value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    return text[1:-1] if text[:1] == '"' and text[-1:] == '"' else text


def _list_drop_ins() -> list[str]:
    return [path for path in sorted(glob.glob(f"{CRIO_DROP_INS}/*")) if path != CRIO.config_path]


def describe_refusal(result: Result, drop_ins: str = CRIO_DROP_INS) -> CruntimeError:
    """Return the error for a failed C(crio config).

    :param drop_ins: the directory that crio read in place of its own.
    """
    problem = parse_refusal(result.err).replace(drop_ins, CRIO_DROP_INS)
    return refuse(CRIO.label, add_hint(problem), result)


def parse_refusal(log: str) -> str:
    """Return the fatal error in the log of C(crio config)."""
    errors = re.findall(r'level=(?:fatal|error) msg="(.*)"', log)
    return errors[-1].replace('\\"', '"') if errors else log.strip()


def add_hint(refusal: str) -> str:
    """Add the fix to an error message of CRI-O without one."""
    handler = re.search(r'default_runtime set to "(.+?)", but no runtime entry', refusal)
    if handler:
        refusal += (
            f". CRI-O has no built-in OCI runtime {handler.group(1)} on this node. Set its path in "
            "oci_runtimes, or set another oci_runtime"
        )
    return refusal
