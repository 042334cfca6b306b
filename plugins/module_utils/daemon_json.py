# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge Docker's daemon.json with the keys that other tools wrote. Pure functions.

Tables merge key by key at any depth. A list is one value, except the lists in C(_ENTRY_NAMES),
whose entries are independent of each other: these merge like tables, by the name of the entry.
A path is therefore a list of keys that may end with the name of a list's entry.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, Iterator, Tuple

Path = Tuple[str, ...]
Table = Dict[str, Any]

# Limit for the depth of nesting. No real file is deeper, and Python has a similar limit.
_MAX_DEPTH = 100


def _option_name(entry: str) -> str:
    return entry.partition("=")[0]


#: By path, the name of an entry in a list whose entries are independent of each other.
_ENTRY_NAMES: dict[Path, Callable[[str], str]] = {
    ("insecure-registries",): str,
    ("exec-opts",): _option_name,
    ("labels",): _option_name,
}

#: Keys of a handler in C(runtimes) that dockerd rejects next to this key.
_EXCLUDED = {"path": ("runtimeType", "options"), "runtimeType": ("path", "runtimeArgs")}


def parse(content: bytes) -> Table:
    """Parse a JSON object like dockerd. An empty file has no keys.

    :raises ValueError: if the content is not a JSON object, or if a merge could lose a part of it.
    """
    try:
        text = content.decode("utf-8-sig")
        data = _decode(text) if text.strip() else {}
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("it does not contain a JSON object")
    if _is_deeper(data, _MAX_DEPTH):
        raise ValueError("it is nested too deeply")
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it contains a lone surrogate") from None
    return data


def dump(data: Table) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()


def merge(found: Table, rendered: Table, managed: Iterable[Path] = ()) -> Table:
    """Return the rendered keys together with the found keys that other tools wrote.

    :param managed: paths of the found keys that an earlier run wrote.
    """
    log_driver = found.get("log-driver", "json-file")
    foreign = remove(found, managed)
    if rendered.get("log-driver", log_driver) != log_driver:
        # Another log driver rejects these options.
        foreign.pop("log-opts", None)
    return _merge_tables(foreign, rendered, ())


def merge_lists(path: Path, found: Any, added: Any) -> list[Any] | None:
    """Return the merged list; None if the lists at this path do not merge."""
    name = _ENTRY_NAMES.get(path)
    if name is None or not (_is_list_of_strings(found) and _is_list_of_strings(added)):
        return None
    replaced = {name(entry) for entry in added}
    return [*(entry for entry in found if name(entry) not in replaced), *added]


def remove(found: Table, paths: Iterable[Path]) -> Table:
    """Return a copy without these paths, and without tables and lists that become empty."""
    copy: Table = _copy(found)
    for path in paths:
        _remove(copy, path, ())
    return copy


def list_paths(data: Table) -> list[Path]:
    """Return the path of every value. Empty tables and lists are omitted: tools can fill them."""
    return [path for path, _value in _leaves(data, ())]


def find_dropped(before: Table, after: Table) -> dict[Path, Any]:
    """Return the keys that are in one file and not in another file, each with its value.

    If the entries of a list are independent, its value is a list of the missing entries.
    """
    kept = set(list_paths(after))
    dropped: dict[Path, Any] = {}
    for path, value in _leaves(before, ()):
        if path[:-1] not in _ENTRY_NAMES:
            if not _has(after, path):
                dropped[path] = value
        elif path not in kept:
            dropped.setdefault(path[:-1], []).append(value)
    return dropped


def _decode(text: str) -> Any:
    def reject_constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    def read_float(word: str) -> float:
        number = float(word)
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{word} is too large")
        return number

    def read_table(pairs: list[tuple[str, Any]]) -> Table:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _value in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"it has the key {json.dumps(twice)} twice")
        return table

    return json.loads(
        text,
        object_pairs_hook=read_table,
        parse_float=read_float,
        parse_constant=reject_constant,
    )


def _is_deeper(data: Any, limit: int) -> bool:
    level = [data]
    for _depth in range(limit):
        nested = [value for value in level if isinstance(value, (dict, list))]
        level = [
            inner
            for value in nested
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


def _merge_tables(found: Table, rendered: Table, path: Path) -> Table:
    excluded: set[str] = set()
    if path[:-1] == ("runtimes",):
        excluded = {key for own in rendered for key in _EXCLUDED.get(own, ())}
    merged = {
        key: value for key, value in found.items() if key not in rendered and key not in excluded
    }
    for key, value in rendered.items():
        merged[key] = _merge_values(found.get(key), value, (*path, key))
    return merged


def _merge_values(found: Any, rendered: Any, path: Path) -> Any:
    if isinstance(found, dict) and isinstance(rendered, dict):
        return _merge_tables(found, rendered, path)
    merged = merge_lists(path, found, rendered)
    return rendered if merged is None else merged


def _remove(table: Table, path: Path, above: Path) -> None:
    key, rest = path[0], path[1:]
    if key not in table:
        return
    if not rest:
        del table[key]
        return
    inner = table[key]
    if not inner:
        return
    here = (*above, key)
    if isinstance(inner, dict):
        _remove(inner, rest, here)
    elif here in _ENTRY_NAMES and _is_list_of_strings(inner):
        name = _ENTRY_NAMES[here]
        inner = table[key] = [entry for entry in inner if name(entry) != rest[0]]
    if not inner:
        del table[key]


def _leaves(data: Table, above: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in data.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield from _leaves(value, path)
        elif path in _ENTRY_NAMES and _is_list_of_strings(value):
            for entry in value:
                yield (*path, _ENTRY_NAMES[path](entry)), entry
        else:
            yield path, value


def _has(data: Any, path: Path) -> bool:
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _copy(value: Any) -> Any:
    """Copy tables; nothing else is changed in place."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return value
