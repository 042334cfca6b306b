# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the files of a spec, and find the options that its runtime does not support.

If a file depends on facts of the node, it is rendered for each kind of node, and the node selects
its file. Therefore a run takes one round trip.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, Iterable, Iterator, Sequence

from ansible_collections.cruntime.node.plugins.module_utils import cni, oci_runtimes
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import needs_adapter
from ansible_collections.cruntime.node.plugins.module_utils.oci_runtimes import RUNC_SHIM
from ansible_collections.cruntime.node.plugins.module_utils.paths import (
    CRICTL_CONFIG,
    find_service_drop_in,
)
from ansible_collections.cruntime.node.plugins.module_utils.redaction import has_secrets
from ansible_collections.cruntime.node.plugins.module_utils.rendered import marker
from ansible_collections.cruntime.node.plugins.plugin_utils import (
    containerd,
    crio,
    deciding,
    docker,
    extra_config,
    kubernetes,
    registries,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import (
    File,
    Node,
    Refusal,
    Rendering,
    Spec,
)

RENDERINGS: dict[str, Rendering] = {
    each.identity.name: each for each in (containerd.RENDERING, crio.RENDERING, docker.RENDERING)
}
# Facts of a node that complete the content of a file.
_MARKERS = (cni.BIN_DIR_FACT,)


def render(spec: Spec) -> list[dict[str, Any]]:
    """Render every file of a spec.

    :param spec: a spec without problems, see C(spec.find_problems).
    :return: dicts with C(path); C(when), a list of facts of nodes that the file is for; C(restart),
        whether a unit reads the file only when it starts; C(content), or C(link), the target of a
        symbolic link on the node; or C(refusals), why such a node does not support the spec. If
        they apply: C(secret), only root may read the file, and no output shows it; C(shared),
        whether foreign keys stay in a JSON file; C(unit), the unit that reads the file, if that is
        not the service of the runtime; C(facts), the facts of the node whose markers are in the
        content; C(onto), the fact into whose JSON text the content is merged; C(unasked), the paths
        of the keys that no option sets.
    :raises SpecError: if extra_config conflicts with another option.
    """
    rendering = RENDERINGS[spec["runtime"]]
    full = complete(spec)
    files = [
        *rendering.find_files(full),
        *_find_proxy_files(full["proxy"], rendering.identity.service),
        *_find_service_files(full["service"], rendering, full),
        *_find_crictl_files(rendering, full),
    ]
    return [
        *_render_config(rendering, spec),
        *(rendered for file in files for rendered in _render_file(rendering, file)),
    ]


def find_refusals(spec: Spec) -> Iterator[Refusal]:
    """Yield the parts of a spec that its runtime does not support, or only on some nodes.

    :param spec: a spec whose Kubernetes version can be parsed.
    """
    rendering, full = RENDERINGS[spec["runtime"]], complete(spec)
    handlers = {*rendering.handlers, *(handler["name"] for handler in full["oci_runtimes"])}
    if full["oci_runtime"] is not None and full["oci_runtime"] not in handlers:
        yield Refusal(
            "oci_runtime",
            f"oci_runtime must be {' or '.join(rendering.handlers)} with runtime "
            f"{spec['runtime']}, or a name in oci_runtimes, not {full['oci_runtime']!r}",
        )
    yield from rendering.find_refusals(full)


def complete(spec: Spec) -> Spec:
    """Return a spec with derived values and normalized names."""
    return dict(
        spec,
        sandbox_image=kubernetes.find_sandbox_image(spec),
        # For OCI runtimes with the command line of runc, no runtime needs the name of the shim.
        oci_runtimes=[
            dict(handler, shim=None if handler["shim"] == RUNC_SHIM else handler["shim"])
            for handler in oci_runtimes.named(spec)
        ],
        oci_runtime=oci_runtimes.default(spec),
        registries=registries.normalize(spec["registries"]),
    )


def _render_config(rendering: Rendering, spec: Spec) -> Iterator[dict[str, Any]]:
    """Render the configuration file of the runtime for each kind of node."""
    full = complete(spec)
    versions = rendering.identity.versions
    late = [refusal for refusal in rendering.find_refusals(full) if refusal.depends_on_node]
    facts = dict.fromkeys((*rendering.facts, *(each.without for each in late if each.without)))
    texts: dict[str, list[Node]] = {}
    refused: dict[tuple[str, ...], list[Node]] = {}
    for node in _list_nodes(rendering, spec["cgroup_driver"], facts):
        messages = [each.message for each in late if _is_refused(each, node, versions)]
        if messages:
            refused.setdefault(tuple(messages), []).append(node)
        else:
            texts.setdefault(rendering.render(full, node), []).append(node)
    base = {"path": rendering.identity.config_path, "restart": True}
    for refusals, nodes in refused.items():
        yield {**base, "refusals": list(refusals), "when": nodes}
    marks: dict[str, Any] = {}
    shared = rendering.is_shared(full)
    if shared is not None:
        marks["shared"] = shared
    parse = functools.partial(_parse, rendering)
    for content, nodes in _merge_extra_config(rendering, spec, texts):
        marks["unasked"] = [
            path
            for path in deciding.list_unasked(parse, spec, nodes[0])
            if not any(path[: len(needed)] == needed for needed in rendering.find_owned(full))
        ]
        finished = _finish(rendering.format.validate, content, rendering.is_secret(full))
        yield {**base, **finished, "when": nodes, **marks}


def _is_refused(refusal: Refusal, node: Node, versions: Sequence[str]) -> bool:
    """Return whether a refusal applies to a kind of node."""
    if refusal.without and not node[refusal.without]:
        return True
    first = versions.index(refusal.before) if refusal.before else 0
    return versions.index(node["version_range"]) < first


def _merge_extra_config(
    rendering: Rendering, spec: Spec, texts: dict[str, list[Node]]
) -> list[tuple[str, list[Node]]]:
    """Merge extra_config into each text.

    :raises SpecError: if extra_config conflicts with another option on any kind of node.
    """
    if not spec["extra_config"]:
        return list(texts.items())
    full, parse = complete(spec), functools.partial(_parse, rendering)
    merged, problems = [], []
    for text, extra, nodes in _group_by_extra(rendering, full, texts):
        find_option = functools.partial(deciding.find_option, parse, spec, nodes[0])
        placed = {**full, "extra_config": extra}
        try:
            merged.append((extra_config.merge(rendering, placed, text, find_option), nodes))
        except SpecError as error:
            if error.reason == "library_not_found":
                raise
            problems += error.problems
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return merged


def _group_by_extra(
    rendering: Rendering, spec: Spec, texts: dict[str, list[Node]]
) -> Iterator[tuple[str, Spec, list[Node]]]:
    """Yield each text and extra_config, with the nodes that have both."""
    for text, nodes in texts.items():
        groups: list[tuple[Spec, list[Node]]] = []
        for node in nodes:
            extra = rendering.find_extra(spec, node)
            same = next((group for found, group in groups if found == extra), None)
            if same is None:
                groups.append((extra, [node]))
            else:
                same.append(node)
        yield from ((text, extra, group) for extra, group in groups)


def _parse(rendering: Rendering, spec: Spec, node: Node) -> Any:
    """Render the configuration file of a spec, and parse it."""
    return rendering.format.validate(rendering.render(complete(spec), node))


def _list_nodes(rendering: Rendering, driver: str, names: Iterable[str]) -> Iterator[Node]:
    """Yield each kind of node for which the configuration file can differ.

    :param names: the names of the boolean facts on which it depends.
    """
    drivers = ["systemd", "cgroupfs"] if driver == "auto" else [driver]
    names = list(names)
    answers = ((True, False) for _name in names)
    for version, each, *facts in itertools.product(rendering.identity.versions, drivers, *answers):
        yield {
            "version_range": version,
            "cgroup_driver": each,
            **dict(zip(names, facts)),
        }


def _render_file(rendering: Rendering, file: File) -> Iterator[dict[str, Any]]:
    """Render an additional file for each range of versions in which it differs."""
    base: dict[str, Any] = {"path": file.path, "restart": file.restart}
    if file.link:
        yield {**base, "link": file.link, "when": [{}]}
        return
    texts: dict[str, list[Node]] = {}
    versions = rendering.identity.versions
    for version in versions[versions.index(file.since) if file.since else 0 :]:
        text = rendering.render_template(file.template, file.variables, version)
        texts.setdefault(text, []).append({"version_range": version})
    for text, nodes in texts.items():
        marks = {name: getattr(file, name) for name in ("unit", "onto") if getattr(file, name)}
        when = nodes if file.since or len(texts) > 1 else [{}]
        finished = _finish(file.format.validate, text, file.secret)
        yield {**base, **finished, "when": when, **marks}


def _finish(validate: Any, content: str, is_secret: bool) -> dict[str, Any]:
    """Validate the content of a file; return it with its marks.

    :param is_secret: whether the content is known to contain secrets. Free text can contain some.
    """
    validate(content)
    facts = [name for name in _MARKERS if marker(name) in content]
    return {
        "content": content,
        **({"facts": facts} if facts else {}),
        **({"secret": True} if is_secret or has_secrets(content) else {}),
    }


def _find_crictl_files(rendering: Rendering, spec: Spec) -> Iterable[File]:
    # Without its adapter, nothing listens on the CRI socket.
    if not rendering.identity.adapters or needs_adapter(spec):
        socket = spec["socket"] or rendering.identity.socket_path
        yield File(CRICTL_CONFIG, "crictl.yaml.j2", {"socket": socket}, restart=False)


def _find_proxy_files(proxy: dict[str, Any], unit: str) -> Iterable[File]:
    if not any(proxy.values()):
        return []
    # systemd reads only files named *.conf in this directory.
    path = f"/etc/systemd/system/{unit}.d/50-cruntime-proxy"
    hosts = [host.strip(" ") for host in proxy["no_proxy"]]
    return [
        File(f"{path}.env", "systemd/proxy.env.j2", {**proxy, "no_proxy": hosts}, secret=True),
        File(f"{path}.conf", "systemd/proxy.conf.j2", {"environment_file": f"{path}.env"}),
    ]


def _find_service_files(
    service: dict[str, Any], rendering: Rendering, spec: Spec
) -> Iterator[File]:
    if not any(value not in (None, {}) for value in service.values()):
        return
    adapters = rendering.identity.adapters if needs_adapter(spec) else ()
    for unit in (rendering.identity.service, *adapters):
        if unit.endswith(".service"):
            path = find_service_drop_in(unit)
            environment_file = f"{path[: -len('.conf')]}.env"
            variables = {**service, "environment_file": environment_file}
            reader = unit if unit in adapters else ""
            yield File(path, "systemd/service.conf.j2", variables, unit=reader)
            if service["environment"]:
                template = "systemd/service.env.j2"
                yield File(environment_file, template, variables, secret=True, unit=reader)


def check(spec: Spec, problems: Iterable[str]) -> None:
    """Check that a runtime supports a spec in some version.

    :param problems: problems of the spec that were found before.
    :raises SpecError: if there are problems or refusals. The message has all of them.
    """
    problems = list(problems)
    if spec["kubernetes_version"] and kubernetes.parse_version(spec["kubernetes_version"]) is None:
        spec = dict(spec, kubernetes_version=None)
    refusals = [each.message for each in find_refusals(spec) if not each.depends_on_node]
    if problems or refusals:
        reason = "option_invalid" if problems else "option_unsupported"
        raise SpecError(*problems, *refusals, reason=reason)
