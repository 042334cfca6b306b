# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the unit tests of the code that runs on nodes."""

from __future__ import annotations

import json
import pathlib
import time

import pytest
from ansible.module_utils import basic

TRANSCRIPTS = pathlib.Path(__file__).parent / "transcripts"


@pytest.fixture
def transcript():
    """Return a function that reads the recorded output of a real tool."""
    return lambda name: (TRANSCRIPTS / name).read_text(encoding="utf-8")


@pytest.fixture
def module(monkeypatch):
    """Return a real module without options, as Ansible starts it on the node."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {}}).encode()
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", arguments)
    # From ansible-core 2.19 on, the arguments are serialized with a profile.
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    return basic.AnsibleModule(argument_spec={}, supports_check_mode=True)


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
