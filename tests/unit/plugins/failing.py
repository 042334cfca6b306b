# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expect an error by its reason and by the facts in its message."""

from __future__ import annotations

import contextlib
from typing import Iterator

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError


@contextlib.contextmanager
def fails(reason: str, *facts: object) -> Iterator[pytest.ExceptionInfo[CruntimeError]]:
    """Expect an error with this reason.

    :param facts: values, paths and names of options that the message must contain.
    """
    with pytest.raises(CruntimeError) as caught:
        yield caught
    assert caught.value.reason == reason
    message = str(caught.value)
    assert [str(fact) for fact in facts if str(fact) not in message] == []
