# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the files of package repositories with those that the role writes."""

from __future__ import annotations

import configparser
import os
import re
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.provision import written
from ansible_collections.cruntime.node.plugins.module_utils.provision.distributions import Family

APT_KEYS = "/etc/apt/keyrings"
DNF_KEYS = "/etc/pki/rpm-gpg"
DNF_DIRECTORY = "/etc/yum.repos.d"


def is_due(repositories: list[dict[str, Any]], family: Family, root: str = "/") -> bool:
    """Return whether a file of a repository must be written or downloaded.

    :param repositories: the repositories of the role. Each has C(apt_files), the contents of its
        files by path.
    :param root: directory to which all paths are relative, for tests.
    """
    is_current = _is_current_apt if family == "debian" else _is_current_dnf
    return not all(is_current(each, root) for each in repositories)


def _is_current_apt(repository: dict[str, Any], root: str) -> bool:
    files = repository["apt_files"]
    if not all(written.is_written(root + path.lstrip("/"), files[path]) for path in files):
        return False
    # A key that is a path is on the node, and an armored key is in the sources.
    is_downloaded = re.match("[a-z]+://", repository["key"] or "") is not None
    return not is_downloaded or _has_key(repository, APT_KEYS, root)


def _is_current_dnf(repository: dict[str, Any], root: str) -> bool:
    path = os.path.join(root, DNF_DIRECTORY.lstrip("/"), f"{repository['name']}.repo")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(written.read_text(path) or "")
    except configparser.Error:
        return False
    name = repository["name"]
    if not parser.has_section(name) or dict(parser.items(name)) != _dnf_options(repository):
        return False
    return not repository["key_checksum"] or _has_key(repository, DNF_KEYS, root)


def _dnf_options(repository: dict[str, Any]) -> dict[str, str]:
    """Return the options that the role writes for dnf, as yum_repository writes them."""
    name, url, key = repository["name"], repository["url"], repository["key"]
    # Only packages of the node itself need no signature.
    is_checked = key is not None or not url.startswith("file:")
    options = {"name": name, "baseurl": url, "gpgcheck": str(int(is_checked))}
    if repository["key_checksum"]:
        key = f"file://{DNF_KEYS}/{name}.asc"
    if key:
        options["gpgkey"] = key
    if repository["pin"] is not None:
        options["priority"] = str(repository["pin"])
    return options


def _has_key(repository: dict[str, Any], directory: str, root: str) -> bool:
    path = os.path.join(root, directory.lstrip("/"), f"{repository['name']}.asc")
    checksum = repository["key_checksum"]
    # A key without a checksum is downloaded once.
    return written.has_checksum(path, checksum) if checksum else os.path.exists(path)
