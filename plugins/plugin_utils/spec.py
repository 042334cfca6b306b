# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the problems of a spec that its argument spec does not find, before it is rendered."""

from __future__ import annotations

import math
import re
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import kubelet, redaction
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import is_reference
from ansible_collections.cruntime.node.plugins.module_utils.kubelet import PULLS_LIMITED_SINCE
from ansible_collections.cruntime.node.plugins.plugin_utils import kubernetes, registries
from ansible_collections.cruntime.node.plugins.plugin_utils.extra_config import dotted
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import (
    check_host,
    check_path,
    check_url,
    check_word,
    is_printable,
    split_port,
)
from ansible_collections.cruntime.node.plugins.plugin_utils.rendering import Spec

# Resource limits of setrlimit(2).
_ULIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc"),
    *("rss", "rtprio", "rttime", "sigpending", "stack"),
)
# Name of a slice. A hyphen separates a slice from its parent, and -.slice is the root.
_SLICE = re.compile(r"(?:-|[A-Za-z0-9_.:]+(?:-[A-Za-z0-9_.:]+)*)\.slice", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_MAX_INT32 = 2**31 - 1
# Defaults of the kubelet, which does not start unless the low limit is less than the high limit.
_GC_DEFAULTS = {"high_percent": 85, "low_percent": 80}
# Handler of a RuntimeClass.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# Host names, addresses, networks and ports, or * for all.
_NO_PROXY = re.compile(r"[A-Za-z0-9.*:/\[\]_-]+", re.ASCII)
# Path of a socket. It is used in URLs, and the kernel limits it to 107 bytes.
_SOCKET = re.compile(r"(?=.{2,107}\Z)(?:/[A-Za-z0-9._-]+)+", re.ASCII)


def find_unquoted(args: Any, spec_options: dict[str, Any], parent: str = "") -> Iterator[str]:
    """Yield the problems of options whose text is a number or a boolean in YAML.

    Ansible converts the value to text, which can differ from what the user wrote: 1.30 becomes 1.3.

    :param args: options of the task, before their validation.
    :param spec_options: argument spec of the options.
    :param parent: the option that contains these options.
    """
    for name, value in args.items() if isinstance(args, dict) else ():
        option = spec_options.get(name, {})
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items):
            path = f"{parent}{name}[{number}]" if isinstance(value, list) else f"{parent}{name}"
            if "options" in option:
                yield from find_unquoted(item, option["options"], f"{path}.")
            elif "str" in (option.get("type"), option.get("elements")) and isinstance(
                item, (bool, int, float)
            ):
                kind = "boolean" if isinstance(item, bool) else "number"
                yield f"{path}: not text: YAML reads the value as a {kind}. Put it in quotes"


def list_secrets(spec: Spec, spec_options: dict[str, Any]) -> Iterator[str]:
    """Yield the secrets of a spec that are long enough to be searched in text.

    :param spec: validated options.
    :param spec_options: argument spec of the options.
    """
    for name, option in spec_options.items():
        value = spec.get(name)
        if "options" in option:
            for item in value if isinstance(value, list) else [value or {}]:
                yield from list_secrets(item, option["options"])
            continue
        # Of the URL of a proxy, only the user is a secret.
        is_secret = option.get("no_log") and "://" not in str(value)
        found = redaction.list_secrets(("secret",) if is_secret else (), value)
        yield from filter(redaction.is_distinct, found)


