# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a value into any option of an argument spec."""

from __future__ import annotations

#: Values of the options that are required next to an option, by the path of their parent.
_BESIDE = {
    ("registries",): {"registry": "a.test"},
    ("registries", "mirrors"): {"url": "https://m.test"},
    ("oci_runtimes",): {"name": "x", "path": "/x"},
    ("container_logs",): {"max_size": "1m"},
    ("build",): {"context": "/srv/x"},
}
#: Options without which the option has no effect.
_NEEDED = {"username": {"password": "x"}, "password": {"username": "x"}}


def list_paths(spec, parent=()):
    """Return the path of each option that has no options of its own."""
    paths = []
    for name, option in spec.items():
        path = (*parent, name)
        paths += list_paths(option["options"], path) if "options" in option else [path]
    return paths


def find_option(path, spec):
    """Return the specification of an option."""
    for name in path[:-1]:
        spec = spec[name]["options"]
    return spec[path[-1]]


def plant(path, value, spec):
    """Return options in which the option of a path has this value."""
    return _plant(path, value, spec, ())


def _plant(path, value, spec, parent):
    name, *rest = path
    here = (*parent, name)
    if rest:
        value = {**_BESIDE.get(here, {}), **_plant(rest, value, spec[name]["options"], here)}
        if spec[name].get("elements") == "dict":
            value = [value]
    return {**(_NEEDED.get(name, {}) if not rest else {}), name: value}
