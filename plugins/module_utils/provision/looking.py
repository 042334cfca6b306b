# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a node, and decide which steps of the role runtime are due. Nothing is changed."""

from __future__ import annotations

import sys
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.provision import (
    crictl,
    distributions,
    kernel,
    package_managers,
    packages,
    repositories,
    written,
)
from ansible_collections.cruntime.node.plugins.module_utils.provision.distributions import (
    Distribution,
    Family,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

# os-release(5) documents both paths.
_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


def look(runner: Runner, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the steps that are due, in the order of the role, and what they need to know.

    :param wanted: the variables of the role, as the action plugin of cruntime_provision describes
        them.
    :raises CruntimeError: if the role does not support the distribution.
    """
    distribution = distributions.identify(_read_os_release())
    family = _check_family(distribution)
    request = _request_packages(distribution, wanted)
    found = package_managers.read(runner, family, request.names)
    decided = packages.decide(
        request, found, family, hold=wanted["hold"], from_directory=wanted["from_directory"]
    )
    is_kernel_due, kernel_facts = kernel.compare(wanted["kernel_modules"], wanted["sysctls"])
    is_touched = decided["touched"] and bool(request.names)
    steps = {
        # The package lists are updated with the repositories.
        "repositories": bool(wanted["repositories"])
        and (is_touched or repositories.is_due(wanted["repositories"], family)),
        "packages": is_touched,
        "holds": is_touched or bool(decided["to_hold"] or decided["to_release"]),
        "crictl": wanted["crictl_checksum"] is not None
        and crictl.is_due(wanted["crictl_checksum"]),
        "kernel": is_kernel_due,
    }
    return {
        "due": [step for step, is_due in steps.items() if is_due],
        "family": family,
        "package_manager": package_managers.name_manager(runner, family),
        "python": sys.executable,
        "packages": decided,
        "kernel": kernel_facts,
    }


def _read_os_release() -> str:
    texts = (written.read_text(path) for path in _OS_RELEASE)
    return next((text for text in texts if text is not None), "")


def _request_packages(distribution: Distribution, wanted: dict[str, Any]) -> packages.Request:
    main, extra = distribution.list_packages(wanted["runtime"])
    chosen_main, chosen_extra = wanted["packages"], wanted["extra_packages"]
    return packages.request(
        main if chosen_main is None else chosen_main,
        extra if chosen_extra is None else chosen_extra,
        wanted["version"],
    )


def _check_family(distribution: Distribution) -> Family:
    if distribution.family is not None:
        return distribution.family
    raise CruntimeError(
        f"{distribution.name}: distribution not supported: the role supports Debian, Ubuntu, "
        "Fedora, RHEL and distributions of their families. Install the runtime in another way, and "
        "use the module cruntime.node.cruntime_enable",
        reason="distribution_unsupported",
    )
