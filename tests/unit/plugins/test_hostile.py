# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any value of any option is valid, or a clear error before a node is contacted or changed."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import re

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils import basic
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.action import (
    cruntime_drift_info,
    cruntime_enable,
)
from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.containers import selection
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.reasons import REASONS
from ansible_collections.cruntime.node.plugins.modules import (
    cruntime_containers,
    cruntime_image,
    cruntime_info,
)
from ansible_collections.cruntime.node.tests.unit.plugins import planting

RUNTIMES = ["containerd", "crio", "docker"]


def nest(value, depth):
    for _level in range(depth):
        value = {"x": [value]}
    return value


#: Values that a YAML file can contain, and that no option expects.
TEXT = st.sampled_from(
    [
        *(
            "",
            " ",
            "-",
            "--help",
            "\0",
            "\n",
            "a\nb",
            "\x7f",
            "\ud800",
            "\u2028",
            "é",
            "{{ 7 * 7 }}",
        ),
        *(
            "{% raw %}",
            "$(id)",
            "`id`",
            "; id",
            "%s",
            "%n",
            "../../etc/passwd",
            "/",
            "//",
            "/\0",
            "x" * 5000,
        ),
        *(
            "://",
            "http://",
            "https://[::1",
            "https://h:99999",
            "http://h:-1",
            "[",
            "]",
            "[::1]:",
            ":",
            "@",
            "a@",
        ),
        *(
            "999999999999999999999999",
            "1e999",
            "NaN",
            "null",
            "true",
            "{}",
            "[]",
            '{"a": 1}',
            "a=b",
            "٣",
        ),
        *(
            "1.30",
            "v1",
            "1.",
            "99999999999999999999.1",
            "sha256:",
            "@sha256:" + "0" * 64,
            "*",
            "**",
            "(",
            "(?P<",
        ),
    ]
) | st.text(max_size=6)
NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**63, -(2**70), 10**400, 0.0, -0.5, 1e308])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
ENDLESS = st.sampled_from([float("nan"), float("inf"), float("-inf")])
KEYS = TEXT | st.none() | st.integers() | st.booleans() | st.just(datetime.date(2026, 1, 1))
YAML_VALUES = st.recursive(
    JSON_VALUES
    | ENDLESS
    | st.sampled_from([b"\xff", datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1), {1, 2}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
) | st.sampled_from([nest("x", 3), nest("x", 150)])


def list_all(spec, parent=()):
    """Return the path of each option, also of those with options of their own."""
    for name, option in spec.items():
        yield (*parent, name)
        yield from list_all(option.get("options", {}), (*parent, name))


def run_action(action_class, given):
    """Return the modules that an action plugin runs, and its error or result."""
    sent = []

    def execute(module_name=None, module_args=None, **_options):
        json.dumps(module_args)
        sent.append(module_name)
        return {"needs_action": True}

    task = Task()
    task.args = given
    context, loader = PlayContext(), DataLoader()
    connection = plugins.connection_loader.get("local", context)
    action = action_class(task, connection, context, loader, Templar(loader), plugins)
    action._execute_module = execute
    try:
        return sent, action.run(task_vars={"inventory_hostname": "h"})
    except AnsibleActionFail as error:
        return sent, error


@pytest.mark.parametrize("path", list_all(options.ENABLE), ids=".".join)
@settings(max_examples=15)
@given(value=YAML_VALUES, runtime=st.sampled_from(RUNTIMES))
def test_any_value_of_a_spec_is_valid_or_a_clear_error(path, value, runtime):
    given = {"runtime": runtime, **planting.plant(path, value, options.ENABLE)}
    sent, result = run_action(cruntime_enable.ActionModule, given)
    if isinstance(result, AnsibleActionFail):
        assert sent == []
        assert result.result["reason"] in REASONS
        assert len(str(result)) > 10
        # Each problem of a message names the option.
        is_deep = "nested too deeply" in str(result)
        assert is_deep or any(name in str(result) for name in path), str(result)


@pytest.mark.parametrize("name", ["extra_config", "ulimits", "registries", "metrics"])
def test_a_deep_value_is_a_clear_error(name):
    given = {"runtime": "containerd", name: {"x": nest("x", 5000)}}
    sent, result = run_action(cruntime_enable.ActionModule, given)
    assert sent == []
    assert isinstance(result, AnsibleActionFail)
    assert result.result["reason"] == "option_invalid"
    assert "nested too deeply" in str(result)


@settings(max_examples=100)
@given(st.dictionaries(TEXT, YAML_VALUES, max_size=3))
def test_any_name_of_an_option_is_valid_or_a_clear_error(names):
    sent, result = run_action(cruntime_enable.ActionModule, {"runtime": "docker", **names})
    unknown = names.keys() - options.ENABLE.keys()
    if unknown:
        assert sent == []
        assert isinstance(result, AnsibleActionFail)


@settings(max_examples=200)
@given(YAML_VALUES, YAML_VALUES)
def test_any_value_of_a_comparison_is_valid_or_a_clear_error(spec, images):
    try:
        _sent, result = run_action(
            cruntime_drift_info.ActionModule, {"spec": spec, "images": images}
        )
    except AnsibleError as error:
        result = error
    if isinstance(result, AnsibleError):
        assert re.search("spec|images", str(result)), result
    else:
        assert result["node"]["state"] == "failed"


# Modules without an action plugin


CONTAINERS = {
    **selection.OPTIONS,
    "state": {"type": "str"},
    "all": {"type": "bool"},
    "timeout": {"type": "int"},
    "sandboxes": {"type": "bool"},
}
INFO = {**selection.OPTIONS, "gather_subset": {"type": "list"}, "log_lines": {"type": "int"}}
MODULES = [
    *((cruntime_image, request.OPTIONS, path, {}) for path in list_all(request.OPTIONS)),
    *(
        (cruntime_containers, CONTAINERS, path, {"state": "stopped", "all": True})
        for path in list_all(CONTAINERS)
    ),
    *(
        (cruntime_info, INFO, path, {"gather_subset": ["containers", "logs"]})
        for path in list_all(INFO)
        if path != ("gather_subset",)
    ),
]


def is_sent(value):
    """Return whether Ansible sends a value. It refuses half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def run_module(module, args):
    """Return the result of a module that is not run as root, and therefore changes nothing."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        data = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        patch.setattr(basic, "_ANSIBLE_ARGS", data)
        patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        patch.setattr(basic.AnsibleModule, "log", lambda *_args: None)
        patch.setattr(os, "geteuid", lambda: 1000)
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
            module.main()
    return json.loads(printed.getvalue())


@pytest.mark.parametrize(
    ("module", "spec", "path", "base"),
    [
        pytest.param(*case, id=f"{case[0].__name__.rpartition('.')[2]}-{'.'.join(case[2])}")
        for case in MODULES
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")  # Of a set in a regular expression.
@settings(max_examples=15)
@given(value=JSON_VALUES.filter(is_sent))
def test_any_value_of_a_module_is_valid_or_a_clear_error(module, spec, path, base, value):
    name = {"name": ["a.test/x:1"]} if module is cruntime_image else {}
    result = run_module(module, {**name, **base, **planting.plant(path, value, spec)})
    assert result["failed"]
    assert "exception" not in result
    # Ansible's own errors have no reason.
    assert result.get("reason", "option_invalid") in ("option_invalid", "not_root"), result


@pytest.mark.parametrize("pattern", ["(", "*", "x{99999999999999999999}", "(" * 5000 + ")" * 5000])
@pytest.mark.parametrize("module", [cruntime_containers, cruntime_info])
def test_a_pattern_that_python_cannot_compile_is_a_clear_error(module, pattern):
    more = {"state": "stopped"} if module is cruntime_containers else {"gather_subset": ["logs"]}
    result = run_module(module, {"name_pattern": pattern, **more})
    assert result["reason"] == "option_invalid"
    assert "name_pattern" in result["msg"]
