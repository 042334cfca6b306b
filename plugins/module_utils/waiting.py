# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a condition on the node."""

from __future__ import annotations

import time
from typing import Callable


def wait_until(is_done: Callable[[], bool], timeout: float, interval: float = 0.2) -> bool:
    """Poll a condition; return whether it became true in time.

    The condition is checked at least once, and again after the last pause.

    :param timeout: time after which no further pause begins, in seconds.
    :param interval: pause between two checks, in seconds.
    """
    deadline = time.monotonic() + timeout
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
