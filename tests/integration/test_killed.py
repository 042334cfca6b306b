"""A run that is killed at any moment leaves whole files, and the next run pays what it owed."""

from __future__ import annotations

import json
import pathlib

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils.options import ENABLE as ENABLE_OPTIONS
from ansible_collections.cruntime.node.plugins.plugin_utils import render

ENABLE = "cruntime.node.cruntime_enable"
ON_NODE = pathlib.Path(__file__).parent / "on_node"


@pytest.fixture
def on_node(node, modules, run_module):
    """A function that runs a script of on_node/ on the node, with the modules at hand."""

    def run(script, data):
        for source, target in ((modules, "modules.zip"), (ON_NODE / script, script)):
            run_module(node, "ansible.builtin.copy", src=str(source), dest=f"/tmp/{target}")
        run_module(node, "ansible.builtin.copy", content=json.dumps(data), dest="/tmp/data.json")
        output = node.check_output(
            "PYTHONPATH=/tmp/modules.zip /usr/bin/python3 /tmp/%s /tmp/data.json", script
        )
        return json.loads(output.splitlines()[-1])

    return run


def options(spec, **changes):
    """What the controller half would hand to the node half."""
    validation = ArgumentSpecValidator(ENABLE_OPTIONS).validate({**spec, **changes})
    full = validation.validated_parameters
    given = {option: value for option, value in full.items() if value is not None}
    return {**given, "rendered_files": render.render(full)}


@pytest.mark.once
def test_a_switch_killed_at_any_step_is_finished_by_the_next_run(
    node, spec, other, on_node, run_module
):
    before, after = options(spec, runtime=other.name), options(spec)
    result = on_node("kill_matrix.py", {"before": before, "after": after})
    assert result["trouble"] == []
    assert result["kills"] > 20
    run_module(node, ENABLE, **spec)
