# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The waiter polls a condition until it is true or the time is over."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until


def test_a_true_condition_needs_no_pause(clock):
    assert wait_until(lambda: True, 0)
    assert clock.pauses == []


def test_it_polls_until_the_condition_is_true(clock):
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 60, interval=0.5)
    assert clock.pauses == [0.5, 0.5]


def test_it_ends_after_the_timeout_and_checks_after_each_pause(clock):
    checks = []

    def is_done():
        checks.append(clock.now)
        return False

    assert not wait_until(is_done, 1, interval=0.5)
    assert checks == [1000.0, 1000.5, 1001.0, 1001.5]


def test_an_error_of_the_condition_ends_the_wait(clock):
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: bool(1 / 0), 60)
    assert clock.pauses == []
