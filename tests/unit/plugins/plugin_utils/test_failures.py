# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that did not start is reported with the cause and the fix."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.plugin_utils.failures import error_text

# What the shells of nodes printed, and the start of the sentence.
PRINTED = {
    "/bin/sh: 1: sudo: not found\n": "become: sudo not found: ",
    "/bin/sh: sudo: command not found\r\n": "become: sudo not found: ",
    "joe is not in the sudoers file.\n": "become: sudo refused: ",
    "Sorry, user joe is not allowed to execute '/bin/sh' as root.\n": "become: sudo refused: ",
    "Sorry, user joe may not run sudo on n1.\n": "become: sudo refused: ",
    "/bin/sh: 1: /usr/bin/python3: not found\n": "Python not found: ",
    "/bin/sh: /usr/bin/python3: No such file or directory\n": "Python not found: ",
    "/bin/sh: 1: /usr/libexec/platform-python: not found\n": "Python not found: ",
}


@pytest.mark.parametrize("printed", PRINTED)
def test_the_cause_is_in_the_output_of_the_shell(printed):
    result = {"failed": True, "msg": "No start of json char found", "module_stderr": printed}
    assert error_text(result).startswith(PRINTED[printed])


def test_another_error_is_kept():
    traceback = "Traceback (most recent call last):\nFileNotFoundError: crictl: not found\n"
    assert error_text({"msg": "MODULE FAILURE", "module_stderr": traceback}) == "MODULE FAILURE"
    assert error_text({"msg": "sudo: not found in the image"}) == "sudo: not found in the image"
    assert error_text({}) == "failed without an error message"
