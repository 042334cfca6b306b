# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check and parse the options of a task on images. Pure functions."""

from __future__ import annotations

import os
import re
from typing import Any, Literal, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    is_reference,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import (
    Filters,
    canonical_name,
)
from ansible_collections.cruntime.node.plugins.module_utils.words import to_string

#: Options of cruntime_image.
OPTIONS = {
    "name": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "runtime": {"type": "str", "choices": ["containerd", "crio", "docker"]},
    "pull": {"type": "str", "choices": ["missing", "always", "never"]},
    "archive": {"type": "list", "elements": "path"},
    "source_image": {"type": "str"},
    "build": {
        "type": "dict",
        "options": {
            "context": {"type": "path", "required": True},
            "dockerfile": {"type": "str", "default": "Dockerfile"},
            "args": {"type": "dict", "default": {}},
            "options": {"type": "list", "elements": "str", "default": []},
        },
    },
    "preload": {"type": "path"},
    "platform": {"type": "str"},
    "verify_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "parallel": {"type": "int", "default": 4},
    "retries": {"type": "int", "default": 3},
    "pin": {"type": "bool"},
    "export_path": {"type": "path"},
    "export_mode": {"type": "str"},
    "push": {"type": "bool", "default": False},
    "insecure": {"type": "bool", "default": False},
    "prune": {
        "type": "dict",
        "options": {
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "untagged": {"type": "bool", "default": False},
            "older_than": {"type": "str"},
            "labels": {"type": "list", "elements": "str", "default": []},
        },
    },
    "all_tags": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 600},
}

#: The source of the images of a task.
Source = Literal["pull", "archive", "source_image", "build", "preload"]

