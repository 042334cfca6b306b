# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which packages are due. Pure functions."""

from __future__ import annotations

import re
from typing import Any, Iterable, NamedTuple, Sequence

from ansible_collections.cruntime.node.plugins.module_utils.provision.distributions import Family

#: Version that selects the newest packages.
LATEST = "latest"


class VersionForm(NamedTuple):
    """Format of the versions of a package manager.

    :param sign: between the name of a package and its version.
    :param epoch: regular expression of what a requested version has and an installed one lacks.
    :param release: regular expression of what a requested version can lack.
    """

    sign: str
    epoch: str
    release: str


_FORMS: dict[Family, VersionForm] = {
    "debian": VersionForm("=", "", ""),
    # rpm reports VERSION-RELEASE.
    "redhat": VersionForm("-", "([0-9]+:)?", "(-[^-]+)?"),
}


class Installed(NamedTuple):
    """Packages of a node, of those that were asked for.

    :param versions: by name, the installed version.
    :param held: names of the held packages.
    :param locks: the locks of dnf with their versions, to see whether they change.
    """

    versions: dict[str, str]
    held: list[str]
    locks: Sequence[str] = ()


class Request(NamedTuple):
    """Requested packages.

    :param main: names of the packages of the runtime.
    :param names: names of all packages.
    :param versions: by name, the requested version, in which C(*) matches any text.
    :param latest: whether the packages without a version must be the newest ones.
    """

    main: list[str]
    names: list[str]
    versions: dict[str, str]
    latest: bool


def request(main: list[str], extra: list[str], version: str) -> Request:
    """Return the requested packages.

    :param main: packages of the runtime, each NAME or NAME=VERSION.
    :param extra: packages that the runtime needs, in the same form.
    :param version: version of the packages of the runtime that have none of their own.
    """
    is_version = version not in ("", LATEST)
    versioned = [f"{each}={version}" if is_version and "=" not in each else each for each in main]
    listed = [each.partition("=") for each in (*versioned, *extra)]
    return Request(
        main=[each.partition("=")[0] for each in main],
        names=list(dict.fromkeys(name for name, _sign, _version in listed)),
        # A package that is listed with and without a version has the version.
        versions={name: chosen for name, sign, chosen in listed if sign},
        latest=version == LATEST,
    )


def decide(
    wanted: Request, found: Installed, family: Family, *, hold: bool, from_directory: bool
) -> dict[str, Any]:
    """Compare the requested packages with the installed ones.

    :param from_directory: whether the packages are installed from a directory, whose packages can
        have any version.
    :return: names of packages by what is to be done with them, for the tasks of the role.
    """
    form = _FORMS[family]
    missing = [name for name in wanted.names if name not in found.versions]
    other = [
        name
        for name, version in wanted.versions.items()
        if name in found.versions and not _matches(found.versions[name], version, form)
    ]
    newest = [name for name in wanted.names if name not in wanted.versions] if wanted.latest else []
    pending = [*missing, *other]
    requests = {
        name: form.sign.join([name, wanted.versions[name]]) if name in wanted.versions else name
        for name in wanted.names
    }
    installed = [name for name in wanted.names if name in found.versions]
    return {
        "main": wanted.main,
        "names": wanted.names,
        "installed": installed,
        "held": found.held,
        "locks": list(found.locks),
        "missing": missing,
        "pending": pending,
        "newest": newest,
        "changing": _distinct([*pending, *newest]),
        "requests": requests,
        "has_versions": bool(wanted.versions),
        # An installation removes the holds of the packages that it changes.
        "touched": bool(pending or wanted.latest or from_directory),
        "to_hold": [name for name in installed if name not in found.held] if hold else [],
        "to_release": [] if hold else found.held,
    }


def _matches(installed: str, requested: str, form: VersionForm) -> bool:
    bare = re.sub(f"^{form.epoch}", "", requested)
    pattern = re.escape(bare).replace(r"\*", ".*")
    return re.fullmatch(pattern + form.release, installed) is not None


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def parse_dpkg(output: str) -> Installed:
    """Parse the output of dpkg-query in the format C(DPKG_FORMAT)."""
    rows = [line.split() for line in output.splitlines()]
    # An unknown package, or one that was removed, has no version.
    installed = [row for row in rows if row[2:3] == ["installed"]]
    return Installed(
        versions={row[0]: row[3] for row in installed},
        held=[row[0] for row in installed if row[1] == "hold"],
    )


#: NAME, SELECTION, STATUS and VERSION.
DPKG_FORMAT = "${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\\n"
#: NAME and VERSION-RELEASE.
RPM_FORMAT = "%{NAME} %{VERSION}-%{RELEASE}\\n"


def parse_rpm(output: str, locks: str, names: list[str]) -> Installed:
    """Parse the output of rpm in the format C(RPM_FORMAT), and the list of locks of dnf.

    :param names: names of the packages that were asked for.
    """
    rows = [line.split() for line in output.splitlines()]
    # dnf 5 prints comments with the time of the lock, so comments are ignored.
    lines = sorted(line for line in locks.splitlines() if not line.startswith("#"))
    # dnf 4 lists NAME-EPOCH:VERSION-RELEASE.*, dnf 5 a line "Package name: NAME".
    locked = {re.sub("^Package name: |-[0-9]+:.*$", "", line) for line in lines}
    return Installed(
        # rpm prints a sentence for a package that is not installed.
        versions={row[0]: row[1] for row in rows if len(row) == len(("name", "version"))},
        held=[name for name in names if name in locked],
        locks=lines,
    )
