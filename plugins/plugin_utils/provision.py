# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the desired state of a node for cruntime_provision, from the variables of the role."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.parse
from typing import Any

import jinja2

from ansible_collections.cruntime.node.plugins.plugin_utils.role_variables import is_url

_TEMPLATES = os.path.join(*(os.path.dirname(__file__), "..", "..", "roles", "runtime", "templates"))

#: Options of a repository that the node needs in addition to its files.
# Values that a kubelet with protectKernelDefaults requires.
_KUBELET_SYSCTLS = {
    "kernel.keys.root_maxbytes": 25000000,
    "kernel.keys.root_maxkeys": 1000000,
    "kernel.panic": 10,
    "kernel.panic_on_oops": 1,
    "vm.overcommit_memory": 1,
    "vm.panic_on_oom": 0,
}
_COMPARED = ("name", "url", "key", "key_checksum", "pin")


def describe(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the module that describe the node to be.

    :param values: valid variables of the role.
    """
    return {
        "runtime": values["runtime_spec"]["runtime"],
        "packages": values["runtime_packages"],
        "extra_packages": values["runtime_extra_packages"],
        "version": values["runtime_version"],
        "hold": values["runtime_hold"],
        "from_directory": bool(values["runtime_package_dir"]),
        "repositories": [
            {
                **{option: each[option] for option in _COMPARED},
                "apt_files": _render_apt(each),
            }
            for each in values["runtime_repositories"]
        ],
        "crictl_checksum": _crictl_checksum(values),
        "kernel_modules": values["runtime_kernel_modules"],
        "sysctls": {
            **(_KUBELET_SYSCTLS if values["runtime_kubelet_sysctls"] else {}),
            **values["runtime_sysctls"],
        },
    }


def _crictl_checksum(values: dict[str, Any]) -> str | None:
    """Return the checksum of the crictl archive; None without one, empty if it is unknown."""
    archive = values["runtime_crictl_archive"]
    if not archive or is_url(archive):
        return values["runtime_crictl_checksum"] if archive else None
    try:
        with open(archive, "rb") as opened:
            return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    except OSError:
        # The task that copies the archive reports the error, and also finds it in the role.
        return ""


def _render_apt(repository: dict[str, Any]) -> dict[str, str]:
    """Return the contents of the files of a repository for apt, by path."""
    # The tasks of the role test whether an option is defined.
    item = {name: value for name, value in repository.items() if value is not None}
    name = repository["name"]
    files = {f"/etc/apt/sources.list.d/{name}.sources": _render("apt.sources.j2", item)}
    if "pin" in item:
        files[f"/etc/apt/preferences.d/{name}.pref"] = _render("apt.pref.j2", item)
    return files


def _render(template: str, item: dict[str, Any]) -> str:
    """Render a template of the role as its tasks do, which write the file."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        # These files are not HTML.
        autoescape=False,
    )
    environment.filters["ansible.builtin.urlsplit"] = _urlsplit
    environment.tests["match"] = lambda text, pattern: re.match(pattern, text) is not None
    return environment.get_template(template).render(item=item)


def _urlsplit(url: str, part: str) -> Any:
    return getattr(urllib.parse.urlsplit(url), part)
