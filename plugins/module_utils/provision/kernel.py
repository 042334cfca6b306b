# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the kernel modules and parameters of a node with what the role sets."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.provision import written

#: Files that set modules and parameters at boot.
MODULES_PATH = "/etc/modules-load.d/50-cruntime.conf"
PARAMETERS_PATH = "/etc/sysctl.d/50-cruntime.conf"
# The kernel refuses to read a parameter into a larger buffer than it can allocate.
_MAX_VALUE = 65536


def compare(
    modules: list[str], parameters: dict[str, Any], root: str = "/"
) -> tuple[bool, dict[str, Any]]:
    """Compare the kernel and the files that are read at boot.

    :param root: directory to which all paths are relative, for tests.
    :return: whether something is due, and what the tasks of the role write, load and set.
    """
    lines = {name: _line(name, value) for name, value in parameters.items()}
    missing = [name for name in modules if not _is_loaded(root, name)]
    # Without this file, the kernel has no loadable modules.
    missing = missing if os.path.exists(os.path.join(root, "proc/modules")) else []
    differing = [name for name in lines if lines[name] != _line(name, _read(root, name))]
    files = {
        MODULES_PATH: "".join(f"{name}\n" for name in modules),
        PARAMETERS_PATH: "".join(f"{line}\n" for line in lines.values()),
    }
    unwritten = [
        path for path in files if not written.is_written(root + path.lstrip("/"), files[path])
    ]
    return bool(missing or differing or unwritten), {
        "modules_path": MODULES_PATH,
        "modules_text": files[MODULES_PATH],
        "missing_modules": missing,
        "parameters_path": PARAMETERS_PATH,
        "parameters_text": files[PARAMETERS_PATH],
        "differing_parameters": differing,
    }


def _line(name: str, value: Any) -> str:
    """Return a line of a file of sysctl. The kernel separates several values with tabs."""
    return " ".join(f"{name} = {value}".split())


def _is_loaded(root: str, module: str) -> bool:
    directory = module.replace("-", "_")
    if os.path.exists(os.path.join(root, "sys/module", directory)):
        return True
    # A module that is built in can have no directory.
    path = os.path.join(root, "lib/modules", os.uname().release, "modules.builtin")
    built_in = (written.read_text(path) or "").splitlines()
    names = (os.path.basename(each).partition(".")[0].replace("-", "_") for each in built_in)
    return directory in names


def _read(root: str, parameter: str) -> str | None:
    # sysctl(8): the first separator decides; the other one is part of a name.
    separator = next((sign for sign in parameter if sign in "./"), "/")
    swapped = parameter.translate(str.maketrans("./", "/.")) if separator == "." else parameter
    return written.read_text(os.path.join(root, "proc/sys", swapped.lstrip("/")), _MAX_VALUE)
