# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples, options, messages and names in the documentation are correct."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from returned import page_of, surprises

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.plugin_utils import render
from ansible_collections.cruntime.node.plugins.plugin_utils import spec as spec_utils

ROOT = pathlib.Path(__file__).resolve().parents[3]
PREFIX = "cruntime.node."
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
]
KEYWORDS = ("type", "required", "default", "choices", "elements")


def tasks_in(data):
    """Yield the tasks in YAML that call a module of this collection."""
    if isinstance(data, list):
        for item in data:
            yield from tasks_in(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key == "module_defaults":
                continue
            if isinstance(key, str) and key.removeprefix(PREFIX) in MODULES:
                yield key.removeprefix(PREFIX), value or {}
            else:
                yield from tasks_in(value)


def raw_code(page, language):
    """Return the code blocks of a page in one language, with their comments."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def code(page, language):
    """Return the code blocks of a page in one language."""
    return [
        re.sub(r"\s+# .*$", "", block, flags=re.MULTILINE) for block in raw_code(page, language)
    ]


@pytest.fixture(scope="module")
def ansible_command(tmp_path_factory):
    """Return a function that runs an Ansible command and returns its output."""
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
        "ANSIBLE_HOME": str(tmp_path_factory.mktemp("ansible")),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }

    def run(command, *arguments):
        return subprocess.check_output(
            [pathlib.Path(sys.executable).with_name(command), *arguments],
            env={**os.environ, **settings},
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def ansible_doc(ansible_command):
    """Return a function that returns the output of ansible-doc for modules, with fragments."""

    def ask(*modules):
        text = ansible_command("ansible-doc", "--json", "--type", "module", *modules)
        return {name.rpartition(".")[2]: page for name, page in json.loads(text).items()}

    return ask


@pytest.fixture(scope="module")
def documented(ansible_doc):
    """Return the documentation of the modules of this collection."""
    return ansible_doc(*(PREFIX + name for name in MODULES))


def argument_spec(documented_options):
    """Return a module's documented argument spec, which sanity tests compare with the code."""
    spec = {}
    for name, option in documented_options.items():
        spec[name] = {key: option[key] for key in KEYWORDS if key in option}
        if isinstance(option.get("choices"), dict):
            spec[name]["choices"] = list(option["choices"])
        if "suboptions" in option:
            spec[name]["options"] = argument_spec(option["suboptions"])
    return spec


def check_task(documented, module, given):
    if module == "cruntime_enable":
        # The value of this option is never written by hand.
        given = {name: value for name, value in given.items() if name != "units"}
    validated = ArgumentSpecValidator(argument_spec(documented[module]["doc"]["options"])).validate(
        given
    )
    assert validated.error_messages == []
    if module == "cruntime_enable" and given:
        spec = ArgumentSpecValidator(options.ENABLE).validate(given).validated_parameters
        render.check(spec, spec_utils.find_problems(spec))
        assert render.render(spec)


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_modules_are_valid(documented, module):
    tasks = list(tasks_in(yaml.safe_load(documented[module]["examples"])))
    assert module in {name for name, _given in tasks}
    for name, given in tasks:
        check_task(documented, name, given)


@pytest.mark.parametrize("module", MODULES)
def test_a_page_of_a_module_is_complete(documented, module):
    page = documented[module]
    assert {"check_mode", "diff_mode", "idempotent", "platform"} <= set(page["doc"]["attributes"])
    assert page["doc"]["seealso"]
    for name, value in page["return"].items():
        # A return value without a sample refers to another module.
        assert "sample" in value or "M(" in str(value["description"]), name
    assert page["examples"]


@pytest.mark.parametrize("module", MODULES)
def test_samples_are_as_documented(module):
    page = page_of(module)
    samples = {name: entry["sample"] for name, entry in page.items() if "sample" in entry}
    assert surprises(module, samples) == []


def test_undocumented_return_values_are_found():
    result = {"running": ["containerd", 1], "cgroup_version": True, "runtimes": {"crio": {"x": 1}}}
    assert surprises("cruntime_info", {**result, "changed": False, "images": None}) == [
        "running is documented to hold str, but holds 1",
        "cgroup_version is documented as int, but is True",
        "runtimes.crio.x is not documented",
        "images is null, but its description does not mention null",
    ]


def variables_in(data):
    """Yield the variables of the roles in YAML."""
    for item in data if isinstance(data, list) else data.values():
        if isinstance(item, (dict, list)):
            yield from variables_in(item)
    if isinstance(data, dict):
        yield from ((key, data[key]) for key in data if re.match("(runtime|switch)_", str(key)))


@pytest.fixture(scope="module")
def role_options():
    """Return the argument spec of all variables of the roles."""
    specs = [
        yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
    ]
    return argument_spec({name: option for each in specs for name, option in each.items()})


def check_variable(role_options, documented, name, given):
    assert name in role_options
    # The other required variables of the role are not in this example.
    validated = ArgumentSpecValidator({name: role_options[name]}).validate({name: given})
    assert validated.error_messages == []
    if name.endswith("_spec"):
        check_task(documented, "cruntime_enable", given)


#: A comment that names the runtimes for which an example is valid too.
ALIKE = re.compile(r"(?<=runtime: )\w+(?=\s+# the same with (\w+(?: and \w+)*))")


def variants(block):
    """Yield an example for each runtime for which it is valid."""
    yield block
    alike = ALIKE.search(block)
    for runtime in alike[1].split(" and ") if alike else ():
        yield ALIKE.sub(runtime, block)


def examples_of(block):
    """Return the module tasks and the role variables in an example."""
    trees = map(yaml.safe_load, variants(block))
    return [each for tree in trees for each in (*tasks_in(tree), *variables_in(tree))]


def examples_in(page):
    """Return the module tasks and the role variables in the examples of a page."""
    return [each for block in raw_code(page, "yaml") for each in examples_of(block)]


@pytest.mark.parametrize(
    "page", filter(examples_in, PAGES), ids=lambda page: str(page.relative_to(ROOT))
)
def test_examples_of_pages_are_valid(documented, role_options, page):
    for name, given in examples_in(page):
        if name in MODULES:
            check_task(documented, name, given)
        else:
            check_variable(role_options, documented, name, given)


def test_an_example_for_several_runtimes_has_variants():
    block = "runtime: docker   # the same with containerd and crio\n"
    found = [yaml.safe_load(each)["runtime"] for each in variants(block)]
    assert found == ["docker", "containerd", "crio"]


def is_play(block):
    return bool(re.search(r"^- (?:.*\n  )?hosts: ", block, re.MULTILINE))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_every_example_is_checked(page):
    blocks = raw_code(page, "yaml")
    assert [block for block in blocks if not examples_of(block) and not is_play(block)] == []


PLAYBOOKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(raw_code(page, "yaml"))
    if is_play(block)
]


