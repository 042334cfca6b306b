# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the packages of a node with its package manager."""

from __future__ import annotations

import os

from ansible_collections.cruntime.node.plugins.module_utils.provision import packages
from ansible_collections.cruntime.node.plugins.module_utils.provision.distributions import Family
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner


def read(runner: Runner, family: Family, names: list[str]) -> packages.Installed:
    """Return which of some packages are installed and held.

    :raises CommandError: if the package manager fails.
    """
    if not names:
        return packages.Installed({}, [])
    return _read_dpkg(runner, names) if family == "debian" else _read_rpm(runner, names)


def name_manager(runner: Runner, family: Family) -> str:
    """Return the name of the package manager: apt, dnf for its version 4, or dnf5."""
    if family == "debian":
        return "apt"
    # dnf is a link to dnf-3 or to dnf5.
    is_new = os.path.basename(os.path.realpath(runner.which("dnf") or "dnf")) == "dnf5"
    return "dnf5" if is_new else "dnf"


def _read_dpkg(runner: Runner, names: list[str]) -> packages.Installed:
    # Ansible's package modules need python3-apt, which a bare node lacks.
    form = f"--showformat={packages.DPKG_FORMAT}"
    result = runner.run("dpkg-query", "--show", form, *names)
    # 1: Some packages are unknown.
    if result.rc not in (0, 1):
        raise result.failure()
    return packages.parse_dpkg(result.out)


def _read_rpm(runner: Runner, names: list[str]) -> packages.Installed:
    result = runner.run("rpm", "--query", "--queryformat", packages.RPM_FORMAT, *names)
    # The exit status is the number of packages that are not installed.
    if result.rc > len(names):
        raise result.failure()
    # Without dnf or its plugin, no lock exists.
    has_dnf = runner.which("dnf") is not None
    locks = runner.run("dnf", "--quiet", "versionlock", "list").out if has_dnf else ""
    return packages.parse_rpm(result.out, locks, names)
