# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit tests of the node's half share."""

from __future__ import annotations

import pathlib
import time

import pytest
from ansible.module_utils.basic import AnsibleModule

TRANSCRIPTS = pathlib.Path(__file__).parent / "transcripts"


@pytest.fixture
def transcript():
    """Read what a real tool printed."""
    return lambda name: (TRANSCRIPTS / name).read_text(encoding="utf-8")


class Module(AnsibleModule):
    """A module on a node without SELinux, which was not started by Ansible."""

    def __init__(self, check_mode=False):
        self.check_mode = check_mode

    def selinux_default_context(self, path, mode=0):
        return [None, None, None]

    selinux_context = selinux_default_context

    def set_context_if_different(self, path, context, changed, diff=None):
        return changed


@pytest.fixture
def module():
    return Module()


class Clock:
    """A monotonic clock that only a pause advances."""

    def __init__(self, monkeypatch):
        self.now, self.pauses = 1000.0, []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)
