# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the responses that Docker Engine streams: messages, and the logs of containers.

Pure functions. They raise ValueError if a stream is not in the expected format.
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Iterator

# Maximum length of a message, in bytes.
_LIMIT = 1024 * 1024
# Type of the stream, three zero bytes, and the length of the content.
_HEADER = 8
_STDOUT_AND_STDERR = (1, 2)


def read_documents(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream, one from each line."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from map(_parse, filter(bytes.strip, lines))
        if len(rest) > _LIMIT:
            raise ValueError(f"a line of more than {_LIMIT} bytes")
    if rest.strip():
        yield _parse(rest)


def _parse(line: bytes) -> dict[str, Any]:
    document = json.loads(line)
    if not isinstance(document, dict):
        raise ValueError(f"{type(document).__name__} instead of dict")
    return document


def find_error(document: dict[str, Any]) -> str:
    """Return the error in a message of an operation, empty if there is none."""
    detail = document.get("errorDetail")
    message = detail.get("message") if isinstance(detail, dict) else ""
    return str(message or document.get("error") or "").strip()


def find_message(document: dict[str, Any]) -> list[str]:
    """Return the text in a message of an operation; empty if it is the progress of a layer."""
    text = "" if document.get("id") else document.get("status") or document.get("stream")
    return [str(text).strip()] if text else []


def read_frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of the frames of a log, with both streams in order.

    :raises ValueError: if the log ends with an error of Docker, or in the middle of a frame.
    """
    buffer, left, kind = bytearray(), 0, 0
    for piece in pieces:
        buffer += piece
        while len(buffer) >= (1 if left else _HEADER):
            if not left:
                kind, left = buffer[0], int.from_bytes(buffer[4:_HEADER], "big")
                del buffer[:_HEADER]
                continue
            content = bytes(buffer[:left])
            del buffer[: len(content)]
            left -= len(content)
            if kind not in _STDOUT_AND_STDERR:
                raise ValueError(content.decode("utf-8", errors="replace"))
            yield content
    if buffer or left:
        raise ValueError("the log ends in the middle of a frame")


def keep_last(pieces: Iterable[bytes], size: int) -> bytes:
    """Return the last bytes of a stream of any length."""
    kept = bytearray()
    for piece in pieces:
        kept += piece
        if len(kept) > 2 * size:
            del kept[:-size]
    return bytes(kept[-size:])