@pytest.mark.parametrize("block", PLAYBOOKS)
def test_playbooks_of_pages_are_valid(ansible_command, tmp_path, block):
    playbook = tmp_path / "site.yml"
    playbook.write_text(block)
    ansible_command("ansible-playbook", "--syntax-check", "--inventory", "localhost,", playbook)


INVENTORIES = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(raw_code(page, "yaml"))
    if block.startswith("# inventory.yml\n")
]


@pytest.mark.parametrize("block", INVENTORIES)
def test_inventories_of_pages_are_valid(ansible_command, tmp_path, block):
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(block)
    listed = json.loads(ansible_command("ansible-inventory", "-i", inventory, "--list"))
    hosts = listed["_meta"]["hostvars"]
    assert hosts
    assert any("runtime_spec" in variables for variables in hosts.values())


def commands_in(page):
    """Yield each Ansible command in the consoles of a page, as a list of words."""
    for block in raw_code(page, "console"):
        for line in block.replace("\\\n", "").splitlines():
            words = shlex.split(line, comments=True) if line.startswith("$ ansible") else []
            yield from [words[1:]] if words[1:] else []


COMMANDS = [
    pytest.param(page, words, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, words in enumerate(commands_in(page))
    if words[0] in ("ansible", "ansible-playbook")
]


def arguments_of(words):
    """Return the arguments of a command, and the values of its options by option."""
    with_value = ("-i", "-e", "-m", "--limit", "-t")
    arguments, options = [], {}
    rest = iter(words[1:])
    for word in rest:
        if word in with_value:
            options.setdefault(word, []).append(next(rest))
        elif not word.startswith("-"):
            arguments.append(word)
    return arguments, options


@pytest.mark.parametrize(("page", "words"), COMMANDS)
def test_commands_of_pages_are_valid(documented, role_options, page, words):
    arguments, given = arguments_of(words)
    if words[0] == "ansible":
        assert given["-m"][0].removeprefix(PREFIX) in MODULES
        return
    (name,) = arguments
    playbook = ROOT / "playbooks" / f"{name.removeprefix(PREFIX)}.yml"
    assert playbook.exists() or f"```yaml\n# {name}\n" in page.read_text()
    for text in given.get("-e", ()):
        variables = json.loads(text) if text.startswith("{") else dict([text.split("=", 1)])
        for variable, value in variables.items():
            if variable in role_options:
                check_variable(role_options, documented, variable, value)
            else:
                assert variable in playbook.read_text()


def test_the_spec_of_the_example_is_valid(documented):
    spec = yaml.safe_load((ROOT / "examples" / "spec.yml").read_text())["cruntime_spec"]
    check_task(documented, "cruntime_enable", spec)


def test_the_action_group_has_all_modules_that_document_it(documented):
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    members = [
        name for name, page in documented.items() if "action_group" in page["doc"]["attributes"]
    ]
    assert sorted(groups["cruntime"]) == sorted(members)
    # An option that is set for the group must be an option of all its modules.
    shared = set.intersection(*(set(documented[name]["doc"]["options"]) for name in members))
    assert "runtime" in shared


#: Options that are required in addition to those of the group.
REQUIRED = {"cruntime_containers": {"state": "stopped"}}


def test_a_play_sets_an_option_for_the_whole_action_group(ansible_command, tmp_path):
    (members,) = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())[
        "action_groups"
    ].values()
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {f"group/{PREFIX}cruntime": {"runtime": "rkt"}},
        "tasks": [
            {f"{PREFIX}{name}": REQUIRED.get(name), "ignore_errors": True} for name in members
        ],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    text = ansible_command("ansible-playbook", "--connection", "local", playbook)
    for task in json.loads(text)["plays"][0]["tasks"]:
        assert "rkt" in task["hosts"]["localhost"]["msg"]


