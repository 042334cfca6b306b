# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the action plugin passes to the modules."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar

from ansible_collections.cruntime.node.plugins.action.cruntime_enable import ActionModule

ENABLE, INFO = "cruntime_enable", "cruntime_enable_info"


class Vaulted:
    """Value of !vault before ansible-core 2.19: not a string, but convertible to one."""

    __ENCRYPTED__ = True

    def __init__(self, text):
        self._text = text

    def __str__(self):
        return self._text


@pytest.fixture
def handed_over(monkeypatch):
    """Return a function that takes the options of a task and returns the module options by name.

    On this node, there are always changes to make, unless the test changes this.
    """

    def run(background=0, needs_action=True, **options):
        given = {}

        def execute(module_name, module_args, **_options):
            name = module_name.rpartition(".")[2]
            given[name] = module_args
            return {"needs_action": needs_action} if name == INFO else {"changed": True}

        task = Task()
        task.args = options
        task.async_val = background
        context, loader = PlayContext(), DataLoader()
        connection = plugins.connection_loader.get("local", context)
        action = ActionModule(task, connection, context, loader, Templar(loader), plugins)
        monkeypatch.setattr(action, "_execute_module", execute)
        result = action.run(task_vars={})
        assert result == ({"changed": True} if ENABLE in given else {})
        return given

    return run


def test_a_vaulted_value_is_passed_as_text(handed_over):
    given = handed_over(
        runtime="containerd",
        registries=[{"registry": "a.test", "username": "me", "password": Vaulted("hunter2")}],
        extra_config={"oom_score": -1, "debug": {"address": Vaulted("/run/x.sock")}},
    )[ENABLE]
    assert given["registries"][0]["password"] == "hunter2"
    assert 'address = "/run/x.sock"' in given["rendered_secrets"][0]
    assert any("hunter2" in secret for secret in given["rendered_secrets"])
    assert not any("hunter2" in file.get("content", "") for file in given["rendered_files"])


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"runtime": "docker", "timeout": 0}, ["timeout", "0"]),
        ({"runtim": "docker"}, ["runtim"]),
        ({"runtime": "rkt"}, ["runtime", "rkt"]),
    ],
)
def test_an_invalid_spec_fails_before_the_node_is_contacted(handed_over, options, facts):
    with pytest.raises(AnsibleActionFail) as refused:
        handed_over(**options)
    assert refused.value.result["reason"] == "option_invalid"
    assert [fact for fact in facts if fact not in str(refused.value)] == []


def test_a_wrong_type_is_reported_once(handed_over):
    with pytest.raises(AnsibleActionFail) as refused:
        handed_over(runtime="docker", registries="docker.io")
    assert str(refused.value).count("could not parse JSON or key=value") == 1
    assert "registries" in str(refused.value)


def test_the_module_that_changes_a_node_is_sent_only_if_the_node_differs(handed_over):
    assert list(handed_over(runtime="docker")) == [INFO, ENABLE]
    assert list(handed_over(runtime="docker", needs_action=False)) == [INFO]
    # A restart is always a change, and a module in the background cannot be followed.
    assert list(handed_over(runtime="docker", state="restarted")) == [ENABLE]
    assert list(handed_over(runtime="docker", state="absent")) == [ENABLE]
    assert list(handed_over(runtime="docker", background=60)) == [ENABLE]


def test_the_comparison_gets_only_the_secrets_in_files(handed_over):
    mirror = {"url": "https://m.test", "ca_file": "/ca", "headers": {"X-Token": "hunter2"}}
    entry = {"registry": "a.test", "username": "me", "password": "hunter2", "mirrors": [mirror]}
    proxy = {"http": "http://me:hunter2@p.test:3128"}
    given = handed_over(runtime="containerd", registries=[entry], proxy=proxy)[INFO]
    assert given["spec"]["registries"][0]["mirrors"][0]["ca_file"] == "/ca"
    assert any("hunter2" in secret for secret in given["rendered_secrets"])
    assert given["secrets"] == ["hunter2", "me:hunter2"]
    del given["rendered_secrets"], given["secrets"]
    assert "hunter2" not in str(given)
