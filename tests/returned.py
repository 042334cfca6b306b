"""Compare the result of a module with its documented return values."""

from __future__ import annotations

import importlib
import re
from typing import Any, Iterator

import yaml

TYPES = {
    **{"bool": bool, "dict": dict, "float": float, "int": int},
    **{"list": list, "raw": object, "str": str},
}
# Keys that Ansible adds to results.
COMMON = {
    *("action", "changed", "deprecations", "diff", "exception", "failed", "invocation", "msg"),
    *("stderr_lines", "warnings"),
}
# The documentation describes one runtime as an example of the others.
SAME = {"crio": "containerd", "docker": "containerd"}


def page_of(module: str) -> dict[str, Any]:
    """Return the documented return values of a module."""
    name = f"ansible_collections.cruntime.node.plugins.modules.{module.rpartition('.')[2]}"
    page: dict[str, Any] = yaml.safe_load(importlib.import_module(name).RETURN)
    return page


def surprises(module: str, result: dict[str, Any]) -> list[str]:
    """Return the differences between a result and the documentation of its module."""
    own = {
        key: value
        for key, value in result.items()
        if key not in COMMON and not key.startswith("_ansible")
    }
    return list(_in_dict(page_of(module), own, ""))


def _in_dict(page: dict[str, Any], value: dict[str, Any], path: str) -> Iterator[str]:
    for key, inner in value.items():
        entry = page.get(SAME.get(key, key))
        if entry is None:
            yield f"{path}{key} is not documented"
        else:
            yield from _in_value(entry, inner, f"{path}{key}")


def _in_value(entry: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    if value is None:
        description = str(entry["description"])
        if not re.search("none|null", description) and entry["type"] != "raw":
            yield f"{path} is null, but its description does not mention null"
    elif not _is(value, entry["type"]):
        yield f"{path} is documented as {entry['type']}, but is {value!r}"
    else:
        items = value if isinstance(value, list) else [value]
        for item in items:
            if "contains" in entry:
                yield from _in_dict(entry["contains"], item, f"{path}.")
            elif not _is(item, entry.get("elements", "raw")):
                yield f"{path} is documented to hold {entry['elements']}, but holds {item!r}"


def _is(value: Any, name: str) -> bool:
    # In Python, a boolean is also an integer.
    return isinstance(value, TYPES[name]) and not (name == "int" and isinstance(value, bool))