def strings_in(tree):
    """Yield the strings in a program, with … for the parts that are inserted at run time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield "".join(parts)


def texts_in(tree):
    """Yield the strings in YAML, and the quoted strings of Jinja expressions."""
    if isinstance(tree, str):
        yield " ".join(tree.split())
        yield from re.findall(r"'([^']*)'", tree)
    elif isinstance(tree, (dict, list)):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from texts_in(each)


MESSAGES = re.findall(r"^`(.+)`$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def messages():
    """Return all messages of the code and the roles."""
    playbooks = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    return [
        *(
            text
            for path in (ROOT / "plugins").rglob("*.py")
            for text in strings_in(ast.parse(path.read_text()))
        ),
        *(text for path in playbooks for text in texts_in(yaml.safe_load(path.read_text()))),
    ]


@pytest.mark.parametrize("message", MESSAGES)
def test_quoted_messages_are_messages_of_the_code(messages, message):
    pattern = re.compile(".*?".join(re.escape(part) for part in message.split("…")), re.DOTALL)
    assert any(pattern.fullmatch(text) for text in messages), message


OPTION = re.compile(r"`([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)*)(?:: [^`]*)?`")


def names_in(spec, path=""):
    """Yield each option by its path, with [] for lists."""
    for name, option in spec.items():
        inner = option.get("options", {})
        yield path + name
        mark = "[]" if option.get("elements") == "dict" else ""
        if mark:
            yield path + name + mark
        yield from names_in(inner, f"{path}{name}{mark}.")


def known_names(documented):
    names = set()
    for page in documented.values():
        names |= set(names_in(argument_spec(page["doc"]["options"])))
        names |= set(page["return"])
    for role in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(role.read_text())["argument_specs"].values():
            names |= set(entry["options"])
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    # A page can name a sub-option without the path of its parent.
    return names | {name.rpartition(".")[2] for name in names} | set(MODULES) | playbooks


@pytest.mark.parametrize("page", ["from-kubespray.md", "from-community-docker.md"])
def test_names_on_a_migration_page_exist(documented, page):
    known = known_names(documented)
    rows = re.findall(r"^\| (?!---)(?:.*?) \| (.*) \|$", (ROOT / "docs" / page).read_text(), re.M)
    named = [name for row in rows for name in OPTION.findall(row)]
    assert len(named) > 20
    assert [name for name in named if name.removeprefix(PREFIX) not in known] == []


def test_names_of_community_docker_exist(ansible_doc):
    page = (ROOT / "docs" / "from-community-docker.md").read_text()
    rows = [
        re.findall(r"`(\w+)(?:: (\w+))?`", row)
        for row in re.findall(r"^\| (`docker_.*?) \| ", page, re.MULTILINE)
    ]
    modules = {name for row in rows for name, _value in row if name.startswith("docker_")}
    assert len(rows) > 10
    assert len(modules) > 3
    known = ansible_doc(*(f"community.docker.{name}" for name in modules))
    for row in rows:
        for name, value in row:
            if name.startswith("docker_"):
                options = known[name]["doc"]["options"]
                continue
            assert name in options, row
            assert value in ("", "true", "false", *options[name].get("choices", ())), row


def list_tests():
    """Return the names of all tests, each as FILE::TEST."""
    return {
        f"{path.name}::{node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


def promises_in(text):
    """Return the promises of a security policy: the items of its lists, as text."""
    items = re.findall(r"^- (.*(?:\n  .*)*)", text, re.MULTILINE)
    return [" ".join(item.split()) for item in items]


PROMISES = promises_in((ROOT / "SECURITY.md").read_text())


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_of_the_security_policy_names_its_tests(promise):
    named = re.findall(r"`(test_\w+\.py::test_\w+)`", promise)
    assert named
    assert set(named) - list_tests() == set()


def test_the_security_policy_has_promises():
    assert len(PROMISES) >= 8
