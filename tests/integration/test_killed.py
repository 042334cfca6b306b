"""Runs that are killed at any step: all files stay complete, and the next run finishes the work."""

from __future__ import annotations

import pytest
from conftest import LONG, node_options

# The runtime matters little.
pytestmark = pytest.mark.short("containerd", "crio")

#: The short form kills a run only at every Nth step.
EVERY = 12


def operations(spec, other):
    """Return the operations to kill: by name, options of the module before and after."""
    name = spec["runtime"]
    first = {
        **spec,
        "log_level": "warn",
        "proxy": {"http": "http://proxy.test:3128"},
        "registries": [{"registry": "first.test", "insecure": True}],
    }
    # Files are created, changed and removed.
    second = {**spec, "registries": [{"registry": "second.test", "insecure": True}]}
    options = {
        "first": node_options(first),
        "second": node_options(second),
        "plain": node_options(spec),
        # containerd does not support Docker's keys of extra_config, and rejects them from 2.0 on.
        "other": node_options(spec, runtime=other.name, extra_config={}),
    }
    stopped = {"runtime": name, "state": "disabled", "rendered_files": []}
    return {
        "switch": {"before": options["other"], "after": options["plain"]},
        "change": {"before": options["first"], "after": options["second"]},
        "disable": {"before": options["plain"], "after": stopped},
        "absent": {"before": options["first"], "after": {**stopped, "state": "absent"}},
    }


@pytest.mark.once
def test_next_run_finishes_a_run_killed_at_any_step(spec, other, run_on_node, enable):
    every = 1 if LONG else EVERY
    request = {"operations": operations(spec, other), "every": every}
    result = run_on_node("kill_matrix", request)
    assert not result["problems"], "\n".join(result["problems"])
    assert len(set(result["points"])) == len(result["points"])
    assert len(result["points"]) >= 100 // every
