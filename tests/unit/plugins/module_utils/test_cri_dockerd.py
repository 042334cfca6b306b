# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of cri-dockerd and of Docker that support no common version of the API of Docker."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.checks import cri_dockerd
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.versions import installed_version
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails


@pytest.fixture
def check(tmp_path):
    """Return a function that checks a cri-dockerd, which is a script with its version."""

    def run(text, docker, api=None, **environment):
        script = tmp_path / "cri-dockerd"
        script.write_text(f"#!/bin/sh\necho '{text}'\n")
        script.chmod(0o755)
        runner = Runner()
        runner.search_first(str(tmp_path))
        cri_dockerd.check_version(runner, installed_version(docker), api, environment)

    return run


@pytest.mark.parametrize(
    ("adapter", "docker", "facts"),
    [
        ("0.3.15", "28.5.2", None),
        ("0.3.15", "29.0.0", ["0.3.15", "29.0.0", "1.43", "1.44", "min-api-version"]),
        ("0.3.2", "29.2.1", ["1.41"]),
        ("0.3.12", "29.1.0", None),
        ("0.3.13", "29.1.0", ["1.43"]),
        ("0.3.16", "29.2.1", None),
        ("0.4.3", "29.2.1", None),
        # Docker 29.3 supports 1.40 again.
        ("0.2.6", "29.3.0", None),
        ("0.4.0", "20.10.24+dfsg1", ["cri-dockerd 0.4.0", "Docker 23.0.0 or newer", "20.10.24"]),
        ("0.4.1", "23.0.0", None),
        ("0.4.2", "20.10.24", None),
        ("0.3.25", "20.10.24", None),
    ],
)
def test_cri_dockerd_and_docker_need_a_common_api(check, adapter, docker, facts):
    text = f"cri-dockerd {adapter} (HEAD)"
    if facts is None:
        check(text, docker)
    else:
        with fails("version_incompatible", *facts):
            check(text, docker)


def test_oldest_api_can_be_configured(check):
    check("cri-dockerd 0.3.15 (x)", "29.0.0", "1.40")
    check("cri-dockerd 0.3.15 (x)", "29.0.0", None, DOCKER_MIN_API_VERSION="1.24")
    with fails("version_incompatible", "1.44 and newer"):
        check("cri-dockerd 0.3.15 (x)", "29.8.1", "1.44")


@pytest.mark.parametrize("text", ["cri-dockerd dev (HEAD)", ""])
def test_unknown_build_is_not_checked(check, text):
    check(text, "29.0.0")
