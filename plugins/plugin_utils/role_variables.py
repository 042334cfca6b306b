# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of the roles. Pure functions, which raise SpecError."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Iterable

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.known_variables import find_misspelt

_SPECS = os.path.join(
    *(os.path.dirname(__file__), "..", "..", "roles", "runtime", "meta", "argument_specs.yml")
)
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:-]*(=[^=\s\\]+)?")
_VERSION = re.compile(r"[^=\s\\]*")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_URL = re.compile("[a-z]+://")
_REMOTE_URL = re.compile("(?!file:)[a-z]+://")
_COLLECTIONS = {"list": list, "dict": dict}


def load_options() -> dict[str, Any]:
    """Return the argument spec of the variables, which is also their documentation."""
    with open(_SPECS, encoding="utf-8") as specs:
        options: dict[str, Any] = yaml.load(specs, _LOADER)["argument_specs"]["main"]["options"]
    return options


# The loader in C is ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_names(names: Iterable[str]) -> None:
    """Check that no name of a variable is misspelt, because Ansible ignores such a variable."""
    misspelt = [
        f"{name}: unknown variable: the name is close to {variable}. Rename it"
        for name, variable in find_misspelt(names)
    ]
    if misspelt:
        raise SpecError(*misspelt)


def validate(options: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Check the variables of the role, and return their values with the types of its argument spec.

    :param options: the argument spec.
    :param given: values of the variables that are set.
    """
    check_spec("runtime_spec", given.get("runtime_spec"), "applies this spec to the node")
    _check_state(given["runtime_spec"])
    _check_collections(options, given)
    _check_version(given.get("runtime_version", ""))
    validation = ArgumentSpecValidator(options).validate(given)
    if validation.errors.errors:
        raise SpecError(*dict.fromkeys(error.msg for error in validation.errors.errors))
    values: dict[str, Any] = validation.validated_parameters
    _check_packages(values)
    _check_repositories(values["runtime_repositories"])
    _check_crictl(values["runtime_crictl_archive"], values["runtime_crictl_checksum"])
    return values


def check_spec(name: str, spec: Any, use: str) -> None:
    """Check that a variable is a spec with a supported runtime.

    :param name: name of the variable.
    :param use: what the role does with the spec, for the error message.
    :raises SpecError: if it is not.
    """
    if spec is None:
        raise SpecError(
            f"{name}: not set: the role {use}. Set it in the inventory, for example "
            f"{name}: {{runtime: containerd}}"
        )
    if not isinstance(spec, dict):
        raise SpecError(f"{name}: not a dictionary. Write it as {{runtime: containerd}}")
    runtime = spec.get("runtime")
    if runtime not in RUNTIMES:
        raise SpecError(
            f"{name}.runtime: {json.dumps(runtime) if runtime else 'not set'}: unknown runtime. "
            "Set it to containerd, crio or docker"
        )


def _check_state(spec: dict[str, Any]) -> None:
    if "state" in spec:
        raise SpecError(
            f"runtime_spec.state: {spec['state']} is not supported. Remove it from runtime_spec, "
            "and set runtime_state instead"
        )


def _check_collections(options: dict[str, Any], given: dict[str, Any]) -> None:
    """Check lists and dictionaries: Ansible accepts text, but does not convert the variable."""
    wrong = [
        name
        for name, option in options.items()
        if option["type"] in _COLLECTIONS and isinstance(given.get(name), str)
    ]
    if wrong:
        raise SpecError(
            f"{' and '.join(wrong)}: text in place of a list or dictionary. Write a list as "
            "[A, B], and a dictionary as {A: 1, B: 2}"
        )


def _check_version(version: Any) -> None:
    # YAML reads 1.30 as 1.3.
    if isinstance(version, float):
        raise SpecError(
            f"runtime_version: {version}: not text: YAML reads the value as a number. Put it in "
            "quotes"
        )
    if not _VERSION.fullmatch(str(version)):
        raise SpecError(
            f"runtime_version: {json.dumps(version)}: Must be a version without blanks. Correct it"
        )


def _check_packages(values: dict[str, Any]) -> None:
    listed = [*(values["runtime_packages"] or ()), *(values["runtime_extra_packages"] or ())]
    wrong = [name for name in listed if not _PACKAGE.fullmatch(name)]
    if wrong:
        raise SpecError(
            f"runtime_packages and runtime_extra_packages: {_join(wrong)}: Must be NAME or "
            "NAME=VERSION without blanks. Correct the list"
        )
    versioned = list(dict.fromkeys(name for name in listed if "=" in name))
    if len({name.partition("=")[0] for name in versioned}) < len(versioned):
        raise SpecError(
            f"runtime_packages and runtime_extra_packages: {', '.join(versioned)}: A package must "
            "not have two versions. Remove one of them"
        )
    others = (values["runtime_repositories"], values["runtime_version"], versioned)
    if values["runtime_package_dir"] and any(others):
        raise SpecError(
            f"runtime_package_dir: {values['runtime_package_dir']}: cannot be used with "
            "runtime_repositories, runtime_version or versions of packages, because the directory "
            "decides the versions. Remove these variables"
        )


def _check_repositories(repositories: list[dict[str, Any]]) -> None:
    names = [each["name"] for each in repositories]
    if len(set(names)) < len(names) or not all(map(_FILE_NAME.fullmatch, names)):
        raise SpecError(
            f"runtime_repositories: {_join(names)}: The names become names of files and must "
            "differ. Use letters, digits, dots, hyphens and underscores, and each name once"
        )
    unchecked = [
        each["name"]
        for each in repositories
        if _REMOTE_URL.match(each["key"] or "") and each["key_checksum"] is None
    ]
    if unchecked:
        raise SpecError(
            f"runtime_repositories: {', '.join(unchecked)}: a key with a URL requires a checksum, "
            "because packages are trusted that it signs. Set key_checksum, for example sha256:HEX"
        )


def _check_crictl(archive: str, checksum: str) -> None:
    if is_url(archive) and not checksum:
        raise SpecError(
            f"runtime_crictl_archive: {archive}: a URL requires a checksum. Set "
            "runtime_crictl_checksum, for example sha256:HEX"
        )


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def _join(names: list[str]) -> str:
    return ", ".join(map(json.dumps, names))
