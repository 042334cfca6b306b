# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the report page."""

from __future__ import annotations

import os
import pathlib

import jinja2
import pytest

from ansible_collections.cruntime.node.tests.unit.playbooks import chromium

TEMPLATES = pathlib.Path(__file__).resolve().parents[3] / "playbooks" / "templates"


@pytest.fixture(scope="session")
def rendered():
    """Return a function that renders a report with the settings of Ansible's template module."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("report.html.j2")
    return lambda report: template.render(cruntime_report=report)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Yield a page of a headless Chromium. Without Chromium, skip the test or fail it."""
    if not chromium.find():
        reason = f"Chromium is not installed: none of {', '.join(chromium.NAMES)}"
        if "chromium" in os.environ.get("CRUNTIME_TEST_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium.page(str(tmp_path_factory.mktemp("profile"))) as page:
        yield page