def find_problems(spec: Spec) -> Iterator[str]:
    """Yield the problems of a spec that are the same for every runtime.

    :param spec: validated options, with defaults.
    """
    yield from _check_images(spec)
    yield from _check_cni(spec["cni"])
    yield from registries.check(spec["registries"])
    yield from _check_oci_runtimes(spec["oci_runtimes"], spec["ulimits"])
    yield from _check_proxy(spec["proxy"])
    yield from _check_storage(spec["storage"])
    if spec["metrics"] is not None:
        yield from _check_metrics(spec["metrics"])
    yield from _check_limits("ulimits", spec["ulimits"])
    yield from _check_service(spec)
    if spec["container_logs"] is not None:
        yield from _check_container_logs(spec["container_logs"])
    yield from _check_pulls(spec)
    yield from _check_gc(spec["image_gc"])
    if spec["socket"] is not None and not _SOCKET.fullmatch(spec["socket"]):
        yield (
            "socket must be an absolute path of at most 107 characters (letters, digits and "
            f". _ - /), not {spec['socket']!r}"
        )
    yield from _check_value("extra_config", spec["extra_config"], ())
    if spec["timeout"] < 1:
        yield f"timeout must be 1 or more seconds, not {spec['timeout']}"


def _check_images(spec: Spec) -> Iterator[str]:
    image, repository = spec["sandbox_image"], spec["image_repository"]
    if image is not None and not is_reference(image):
        yield (
            f"sandbox_image must be an image reference such as registry.k8s.io/pause:3.10, "
            f"not {image!r}"
        )
    if repository is not None and not is_reference(f"{repository}/pause:1"):
        yield f"image_repository must be a repository such as registry.k8s.io, not {repository!r}"
    if spec["kubernetes_version"] is not None:
        yield from kubernetes.check(spec)
    elif repository is not None and image is None:
        yield ("image_repository requires kubernetes_version or sandbox_image. Set one of them too")
    for image in spec["pinned_images"]:
        if not is_reference(image):
            yield f"pinned_images must be image references, not {image!r}"


def _check_cni(cni: dict[str, Any]) -> Iterator[str]:
    for path in cni["bin_dirs"]:
        yield from check_path("cni.bin_dirs", path)
    if cni["conf_dir"] is not None:
        yield from check_path("cni.conf_dir", cni["conf_dir"])


def _check_oci_runtimes(runtimes: list[dict[str, Any]], ulimits: dict[str, Any]) -> Iterator[str]:
    names = set()
    for number, runtime in enumerate(runtimes):
        option = f"oci_runtimes[{number}]"
        if not _LABEL.fullmatch(runtime["name"]):
            yield (
                f"{option}.name must be a DNS label, like the handler of a RuntimeClass, "
                f"not {runtime['name']!r}"
            )
        yield from check_path(f"{option}.path", runtime["path"])
        if runtime["shim"] is not None:
            yield from check_word(f"{option}.shim", runtime["shim"])
        yield from _check_value(f"{option}.base_spec", runtime["base_spec"], ())
        process = runtime["base_spec"].get("process", {})
        if not isinstance(process, dict):
            yield f"{option}.base_spec: process must be a dictionary"
        elif ulimits and "rlimits" in process:
            yield (
                f"{option}.base_spec: process.rlimits conflicts with ulimits, which sets the same "
                "limits. Remove one of the two"
            )
        if runtime["name"] in names:
            yield f"{option}: the OCI runtime {runtime['name']} is set twice. Remove one entry"
        names.add(runtime["name"])


def _check_proxy(proxy: dict[str, Any]) -> Iterator[str]:
    for name in ("http", "https"):
        if proxy[name] is not None:
            yield from check_url(
                f"proxy.{name}", proxy[name], ("http", "https", "socks5"), secret=True
            )
    for host in proxy["no_proxy"]:
        # A list in one text often has a blank after each comma.
        if not _NO_PROXY.fullmatch(host.strip(" ")):
            yield f"proxy.no_proxy must be hosts, domains or networks, not {host!r}"


def _check_storage(storage: dict[str, Any]) -> Iterator[str]:
    if storage["root"] is not None:
        yield from check_path("storage.root", storage["root"])
    if storage["driver"] is not None:
        yield from check_word("storage.driver", storage["driver"])


def _check_metrics(address: str) -> Iterator[str]:
    yield from check_host("metrics", address)
    if split_port(address)[1] is None:
        yield f"metrics must be an address with a port such as 127.0.0.1:1338, not {address!r}"


