# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the option that sets a key of a configuration file.

There is no table of these options, because a table can differ from the template. An option sets a
key if the rendered key is different without the option.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Iterator

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import find_leaves
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import look_up
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import Node, Path, Spec

#: Returns the parsed configuration file of a spec on a kind of node.
Parse = Callable[[Spec, Node], Any]

# Options that set no key, or that the caller handles.
_KEPT = ("runtime", "state", "cgroup_driver", "extra_config")
_OTHER_DRIVER = {"systemd": "cgroupfs", "cgroupfs": "systemd"}


def list_unasked(parse: Parse, spec: Spec, node: Node) -> list[Path]:
    """Return the paths of the keys that the collection writes although no option sets them.

    The cgroup driver counts as set, because the kubelet must use the same one.

    :param parse: renders and parses the configuration file.
    :param spec: the spec as the user wrote it, with defaults.
    """
    bare = _defaults(spec)
    other = {"cgroup_driver": _OTHER_DRIVER[node["cgroup_driver"]]}
    written = parse(spec, node)
    trees = (parse(bare, node), parse({**bare, **other}, {**node, **other}))
    return [
        path
        for path, value in find_leaves(written)
        if all(look_up(tree, path) == value for tree in trees)
    ]


def find_option(parse: Parse, spec: Spec, node: Node, path: Path) -> str | None:
    """Return the option that sets a key, None if the collection writes the key by itself.

    :param parse: renders and parses the configuration file.
    :param spec: the spec as the user wrote it, with defaults.
    """
    found = look_up(parse(spec, node), path)
    other = {"cgroup_driver": _OTHER_DRIVER[node["cgroup_driver"]]}
    if look_up(parse({**spec, **other}, {**node, **other}), path) != found:
        return "cgroup_driver"
    set_options = dict(_list_set_options(spec))
    for option, default in set_options.items():
        if look_up(parse({**spec, **default}, node), path) != found:
            return option
    bare = _defaults(spec)
    if look_up(parse(bare, node), path) == found:
        return None
    # Several options can set the same value, for example oci_runtime and gpus.
    for option, default in set_options.items():
        alone = {**bare, **{name: spec[name] for name in default}}
        if look_up(parse(alone, node), path) == found:
            return option
    return " and ".join(set_options)


def _list_set_options(spec: Spec) -> Iterator[tuple[str, Spec]]:
    """Yield each option that is not at its default, with a change that sets it to the default."""
    for name, default in _defaults(spec).items():
        value = spec[name]
        if value == default:
            continue
        if isinstance(value, dict) and isinstance(default, dict) and default.keys() == value.keys():
            for key in value:
                if value[key] != default[key]:
                    yield f"{name}.{key}", {name: {**value, key: default[key]}}
        else:
            yield name, {name: default}


def _defaults(spec: Spec) -> Spec:
    """Return the spec with all options at their defaults, except the options in C(_KEPT)."""
    kept = {name: spec[name] for name in _KEPT}
    return {**{name: default for name, default in _list_defaults() if name in spec}, **kept}


@functools.lru_cache(maxsize=None)
def _list_defaults() -> tuple[tuple[str, Any], ...]:
    minimal: dict[str, Any] = {"runtime": "containerd"}
    validated = ArgumentSpecValidator(options.ENABLE).validate(minimal)
    return tuple(validated.validated_parameters.items())
