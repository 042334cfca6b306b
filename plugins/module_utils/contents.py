# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the content of a path on the node: a file, a link or nothing."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple, Union

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular


class Link(NamedTuple):
    """Content of a symbolic link."""

    target: str


#: Content of a path; None if nothing exists there.
Content = Union[bytes, Link, None]


def read(path: str) -> tuple[Content, int | None]:
    """Return the content of a path and its last change, in nanoseconds since the epoch.

    :raises CruntimeError: if the path cannot be read as a file.
    """
    try:
        if os.path.islink(path):
            return Link(os.readlink(path)), os.lstat(path).st_mtime_ns
        return read_regular(path), os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise CruntimeError(
            f"{path}: unreadable file: {error.strerror}. Move it away and run the task again",
            reason="file_unreadable",
        ) from error


def json_object(content: Content) -> dict[str, Any] | None:
    """Return the JSON object in a file, None if the content is not a JSON object."""
    try:
        data = json.loads(content) if isinstance(content, bytes) else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def locate(path: str) -> str:
    """Return the path of a file without links in its directory. The file itself can be a link."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def leads_to(path: str, place: str) -> bool:
    """Return whether a path is a place (see C(locate)), or leads there through links."""
    here, seen = locate(path), set()
    while here not in seen:
        if here == place:
            return True
        seen.add(here)
        if os.path.islink(here):
            here = locate(os.path.join(os.path.dirname(here), os.readlink(here)))
    return False
