# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a node for cruntime_provision."""

from __future__ import annotations

import hashlib
import textwrap

import pytest

from ansible_collections.cruntime.node.plugins.plugin_utils import provision, role_variables

OPTIONS = role_variables.load_options()


def describe(**given):
    given = {"runtime_spec": {"runtime": "docker"}, **given}
    return provision.describe(role_variables.validate(OPTIONS, given))


def render(**repository):
    described = describe(runtime_repositories=[{"name": "a", "url": "file:/srv", **repository}])
    return described["repositories"][0]["apt_files"]


@pytest.mark.parametrize(
    ("repository", "sources"),
    [
        ({}, "Suites: /\n"),
        ({"suite": "./", "key": "/k.gpg"}, "Suites: ./\nSigned-By: /k.gpg\n"),
        (
            {"suite": "trixie", "key": "https://r.test/key", "key_checksum": "sha256:00"},
            "Suites: trixie\nComponents: main\nSigned-By: /etc/apt/keyrings/a.asc\n",
        ),
        (
            {"suite": "trixie", "components": ["a", "b"], "key": "BEGIN\n\nEND"},
            "Suites: trixie\nComponents: a b\nSigned-By:\n BEGIN\n .\n END\n",
        ),
    ],
)
def test_sources_of_apt(repository, sources):
    path = "/etc/apt/sources.list.d/a.sources"
    assert render(**repository) == {path: f"Types: deb\nURIs: file:/srv\n{sources}"}


@pytest.mark.parametrize(
    ("url", "host"), [("https://u:p@r.test:443/deb", "r.test"), ("file:/srv", "")]
)
def test_priorities_of_apt(url, host):
    expected = f'''\
    Package: *
    Pin: origin "{host}"
    Pin-Priority: 900
    '''
    files = render(url=url, pin=900)
    assert files["/etc/apt/preferences.d/a.pref"] == textwrap.dedent(expected)


def test_checksum_of_crictl(tmp_path):
    archive = tmp_path / "crictl.tar.gz"
    archive.write_bytes(b"archive")
    digest = hashlib.sha256(b"archive").hexdigest()
    assert describe()["crictl_checksum"] is None
    local = describe(runtime_crictl_archive=str(archive))
    assert local["crictl_checksum"] == f"sha256:{digest}"
    # Only the checksum of the user is known of an archive that the node downloads.
    remote = {"runtime_crictl_archive": "file:///srv/c.tar.gz", "runtime_crictl_checksum": "md5:0"}
    assert describe(**remote)["crictl_checksum"] == "md5:0"
    missing = describe(runtime_crictl_archive="/no/such/archive")
    assert missing["crictl_checksum"] == ""
