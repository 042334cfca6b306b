# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says is so: examples, options, messages, names."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
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
    """Walk YAML down to the tasks that call a module of this collection."""
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


def code(page, language):
    """Return the blocks of code of a page in one language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+# .*$", "", block, flags=re.MULTILINE) for block in blocks]


@pytest.fixture(scope="module")
def ansible_command(tmp_path_factory):
    """Return a function that returns what one of Ansible's commands prints."""
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
    """Return the pages of this collection's modules."""
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
        # What is the same as elsewhere refers to it.
        assert "sample" in value or "M(" in str(value["description"]), name
    assert page["examples"]


@pytest.mark.parametrize("module", MODULES)
def test_samples_are_as_documented(module):
    page = page_of(module)
    samples = {name: entry["sample"] for name, entry in page.items() if "sample" in entry}
    assert surprises(module, samples) == []


def test_a_result_that_a_page_says_nothing_of_is_found():
    result = {"running": ["containerd", 1], "cgroup_version": True, "runtimes": {"crio": {"x": 1}}}
    assert surprises("cruntime_info", {**result, "changed": False, "images": None}) == [
        "running is documented to hold str, but holds 1",
        "cgroup_version is documented as int, but is True",
        "runtimes.crio.x is not documented",
        "images is none, of which its description says nothing",
    ]


def variables_in(data):
    """Walk YAML down to the variables of the roles."""
    for item in data if isinstance(data, list) else data.values():
        if isinstance(item, (dict, list)):
            yield from variables_in(item)
    if isinstance(data, dict):
        yield from ((key, data[key]) for key in data if re.match("(runtime|switch)_", str(key)))


@pytest.fixture(scope="module")
def of_roles():
    """Return the argument spec of all variables of the roles."""
    specs = [
        yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
    ]
    return argument_spec({name: option for each in specs for name, option in each.items()})


def check_variable(of_roles, documented, name, given):
    assert name in of_roles
    # The others that a role needs are elsewhere.
    validated = ArgumentSpecValidator({name: of_roles[name]}).validate({name: given})
    assert validated.error_messages == []
    if name.endswith("_spec"):
        check_task(documented, "cruntime_enable", given)


def examples_in(page):
    """Return the tasks of our modules and the variables of our roles that a page shows."""
    trees = [yaml.safe_load(block) for block in code(page, "yaml")]
    return [each for tree in trees for each in (*tasks_in(tree), *variables_in(tree))]


@pytest.mark.parametrize(
    "page", filter(examples_in, PAGES), ids=lambda page: str(page.relative_to(ROOT))
)
def test_examples_of_pages_are_valid(documented, of_roles, page):
    for name, given in examples_in(page):
        if name in MODULES:
            check_task(documented, name, given)
        else:
            check_variable(of_roles, documented, name, given)


def test_the_spec_of_the_example_is_valid(documented):
    spec = yaml.safe_load((ROOT / "examples" / "spec.yml").read_text())["cruntime_spec"]
    check_task(documented, "cruntime_enable", spec)


def test_the_action_group_is_that_of_the_modules(documented):
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    members = [
        name for name, page in documented.items() if "action_group" in page["doc"]["attributes"]
    ]
    assert sorted(groups["cruntime"]) == sorted(members)
    # What is given for all of them must be an option of all of them.
    shared = set.intersection(*(set(documented[name]["doc"]["options"]) for name in members))
    assert "runtime" in shared


#: Options that are required in addition to those of the group.
REQUIRED = {"cruntime_containers": {"state": "stopped"}}


def test_a_play_gives_an_option_to_the_whole_action_group(ansible_command, tmp_path):
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
    words = ansible_command("ansible-playbook", "--connection", "local", playbook)
    for task in json.loads(words)["plays"][0]["tasks"]:
        assert "rkt" in task["hosts"]["localhost"]["msg"]


def words_of(tree):
    """Yield the texts in a program, with … for what is only known when it runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield "".join(parts)


def texts_in(tree):
    """Yield the texts in YAML, with what Jinja has in quotes as texts of its own."""
    if isinstance(tree, str):
        yield " ".join(tree.split())
        yield from re.findall(r"'([^']*)'", tree)
    elif isinstance(tree, (dict, list)):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from texts_in(each)


MESSAGES = re.findall(r"^`(.+)`$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def said():
    """Return all that the code and the roles can say."""
    playbooks = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    return [
        *(
            words
            for path in (ROOT / "plugins").rglob("*.py")
            for words in words_of(ast.parse(path.read_text()))
        ),
        *(words for path in playbooks for words in texts_in(yaml.safe_load(path.read_text()))),
    ]


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_are_those_of_the_code(said, message):
    pattern = re.compile(".*?".join(re.escape(part) for part in message.split("…")), re.DOTALL)
    assert any(pattern.fullmatch(words) for words in said), message


OPTION = re.compile(r"`([a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)*)(?:: [^`]*)?`")


def names_in(spec, path=""):
    """Yield every option by its path, those of lists with []."""
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
    # A sub-option may stand for itself, behind one that has its path.
    return names | {name.rpartition(".")[2] for name in names} | set(MODULES) | playbooks


@pytest.mark.parametrize("page", ["from-kubespray.md", "from-community-docker.md"])
def test_what_a_page_points_to_exists(documented, page):
    known = known_names(documented)
    rows = re.findall(r"^\| (?!---)(?:.*?) \| (.*) \|$", (ROOT / "docs" / page).read_text(), re.M)
    named = [name for row in rows for name in OPTION.findall(row)]
    assert len(named) > 20
    assert [name for name in named if name.removeprefix(PREFIX) not in known] == []


def test_what_a_page_says_of_community_docker_is_so(ansible_doc):
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
