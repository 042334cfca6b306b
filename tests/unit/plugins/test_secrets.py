# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret that is planted in any option, or in any file that is read, is in no output."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pathlib
import stat
import tempfile

import pytest
import tomlkit
from ansible.errors import AnsibleActionFail
from ansible.module_utils import basic
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.action.cruntime_enable import ActionModule
from ansible_collections.cruntime.node.plugins.module_utils import files, options, swap
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.managed_files import ManagedFiles
from ansible_collections.cruntime.node.plugins.module_utils.redaction import redact_file
from ansible_collections.cruntime.node.plugins.module_utils.rendered import restore_secrets
from ansible_collections.cruntime.node.plugins.modules import (
    cruntime_enable,
    cruntime_enable_info,
    cruntime_image,
)
from ansible_collections.cruntime.node.plugins.plugin_utils import drift
from ansible_collections.cruntime.node.tests.unit.plugins import planting

MODULES = {"cruntime_enable": cruntime_enable, "cruntime_enable_info": cruntime_enable_info}
RUNTIMES = st.sampled_from(["containerd", "crio", "docker"])
MARKS = st.from_regex(r"MARK[A-Za-z0-9]{4,12}", fullmatch=True)
#: Ways in which an option of a type can contain a secret.
FORMS = {
    "dict": [
        lambda mark: {"X-Token": mark},
        lambda mark: {"password": mark},
        lambda mark: {"x": {"auth": {"username": "me", "y": [mark]}}},
        lambda mark: {"x": {"url": f"https://me:{mark}@h.test/x"}},
        lambda mark: {"x": [{"env": [f"API_TOKEN={mark}"]}]},
        lambda mark: {"nofile": {"password": mark}},
        lambda mark: f"password={mark}",
    ],
    "str": [
        lambda mark: f"https://me:{mark}@h.test/x",
        lambda mark: f"http://me:{mark}@h.test:3128",
        lambda mark: f"me:{mark}@h.test:3128",
    ],
}
#: In these options, any text is a secret.
SECRET = [
    path
    for path in planting.list_paths(options.ENABLE)
    if planting.find_option(path, options.ENABLE).get("no_log")
]


def check_hidden(mark, text):
    """Check that a text lacks the mark. Pytest would compare long texts for minutes."""
    place = text.find(mark)
    assert place < 0, text[max(place - 100, 0) : place + 100]


def run_action(given):
    """Return the options by module, and the text of the failure if the spec is refused."""
    sent = {}

    def execute(module_name, module_args, **_options):
        sent[module_name.rpartition(".")[2]] = module_args
        return {"needs_action": True}

    task = Task()
    task.args = given
    context, loader = PlayContext(), DataLoader()
    connection = plugins.connection_loader.get("local", context)
    action = ActionModule(task, connection, context, loader, Templar(loader), plugins)
    action._execute_module = execute
    try:
        action.run(task_vars={})
    except AnsibleActionFail as error:
        return sent, f"{error} {error.result}"
    return sent, ""


def run_module(module, args, make_result):
    """Run a module with options; return all that it prints and logs.

    :param make_result: takes the module, and returns its result.
    """
    logged, printed = [], io.StringIO()
    data = json.dumps({"ANSIBLE_MODULE_ARGS": {**args, "_ansible_diff": True}}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic, "_ANSIBLE_ARGS", data)
        patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        patch.setattr(basic.AnsibleModule, "log", lambda _self, *args: logged.append(args))
        patch.setattr(module, "run", make_result)
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
            module.main()
    return f"{logged} {printed.getvalue()}"


def list_files(root):
    return [path for path in pathlib.Path(root).rglob("*") if path.is_file()]