_SOURCES: tuple[Source, ...] = ("archive", "source_image", "build", "preload")
# Options that state=absent does not support.
_PRESENT_ONLY = (
    *_SOURCES,
    "pull",
    "platform",
    "verify_keys",
    "pin",
    "export_path",
    "export_mode",
    "push",
    "prune",
)
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?", re.ASCII)
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MODE = re.compile(r"0[0-7]{3}", re.ASCII)
_AGE = re.compile(r"([0-9]+)([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Prune(NamedTuple):
    """Selection of the images to prune.

    :param age: minimum age of an image, in seconds; None for any age.
    :param labels: labels of an image with their values; None for any value.
    """

    filters: Filters
    age: int | None
    labels: tuple[tuple[str, str | None], ...] = ()


class Request(NamedTuple):
    """Valid options of a task.

    :param source: None if the images are removed.
    """

    names: list[str]
    source: Source | None
    options: dict[str, Any]
    credentials: Credentials | None
    prune: Prune | None


def parse(options: dict[str, Any]) -> Request:
    """Parse the options of a task.

    :raises CruntimeError: if an option is not valid, alone or together with another option.
    """
    spelled: dict[str, str] = {}
    for name in options["name"]:
        check_name("name", name)
        spelled.setdefault(canonical_name(name), name)
    names = list(spelled.values())
    if options["state"] == "absent":
        source = None
        for option in _PRESENT_ONLY:
            if options[option]:
                raise CruntimeError(
                    f"{option} cannot be used with state=absent", reason="option_invalid"
                )
        if not names:
            raise CruntimeError(
                "state=absent requires name. Set name to the images to remove",
                reason="option_invalid",
            )
    else:
        source = _source(options, names)
        if options["all_tags"]:
            raise CruntimeError(
                "all_tags can only be used with state=absent", reason="option_invalid"
            )
    _check_values(options)
    return Request(names, source, options, _credentials(options), _prune(options["prune"]))


def check_name(option: str, name: str) -> None:
    """Check that an option is an image reference or ID.

    :raises CruntimeError: if the option is neither of the two.
    """
    if image_id(name) or is_reference(name):
        return
    hint = ""
    if name.count("@") > 1:
        hint = ": it has two digests"
    elif name.startswith("-"):
        hint = ": it begins with '-'"
    elif re.search(r"\s", name):
        hint = ": it contains white space"
    elif is_reference(name.lower()):
        hint = ": a repository must be lower-case"
    raise CruntimeError(
        f"{option}: {name!r} is not a valid image reference{hint}. "
        "Use [registry/]repository[:tag][@digest], or sha256:ID",
        reason="option_invalid",
    )


def _source(options: dict[str, Any], names: list[str]) -> Source:
    given = [option for option in _SOURCES if options[option]]
    if len(given) > 1:
        raise CruntimeError(
            f"{' and '.join(given)} are mutually exclusive. Set only one of them",
            reason="option_invalid",
        )
    source = given[0] if given else "pull"
    for option in ("pull", "platform"):
        if options[option] and given:
            raise CruntimeError(
                f"{option} cannot be used with {source}, because nothing is pulled",
                reason="option_invalid",
            )
    if options["verify_keys"] and source not in ("pull", "archive"):
        raise CruntimeError(
            f"verify_keys cannot be used with {source}, because the images have no signatures",
            reason="option_invalid",
        )
    if source == "pull" and not names and not options["prune"]:
        raise CruntimeError(
            "One of name, archive, preload or prune must be set", reason="option_invalid"
        )
    if source in ("build", "source_image"):
        if not names:
            raise CruntimeError(
                f"{source} requires name. Set name to the references of the new image",
                reason="option_invalid",
            )
        for name in names:
            if image_id(name) or "@" in name:
                raise CruntimeError(
                    f"name: {name!r} cannot be used for a new image: it is a digest. Set a tag",
                    reason="option_invalid",
                )
    if not names and any(options[option] for option in ("export_path", "push")):
        raise CruntimeError(
            "export_path and push require name. Set name to the images",
            reason="option_invalid",
        )
    for name in names if options["push"] else []:
        if image_id(name) or "@" in name:
            raise CruntimeError(
                f"name: {name!r} cannot be pushed: it is a digest. Set a tag",
                reason="option_invalid",
            )
    return source


def _check_values(options: dict[str, Any]) -> None:
    for option in ("parallel", "timeout"):
        if options[option] < 1:
            raise CruntimeError(
                f"{option} must be 1 or more, not {options[option]}", reason="option_invalid"
            )
    if options["retries"] < 0:
        raise CruntimeError(
            f"retries must be 0 or more, not {options['retries']}", reason="option_invalid"
        )
    if options["insecure"] and not options["push"]:
        raise CruntimeError(
            "insecure applies only to push. For pulls, configure the registry with the registries "
            "option of cruntime_enable",
            reason="option_invalid",
        )
    if options["platform"] and not _PLATFORM.fullmatch(options["platform"]):
        raise CruntimeError(
            f"platform must be a platform such as linux/arm64, not {options['platform']!r}",
            reason="option_invalid",
        )
    if options["source_image"]:
        check_name("source_image", options["source_image"])
    for option in ("export_path", "preload"):
        _check_path(option, options[option])
    for path in options["verify_keys"]:
        _check_path("verify_keys", path)
    if options["export_mode"] and not options["export_path"]:
        raise CruntimeError(
            "export_mode requires export_path. Set export_path to the archive",
            reason="option_invalid",
        )
    # Without quotes, YAML reads 0640 as the number 416.
    if options["export_mode"] and not _MODE.fullmatch(options["export_mode"]):
        raise CruntimeError(
            f"export_mode must be a quoted octal mode such as '0640', not "
            f"{options['export_mode']!r}",
            reason="option_invalid",
        )
    if options["build"]:
        _check_build(options["build"])


def _check_path(option: str, path: str | None) -> None:
    if path and not os.path.isabs(path):
        raise CruntimeError(
            f"{option} must be an absolute path on the node, not {path!r}", reason="option_invalid"
        )


def _check_build(build: dict[str, Any]) -> None:
    _check_path("build.context", build["context"])
    for name in build["args"]:
        if not _ARGUMENT.fullmatch(name):
            raise CruntimeError(
                f"build.args: {name!r} is not a valid name of a build argument",
                reason="option_invalid",
            )
    build_args(build)
    for word in build["options"]:
        if not word.startswith("-") or not word.isprintable():
            raise CruntimeError(
                f"build.options: {word!r} is not a valid argument. Use --name=value",
                reason="option_invalid",
            )


def build_args(build: dict[str, Any]) -> dict[str, str]:
    """Return the build arguments as text.

    :raises CruntimeError: if an argument has no value.
    """
    return {name: to_string(f"build.args: {name}", value) for name, value in build["args"].items()}


def _credentials(options: dict[str, Any]) -> Credentials | None:
    username, password = options["username"], options["password"]
    if username is None and password is None:
        return None
    if not username or not password:
        raise CruntimeError("username and password must be set together", reason="option_invalid")
    if ":" in username or not username.isprintable() or not password.isprintable():
        raise CruntimeError(
            "username must not contain a colon, and username and password must not contain "
            "control characters",
            reason="option_invalid",
        )
    return Credentials(username, password)


def _prune(options: dict[str, Any] | None) -> Prune | None:
    if options is None:
        return None
    age = None
    if options["older_than"]:
        match = _AGE.fullmatch(options["older_than"])
        if match is None:
            raise CruntimeError(
                f"prune.older_than must be an age such as 7d, not {options['older_than']!r}",
                reason="option_invalid",
            )
        age = int(match.group(1)) * _SECONDS[match.group(2)]
    filters = Filters(tuple(options["include"]), tuple(options["exclude"]), options["untagged"])
    return Prune(filters, age, tuple(map(_parse_label, options["labels"])))


def _parse_label(text: str) -> tuple[str, str | None]:
    """Return the key and the value of a label; the value is None if only the key is given.

    :raises CruntimeError: if the key is empty.
    """
    key, equals, value = text.partition("=")
    if not key:
        raise CruntimeError(
            f"prune.labels: {text!r} has no key. Use KEY or KEY=VALUE", reason="option_invalid"
        )
    return key, value if equals else None