def _check_limits(option: str, limits: dict[str, Any]) -> Iterator[str]:
    for name, limit in limits.items():
        if name not in _ULIMITS:
            yield f"{option}: unknown limit {name!r}. Supported limits: {', '.join(_ULIMITS)}"
            continue
        if not isinstance(limit, dict) or set(limit) != {"soft", "hard"}:
            yield f"{option}.{name} must have the keys soft and hard, and no others"
            continue
        if not all(re.fullmatch("-1|[0-9]{1,18}", str(limit[side])) for side in limit):
            yield f"{option}.{name} must have integers, or -1 for no limit"
            continue
        soft, hard = int(limit["soft"]), int(limit["hard"])
        if hard != -1 and (soft == -1 or soft > hard):
            yield f"{option}.{name}: soft must not be greater than hard"


def _check_service(spec: Spec) -> Iterator[str]:
    service = spec["service"]
    yield from _check_limits("service.limits", service["limits"])
    name, adjust = service["slice"], service["oom_score_adjust"]
    if name is not None and not _SLICE.fullmatch(name):
        yield f"service.slice must be the name of a slice such as kube.slice, not {name!r}"
    if adjust is not None and not -1000 <= adjust <= 1000:
        yield f"service.oom_score_adjust must be from -1000 to 1000, not {adjust}"
    for variable, value in service["environment"].items():
        # The value can be a secret.
        if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
            yield f"service.environment: {variable!r} must be the name of a variable"
        elif variable.upper() in _PROXY_VARIABLES:
            yield f"service.environment.{variable} is set by the option proxy. Set it there"
        elif not isinstance(value, str) or not is_printable(value):
            yield (
                f"service.environment.{variable} must be text without control characters. Put a "
                "number or a boolean in quotes"
            )


def _check_container_logs(logs: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch("[1-9][0-9]{0,8}[kmg]?", logs["max_size"], re.ASCII):
        yield (
            f"container_logs.max_size must be a size such as 100m (k, m or g), "
            f"not {logs['max_size']!r}"
        )
    if logs["max_files"] is not None and logs["max_files"] < 1:
        yield "container_logs.max_files must be at least 1"


def _check_pulls(spec: Spec) -> Iterator[str]:
    parallel, kubernetes_version = spec["image_pulls"]["parallel"], spec["kubernetes_version"]
    if parallel is None:
        return
    if parallel < 1:
        yield f"image_pulls.parallel must be at least 1, not {parallel}"
    if parallel > _MAX_INT32:
        yield f"image_pulls.parallel must be at most {_MAX_INT32}, not {parallel}"
    is_known = kubernetes_version and kubernetes.parse_version(kubernetes_version)
    if parallel > 1 and is_known and kubelet.older(kubernetes_version, PULLS_LIMITED_SINCE):
        yield (
            f"image_pulls.parallel must be 1 with kubernetes_version {kubernetes_version}: the "
            "kubelet before 1.27 has no limit for parallel pulls. Update Kubernetes"
        )


def _check_gc(image_gc: dict[str, Any]) -> Iterator[str]:
    limits = dict(_GC_DEFAULTS)
    for name, value in image_gc.items():
        if value is not None:
            limits[name] = value
            if not 0 <= value <= 100:
                yield f"image_gc.{name} must be a percentage from 0 to 100, not {value}"
    if limits["low_percent"] >= limits["high_percent"]:
        yield (
            f"image_gc.low_percent must be less than image_gc.high_percent, but they are "
            f"{limits['low_percent']} and {limits['high_percent']}. Set both"
        )


def _check_value(option: str, value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the problems of values that TOML or JSON cannot express."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str) or not key:
                yield f"{option}: {dotted((*path, key))}: a key must be a string"
                continue
            yield from _check_value(option, inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _check_value(option, inner, path)
    elif value is None:
        yield (
            f"{option}: {dotted(path)} must not be null. "
            "Remove the key to use the default of the runtime"
        )
    elif not isinstance(value, (str, int, float)) or _is_endless(value):
        yield (
            f"{option}: {dotted(path)} must be a string, a finite number, a boolean, a list "
            "or a dictionary"
        )


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