def check_files(root, mark):
    """Check that only root can read the files with the secret, and that no digest reveals it."""
    record = pathlib.Path(root, "state/files.json")
    digests = record.read_text() if record.exists() else ""
    for path in list_files(root):
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() not in digests
        if mark.encode() in content:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def check_node(sent, mark, before=None):
    """Check the outputs of a node on which the modules write the files.

    :param before: content of each file before the run.
    """
    with tempfile.TemporaryDirectory() as root:
        rendered = [
            {**file, "path": root + file["path"]}
            for file in restore_secrets(sent["cruntime_enable"])
            if "content" in file
        ]
        for file in rendered if before is not None else ():
            os.makedirs(os.path.dirname(file["path"]), exist_ok=True)
            pathlib.Path(file["path"]).write_text(before)
        record = ManagedFiles(f"{root}/state")
        try:
            changes = files.look(rendered, record, "x")
        except CruntimeError as error:
            check_hidden(mark, json.dumps(error.result))
            return
        diffs = [change.diff for change in changes]
        check_hidden(mark, json.dumps([diffs, drift.of_files(diffs)]))
        result = {
            "changed": True,
            "warnings": [f"http://me:{mark}@h.test was read"],
            "diff": diffs,
        }
        swap.Swap(os.replace, record, f"{root}/state").apply(changes, "x")
        check_files(root, mark)
    for name, args in sent.items():
        output = run_module(MODULES[name], args, lambda _module: dict(result))
        check_hidden(mark, output)


@pytest.mark.parametrize("path", planting.list_paths(options.ENABLE), ids=".".join)
@settings(max_examples=5)
@given(data=st.data(), runtime=RUNTIMES, mark=MARKS)
def test_a_secret_in_an_option_is_in_no_output(path, data, runtime, mark):
    option = planting.find_option(path, options.ENABLE)
    forms = FORMS["dict"] if option["type"] == "dict" else FORMS["str"]
    forms = [*forms, str] if path in SECRET and option["type"] == "str" else forms
    value = data.draw(st.sampled_from(forms))(mark)
    value = [value] if option["type"] == "list" else value
    spec = {"runtime": runtime, **planting.plant(path, value, options.ENABLE)}
    sent, error = run_action(spec)
    check_hidden(mark, error)
    if sent:
        check_node(sent, mark)


@pytest.mark.parametrize("path", SECRET, ids=".".join)
def test_secret_options_are_planted_in_valid_specs(path):
    """Otherwise only messages of refused specs would be searched."""
    kind = planting.find_option(path, options.ENABLE)["type"]
    value = {"dict": {"X_TOKEN": "MARK1234"}, "str": "MARK1234"}[kind]
    if path[0] == "proxy":
        value = "http://me:MARK1234@h.test"
    given = {"runtime": "containerd", **planting.plant(path, value, options.ENABLE)}
    sent, error = run_action(given)
    assert error == ""
    assert "MARK1234" in sent["cruntime_enable"]["secrets"]
    assert any("MARK1234" in each for each in sent["cruntime_enable"]["rendered_secrets"])


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
@pytest.mark.parametrize("form", range(len(FORMS["dict"]) - 1))
def test_a_secret_in_extra_config_makes_its_file_secret(runtime, form):
    pytest.importorskip("tomlkit")
    extra = FORMS["dict"][form]("MARK1234")
    extra = {"crio": {"api": extra}} if runtime == "crio" else extra
    sent, error = run_action({"runtime": runtime, "extra_config": extra})
    assert error == ""
    given = sent["cruntime_enable"]
    assert "MARK1234" in str(given["rendered_secrets"])
    check_hidden("MARK1234", str({**given, "rendered_secrets": [], "secrets": []}))
    check_node(sent, "MARK1234")


def test_a_spec_without_secrets_has_no_secret_file():
    entry = {"registry": "auth.test:5000", "mirrors": [{"url": "https://token.test"}]}
    for runtime in ("containerd", "crio", "docker"):
        mirrors = {"registries": [entry]} if runtime != "docker" else {}
        sent, error = run_action({"runtime": runtime, **mirrors})
        assert error == ""
        assert sent["cruntime_enable"]["rendered_secrets"] == []


# Files of admins


