"""A run that is killed at any moment leaves whole files, and the next run pays what it owed."""

from __future__ import annotations

import json
import pathlib
import zipfile

import ansible.module_utils
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils.options import ENABLE as ENABLE_OPTIONS
from ansible_collections.cruntime.node.plugins.plugin_utils import render

ENABLE = "cruntime.node.cruntime_enable"
ON_NODE = pathlib.Path(__file__).parent / "on_node"
ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """The modules and all that they import, as one archive that Python can import from."""
    archive = tmp_path_factory.mktemp("modules") / "modules.zip"
    trees = {
        "ansible/module_utils": pathlib.Path(ansible.module_utils.__file__).parent,
        "ansible_collections/cruntime/node/plugins/module_utils": ROOT / "plugins/module_utils",
        "ansible_collections/cruntime/node/plugins/modules": ROOT / "plugins/modules",
    }
    with zipfile.ZipFile(archive, "w") as bundle:
        packages = {"ansible"}
        for name, tree in trees.items():
            packages.update(str(parent) for parent in pathlib.PurePath(name).parents)
            for path in tree.rglob("*.py"):
                bundle.write(path, f"{name}/{path.relative_to(tree)}")
        packages.add("ansible_collections/cruntime/node/plugins/module_utils")
        packages.add("ansible_collections/cruntime/node/plugins/modules")
        for package in packages - {"."}:
            if f"{package}/__init__.py" not in bundle.namelist():
                bundle.writestr(f"{package}/__init__.py", "")
    return archive


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
