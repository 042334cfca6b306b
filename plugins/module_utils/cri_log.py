# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the end of the log of a container, in the format of the CRI, and remove logs.

Each entry is a line C(TIME STREAM TAG TEXT). With the tag P, the next entry of the stream continues
the line; with the tag F, the line is complete. Source:
U(https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
"""

from __future__ import annotations

import contextlib
import glob
import os
from typing import NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular

#: Maximum number of bytes at the end of a file that are read. An entry without text has about 41.
LIMIT = 4 * 1024 * 1024
_BLOCK = 64 * 1024


class Line(NamedTuple):
    """Line that a container wrote.

    :param is_first: whether it is the first line of its stream in the data.
    :param is_complete: whether the container wrote the end of the line.
    """

    text: bytes
    is_first: bool
    is_complete: bool


def tail(path: str, count: int) -> str:
    """Return the last lines of both streams, in the order of their last entries.

    Only the last C(LIMIT) bytes of the file are read.

    :param count: number of lines.
    :raises OSError: if the file cannot be read.
    :raises CruntimeError: if the path is not a regular file.
    :raises ValueError: if the file has entries, but none in this format.
    """
    with open_regular(path) as handle:
        size = handle.seek(0, os.SEEK_END)
        span = _BLOCK
        while True:
            start = max(size - span, 0)
            handle.seek(start)
            # The container can still write.
            data = handle.read(size - start)
            if start:
                # The block can start within an entry.
                data = data.partition(b"\n")[2]
            lines = parse(data)[-count:]
            # The block can also start within the first line of each stream.
            is_enough = len(lines) == count and not any(line.is_first for line in lines)
            if start == 0 or span >= LIMIT or is_enough:
                break
            span = min(span * 4, LIMIT)
    if data and not lines:
        raise ValueError("no entry in the format of the CRI")
    text = b"".join(line.text + b"\n" for line in lines)
    if lines and not lines[-1].is_complete:
        text = text[:-1]
    return text.decode("utf-8", errors="replace")


def parse(data: bytes) -> list[Line]:
    """Return the lines in some entries, in the order of their last entries.

    Entries in another format are ignored.
    """
    lines: list[tuple[int, Line]] = []
    open_lines: dict[bytes, list[bytes]] = {}
    # By stream, the position of the last entry of a line without an end.
    positions: dict[bytes, int] = {}
    seen: set[bytes] = set()
    for position, entry in enumerate(data.split(b"\n")):
        parts = entry.split(b" ", 3)
        if len(parts) < 4:
            continue
        _time, stream, tags, text = parts
        open_lines.setdefault(stream, []).append(text)
        positions[stream] = position
        if tags.partition(b":")[0] != b"P":
            line = Line(b"".join(open_lines.pop(stream)), stream not in seen, True)
            lines.append((position, line))
            seen.add(stream)
    for stream, texts in open_lines.items():
        lines.append((positions[stream], Line(b"".join(texts), stream not in seen, False)))
    return [line for _position, line in sorted(lines, key=lambda item: item[0])]


def remove(path: str) -> None:
    """Remove a log and its rotated files, if possible.

    :param path: path of the log, empty if the container has none.
    """
    if not path:
        return
    for each in (path, *glob.glob(f"{glob.escape(path)}.*")):
        with contextlib.suppress(OSError):
            os.remove(each)
