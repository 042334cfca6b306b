# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types for the files and the refusals of a runtime."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Tuple

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import Identity
from ansible_collections.cruntime.node.plugins.plugin_utils import formats
from ansible_collections.cruntime.node.plugins.plugin_utils.formats import TEXT, Format

#: A spec with all options, as the argument spec fills it in.
Spec = Dict[str, Any]
#: Facts of a kind of node: C(version_range), C(cgroup_driver) and the facts of C(Rendering.facts).
Node = Dict[str, Any]
#: Returns whether the runtime of a node has a version of the identity, or a newer one.
AtLeast = Callable[[str], bool]
#: Keys that lead to a value in a file.
Path = Tuple[str, ...]


class Refusal(NamedTuple):
    """Part of a spec that a runtime does not support.

    :param option: the option.
    :param message: sentence for the user.
    :param before: first version of the runtime that supports it.
    :param without: boolean fact of the nodes that support it, empty if it does not matter.
    """

    option: str
    message: str
    before: str | None = None
    without: str = ""

    @property
    def depends_on_node(self) -> bool:
        return bool(self.before or self.without)


class File(NamedTuple):
    """File in addition to the configuration file of a runtime.

    :param template: template of the content, empty for a link.
    :param variables: variables of the template.
    :param link: target of a symbolic link on the node.
    :param restart: whether a unit reads the file only when it starts.
    :param secret: whether only root can read the file, and no output shows it.
    :param unit: unit that reads the file, empty for the service of the runtime.
    :param since: first version of the runtime that reads the file, empty for all versions.
    :param onto: fact of the node with a JSON text into which the content is merged, empty for none.
    """

    path: str
    template: str = ""
    variables: Mapping[str, Any] = types.MappingProxyType({})
    link: str = ""
    format: Format = TEXT
    restart: bool = True
    secret: bool = False
    unit: str = ""
    since: str = ""
    onto: str = ""


def _replace_list(path: Path, found: Any, added: Any) -> None:
    """Return None, because a list of extra_config replaces the rendered list."""


@dataclasses.dataclass(frozen=True)
class Rendering:
    """Templates and functions with which the controller renders the files of a runtime.

    :param template: template of the configuration file, into which extra_config is merged.
    :param format: format of the configuration file.
    :param handlers: OCI runtimes that exist without an entry in oci_runtimes.
    :param find_variables: returns variables of the template in addition to the spec. Its second
        argument is C(at_least) of the template.
    :param find_files: yields all other files.
    :param find_refusals: yields the parts of a spec that the runtime does not support.
    :param find_owned: returns the paths that extra_config must not set, each with its owner.
    :param merge_lists: returns the list at a path with the entries of extra_config added, None if
        the list of extra_config replaces it.
    :param place_extra: returns extra_config with each key where the version reads it. Its second
        argument is C(at_least) of the template.
    :param is_shared: returns whether foreign keys stay in the configuration file, None if the
        collection is the only writer.
    :param is_secret: returns whether the configuration file contains a secret.
    :param facts: boolean facts of a node that change the configuration file.
    """

    identity: Identity
    template: str
    format: Format
    handlers: tuple[str, ...]
    find_variables: Callable[[Spec, AtLeast], Spec]
    find_files: Callable[[Spec], Iterator[File]]
    find_refusals: Callable[[Spec], Iterator[Refusal]]
    find_owned: Callable[[Spec], dict[Path, str]] = lambda spec: {}
    merge_lists: Callable[[Path, Any, Any], list[Any] | None] = _replace_list
    place_extra: Callable[[Spec, AtLeast], Spec] = lambda spec, at_least: spec["extra_config"]
    is_shared: Callable[[Spec], bool | None] = lambda spec: None
    is_secret: Callable[[Spec], bool] = lambda spec: False
    facts: tuple[str, ...] = ()

    def render(self, spec: Spec, node: Node) -> str:
        """Render the configuration file for a kind of node, without extra_config.

        :param spec: a complete spec.
        """
        version_range = node["version_range"]
        variables = self.find_variables(spec, self._bind_at_least(version_range))
        return self.render_template(self.template, {**spec, **variables, **node}, version_range)

    def find_extra(self, spec: Spec, node: Node) -> Spec:
        """Return extra_config as a kind of node reads it.

        :param spec: a complete spec.
        """
        return self.place_extra(spec, self._bind_at_least(node["version_range"]))

    def render_template(
        self, template: str, variables: Mapping[str, Any], version_range: str
    ) -> str:
        """Render a template, which can call C(at_least) with a version of the identity.

        :param version_range: range of versions of the node, see C(Identity.find_range).
        """
        at_least = self._bind_at_least(version_range)
        return formats.render(template, {**variables, "at_least": at_least})

    def _bind_at_least(self, version_range: str) -> AtLeast:
        versions = self.identity.versions

        def at_least(version: str) -> bool:
            # If the identity does not declare the version, the template is wrong.
            return versions.index(version) <= versions.index(version_range)

        return at_least


def refuse_base_specs(spec: Spec) -> Iterator[Refusal]:
    """Yield the refusals of a runtime that has no base OCI specs."""
    for handler in spec["oci_runtimes"]:
        if handler["base_spec"]:
            yield Refusal(
                "oci_runtimes",
                f"oci_runtimes: {handler['name']}: base_spec is not supported with runtime "
                f"{spec['runtime']}. Remove it, or use containerd",
            )
