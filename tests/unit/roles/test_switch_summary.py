# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of the role switch in check mode, and the cause of a failure."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.tests.unit.roles import playing

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        _switch_failure: The spec is not valid
        _switch_row: {before: docker 1, after: "FAILED, unchanged"}
      when: failed
    - ansible.builtin.include_role:
        name: cruntime.node.switch
        tasks_from: summary
"""
VARIABLES = {
    "_switch_due": True,
    "_switch_row_start": {"before": "docker 1", "after": "would switch to containerd"},
}


@pytest.mark.parametrize(
    ("failed", "shown"), [(False, "would switch to containerd"), (True, "FAILED, unchanged")]
)
def test_summary_in_check_mode_shows_the_prediction_or_the_failure(tmp_path, failed, shown):
    status, output = playing.play(tmp_path, PLAY, {**VARIABLES, "failed": failed}, "--check")
    assert status == 0, output
    assert f"docker 1  {shown}" in output


CAUSE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: cruntime.node.switch
        tasks_from: summary
    - ansible.builtin.debug:
        msg: "cause: {{ _switch_cause }}"
"""


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        ({"msg": "bind failed. Rolled back", "stderr": "Job failed", "reason": "r"}, "bind failed"),
        ({"msg": "non-zero return code", "stderr": "E: no such package"}, "E: no such package"),
        ({"msg": "file not found", "stderr": ""}, "file not found"),
    ],
)
def test_cause_of_a_failure_is_the_message_with_the_most_details(tmp_path, result, cause):
    variables = {**VARIABLES, "ansible_failed_result": result}
    status, output = playing.play(tmp_path, CAUSE, variables, "--check")
    assert status == 0, output
    assert f"cause: {cause}" in output