KEYS = st.sampled_from(["a", "level", "x-y", "io.test/x", "h:5", "größe", "a b"])
SECRET_KEYS = st.sampled_from(
    ["password", "auth", "registry-token", "headers", "X-Auth", "splunk-token", "identitytoken"]
)
PLAIN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6) | st.integers(0, 9)
TREES = st.recursive(
    PLAIN | st.lists(PLAIN, max_size=2) | st.booleans(),
    lambda inner: st.dictionaries(KEYS | SECRET_KEYS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def planted_trees(draw, mark):
    """Return a strategy for trees with a secret."""
    before, after = (draw(st.text("ab\u2028[]{}'#= ,:", max_size=3)) for _side in range(2))
    tree = draw(
        st.sampled_from(
            [
                {"url": f"https://me:{mark}@h.test/x"},
                {"env": ["A=b", f"API_TOKEN={mark}"]},
                {"args": ["--x", f"--password={mark}"]},
                {draw(SECRET_KEYS): f"{before}{mark}{after}"},
                {draw(SECRET_KEYS): [before, f"{mark}{after}"]},
                {draw(SECRET_KEYS): {draw(KEYS): f"{before}{mark}{after}"}},
                {draw(SECRET_KEYS): {draw(KEYS): {draw(KEYS): [[f"{mark}{after}"]]}}},
                {draw(SECRET_KEYS): [{draw(KEYS): f"{mark}{after}"}]},
            ]
        )
    )
    for _level in range(draw(st.integers(0, 3))):
        tree = {**draw(st.dictionaries(KEYS, TREES, max_size=2)), draw(KEYS): tree}
    return tree


def dump_inline(tree):
    """Return TOML with one line for each key of the root."""
    document = tomlkit.document()
    for key, value in tree.items():
        item = tomlkit.item(value)
        if isinstance(value, dict):
            item = tomlkit.inline_table()
            item.update(value)
        document[key] = item
    return tomlkit.dumps(document)


def dump_dotted(tree):
    """Return TOML with a dotted key on each line."""
    lines = []

    def add(value, path):
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                add(inner, [*path, json.dumps(key, ensure_ascii=False)])
        else:
            lines.append(f"{'.'.join(path)} = {tomlkit.item(value).as_string()}")

    add(tree, [])
    return "\n".join(lines)


DUMPS = {
    "toml": tomlkit.dumps,
    "inline": dump_inline,
    "dotted": dump_dotted,
    "comments": lambda tree: "".join(f"# {line}\n" for line in tomlkit.dumps(tree).split("\n")),
    "json": lambda tree: json.dumps(tree, indent=2),
    "compact": lambda tree: json.dumps(tree, separators=(",", ":"), ensure_ascii=False),
    "damaged": lambda tree: json.dumps(tree, indent=2, ensure_ascii=False) + "}",
    "multiline": lambda tree: tomlkit.dumps(tree).replace('"', '"""'),
}


@pytest.mark.parametrize("dump", DUMPS)
@settings(max_examples=60)
@given(st.data(), MARKS)
def test_a_secret_in_a_file_is_not_shown(dump, data, mark):
    text = DUMPS[dump](data.draw(planted_trees(mark)))
    assert mark in text
    check_hidden(mark, redact_file(text))


@pytest.mark.parametrize(
    "text",
    [
        'Environment="HTTPS_PROXY=http://me:MARK@p.test:1"\n',
        "Environment=HTTP_PROXY=me:MARK@p.test:1\n",
        "EnvironmentFile=/x\nEnvironment=A=b API_TOKEN=MARK\n",
        "ExecStart=/usr/bin/dockerd --log-opt splunk-token=MARK\n",
        "ExecStart=/usr/bin/x --password MARK\n",
        "ExecStart=/usr/bin/x \\\n  --password MARK\n",
        "password: MARK\n",
        "auth:\n  user: MARK\n",
        "auth: {user: MARK}\n",
        "- token: 'MARK'\n",
        "-----BEGIN RSA PRIVATE KEY-----\nMARK\n-----END RSA PRIVATE KEY-----\n",
        '{"password": "MARK", "password": ""}',
        'password = """\nMARK"""\n',
        "password = '''\nMARK'''\n",
        "auth = [\n  'MARK',\n]\n",
        "[a.auth] # x\n\n# y\n  user = 'MARK'\n",
        "[[a.'auth']]\nuser = 'MARK'\n",
        "[a.auth]\nuser = [\n'MARK'\n]\n",
        "[host.'https://me:MARK@h']\nx = 1\n",
        'export TOKEN="MARK"\n',
    ],
)
def test_a_secret_in_another_notation_is_not_shown(text):
    assert "MARK" not in redact_file(text)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, PLAIN, max_size=3), max_size=3))
