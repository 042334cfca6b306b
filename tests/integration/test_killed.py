"""A run that is killed at any moment leaves whole files, and the next run pays what it owed."""

from __future__ import annotations

import pytest
from conftest import ENABLE, node_options


@pytest.mark.once
def test_a_switch_killed_at_any_step_is_finished_by_the_next_run(
    node, spec, other, run_on_node, run_module
):
    specs = {"before": node_options(spec, runtime=other.name), "after": node_options(spec)}
    result = run_on_node("kill_matrix", specs)
    assert result["trouble"] == []
    assert result["kills"] > 20
    run_module(node, ENABLE, **spec)
