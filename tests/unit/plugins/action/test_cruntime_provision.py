# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that the action plugin of the role runtime runs, and their options."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar

from ansible_collections.cruntime.node.plugins.action.cruntime_provision import ActionModule

PROVISION, ENABLE = "cruntime_provision", "cruntime_enable"
SPEC = {"runtime": "docker"}


@pytest.fixture
def run(monkeypatch):
    """Return a function that runs the action, and returns its result and the modules it ran."""

    def play(seen=None, options=None, **variables):
        given = {}

        def execute(module_name, module_args, **_options):
            name = module_name.rpartition(".")[2]
            given[name] = module_args
            return copy.deepcopy(seen or {"due": []}) if name == PROVISION else {"changed": True}

        task = Task()
        task.args = options or {}
        context, loader = PlayContext(), DataLoader()
        connection = plugins.connection_loader.get("local", context)
        templar = Templar(loader, variables)
        action = ActionModule(task, connection, context, loader, templar, plugins)
        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(task_vars=variables), given

    return play


def test_a_node_without_a_difference_runs_one_module(run):
    result, given = run({"due": [], "needs_action": False, "version": "28"}, runtime_spec=SPEC)
    assert list(given) == [PROVISION]
    assert result == {"due": [], "version": "28"}
    for option in ("spec", "variables"):
        assert given[PROVISION][option]["runtime"] == "docker"


def test_the_spec_is_applied_if_only_the_runtime_differs(run):
    seen = {"due": [], "needs_action": True}
    result, given = run(seen, runtime_spec=SPEC)
    assert list(given) == [PROVISION, ENABLE]
    assert result == {"changed": True, "due": []}
    # The runtime was changed, so its images are not known.
    assert run(seen, runtime_spec=SPEC, runtime_images=["busybox"])[0]["due"] == ["images"]


def test_a_step_that_is_due_changes_nothing(run):
    result, given = run({"due": ["packages"]}, runtime_spec=SPEC, runtime_images=["busybox"])
    assert list(given) == [PROVISION]
    assert result == {"due": ["packages"]}


def test_images_without_names_are_due(run):
    seen = {"due": [], "needs_action": False}
    assert run(seen, runtime_spec=SPEC, runtime_image_dir="/srv")[0] == {"due": ["images"]}
    named = {"runtime_images": ["busybox"], "runtime_image_dir": "/srv"}
    result, given = run(seen, runtime_spec=SPEC, **named)
    assert (result, given[PROVISION]["images"]) == ({"due": []}, ["busybox"])


def test_a_look_gets_no_spec(run):
    result, given = run({"due": []}, {"apply_spec": False}, runtime_spec=SPEC)
    assert "spec" not in given[PROVISION]
    assert "due" in result


def test_a_removal_is_due_before_the_node_is_contacted(run):
    assert run(runtime_spec=SPEC, runtime_state="absent") == (
        {"changed": False, "due": ["removal"]},
        {},
    )
    # The tasks of the removal look at the node.
    assert list(run(None, {"apply_spec": False}, runtime_spec=SPEC, runtime_state="absent")[1])


def test_variables_are_templates(run):
    _result, given = run(
        runtime_spec={"runtime": "docker", "log_level": "debug"},
        runtime_kernel_modules=["overlay"],
        runtime_version="28.*",
    )
    variables = given[PROVISION]["variables"]
    assert variables["kernel_modules"] == ["overlay"]
    assert variables["version"] == "28.*"


def test_kernel_parameters_for_the_kubelet_are_set_on_request(run):
    def find_sysctls(**values):
        _result, given = run(runtime_spec=SPEC, **values)
        return given[PROVISION]["variables"]["sysctls"]

    names = set(find_sysctls(runtime_kubelet_sysctls="true"))
    assert names > set(find_sysctls())
    assert "kernel.panic" in names
    assert "kernel.panic" not in find_sysctls(runtime_kubelet_sysctls="false")
    given = {"kernel.panic": 20}
    found = find_sysctls(runtime_kubelet_sysctls=True, runtime_sysctls=given)
    assert (found["kernel.panic"], found["kernel.panic_on_oops"]) == (20, 1)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"runtime_sepc": SPEC},
            "runtime_sepc: unknown variable: the name is close to runtime_spec",
        ),
        ({}, "runtime_spec: not set"),
        ({"runtime_spec": SPEC, "runtime_hold": "perhaps"}, "runtime_hold"),
        (
            {"runtime_spec": SPEC, "runtime_kubelet_sysctls": {"kernel.panic": 10}},
            "runtime_kubelet_sysctls",
        ),
        ({"runtime_spec": {**SPEC, "log_level": "loud"}}, "log_level"),
    ],
)
def test_a_mistake_fails_before_the_node_is_contacted(run, variables, sentence):
    with pytest.raises(AnsibleActionFail) as refused:
        run(**variables)
    assert sentence in str(refused.value)
    assert refused.value.result["reason"] == "option_invalid"