@settings(max_examples=100)
def test_a_file_without_secrets_is_shown_as_it_is(tree):
    for text in (tomlkit.dumps(tree), json.dumps(tree)):
        assert redact_file(text) == text


def test_only_the_secrets_of_a_file_are_hidden():
    text = '[a.auth]\nuser = "me"\n[b]\nlevel = "warn"\nurl = "http://me:x@h"\n'
    assert redact_file(text) == (
        '[a.auth]\nuser = "(not shown)"\n[b]\nlevel = "warn"\nurl = "(not shown)"\n'
    )
    data = {"log-opts": {"splunk-token": "abcd", "size": "1m"}, "debug": True}
    hidden = {"log-opts": {"splunk-token": "(not shown)", "size": "1m"}, "debug": True}
    assert json.loads(redact_file(json.dumps(data))) == hidden


def test_a_changed_secret_is_marked():
    before, after = 'level = "warn"\npassword = "x"\n', 'level = "warn"\npassword = "y"\n'
    assert redact_file(after, before) == 'level = "warn"\npassword = "(not shown, changed)"\n'
    assert redact_file(before, before) == 'level = "warn"\npassword = "(not shown)"\n'


@settings(max_examples=20)
@given(st.data(), RUNTIMES, MARKS, st.sampled_from(sorted(DUMPS)))
def test_a_secret_in_a_replaced_file_is_in_no_output(data, runtime, mark, dump):
    text = DUMPS[dump](data.draw(planted_trees(mark)))
    proxy = {"http": "http://me:other@p.test:3128"}
    sent, error = run_action({"runtime": runtime, "proxy": proxy, "extra_config": {}})
    assert error == ""
    check_node(sent, mark, before=text)


@settings(max_examples=20)
@given(MARKS)
def test_a_secret_of_others_in_daemon_json_is_in_no_output(mark):
    rendered = {"content": '{"debug": true}\n', "shared": True, "restart": True, "when": [{}]}
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root, "daemon.json")
        path.write_text(json.dumps({"log-opts": {"splunk-token": mark}}))
        path.chmod(0o644)
        record = ManagedFiles(f"{root}/state")
        changes = files.look([{**rendered, "path": str(path)}], record, "docker")
        check_hidden(mark, str(changes[0].diff))
        assert '"debug": true' in changes[0].diff["after"]
        swap.Swap(os.replace, record, f"{root}/state").apply(changes, "docker")
        assert mark in path.read_text()
        check_files(root, mark)


# Modules without an action plugin


@pytest.mark.parametrize("path", planting.list_paths(request.OPTIONS), ids=".".join)
@settings(max_examples=3)
@given(data=st.data(), mark=MARKS)
def test_a_secret_in_an_option_of_an_image_is_in_no_output(path, data, mark):
    option = planting.find_option(path, request.OPTIONS)
    forms = FORMS["dict"] if option["type"] == "dict" else FORMS["str"]
    value = data.draw(st.sampled_from(forms))(mark)
    value = [value] if option["type"] == "list" else value
    args = {"name": ["a.test/x:1"], **planting.plant(path, value, request.OPTIONS)}
    run = cruntime_image.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 1000)
        check_hidden(mark, run_module(cruntime_image, args, run))


def test_the_planted_options_are_those_of_the_module():
    assert ("registries", "mirrors", "headers") in planting.list_paths(options.ENABLE)
    assert len(SECRET) >= 4
