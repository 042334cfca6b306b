# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rendered file is parsed again with a parser of its format."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.plugin_utils import formats, render
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import (
    CRI_V2,
    CRI_V3,
    IMAGES_V3,
    PAUSE,
    checked,
    daemon_json,
    files,
    toml,
)

IMPORTS = ["/etc/containerd/conf.d/*.toml", "/etc/containerd/config.d/*.toml"]
CERTS = {"registry": {"config_path": "/etc/containerd/certs.d"}}


@pytest.mark.parametrize(("driver", "uses_systemd"), [("systemd", True), ("cgroupfs", False)])
@pytest.mark.parametrize("wanted", ["auto", None])
def test_containerd_1(driver, uses_systemd, wanted):
    config = toml(2, driver, cgroup_driver=wanted or driver, sandbox_image=PAUSE)
    assert config["version"] == 2
    assert config["imports"] == IMPORTS
    cri = config["plugins"][CRI_V2]
    assert cri["sandbox_image"] == PAUSE
    assert cri["containerd"]["runtimes"]["runc"] == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"SystemdCgroup": uses_systemd},
    }


@pytest.mark.parametrize(("driver", "uses_systemd"), [("systemd", True), ("cgroupfs", False)])
def test_containerd_2(driver, uses_systemd):
    config = toml(3, driver, cgroup_driver=driver, sandbox_image=PAUSE)
    assert config["version"] == 3
    assert config["plugins"][IMAGES_V3] == {"pinned_images": {"sandbox": PAUSE}, **CERTS}
    assert config["plugins"][CRI_V3]["containerd"]["runtimes"]["runc"] == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"SystemdCgroup": uses_systemd},
    }


def test_options_that_are_not_set_are_left_to_the_runtime():
    assert "sandbox_image" not in toml(2)["plugins"][CRI_V2]
    assert set(toml(3)["plugins"]) == {CRI_V3, IMAGES_V3}


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_docker(driver):
    assert daemon_json(driver, cgroup_driver="auto") == {
        "exec-opts": [f"native.cgroupdriver={driver}"]
    }


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_crictl_has_the_default_socket_of_the_node_code(runtime):
    endpoint = runtimes(Runner())[runtime].cri_endpoint
    spec = {"cri_service": True} if runtime == "docker" else {}
    text = files(runtime=runtime, **spec)["/etc/crictl.yaml"]["content"]
    assert re.findall(r"^(.*)-endpoint: (.*)$", text, re.MULTILINE) == [
        ("runtime", endpoint),
        ("image", endpoint),
    ]


def test_extra_config_is_merged_table_by_table():
    extra = {"plugins": {CRI_V2: {"restrict_oom_score_adj": True}}, "oom_score": -999}
    config = toml(2, sandbox_image=PAUSE, extra_config=extra)
    assert config["oom_score"] == -999
    assert config["plugins"][CRI_V2]["restrict_oom_score_adj"] is True
    assert config["plugins"][CRI_V2]["sandbox_image"] == PAUSE


def test_extra_config_for_docker():
    assert daemon_json(extra_config={"debug": True, "log-opts": {"max-size": "10m"}}) == {
        "exec-opts": ["native.cgroupdriver=systemd"],
        "debug": True,
        "log-opts": {"max-size": "10m"},
    }


def test_extra_config_can_repeat_the_value_of_an_option():
    assert daemon_json(extra_config={"exec-opts": ["native.cgroupdriver=systemd"]})


def test_extra_config_can_set_keys_without_an_option():
    config = toml(2, extra_config={"plugins": {CRI_V2: {"sandbox_image": PAUSE}}})
    assert config["plugins"][CRI_V2]["sandbox_image"] == PAUSE


@pytest.mark.parametrize(
    ("values", "key", "option"),
    [
        (
            {
                "runtime": "docker",
                "extra_config": {"exec-opts": ["native.cgroupdriver=cgroupfs"]},
            },
            "exec-opts",
            "cgroup_driver",
        ),
        (
            {
                "runtime": "docker",
                "cgroup_driver": "auto",
                "extra_config": {"exec-opts": ["native.cgroupdriver=systemd"]},
            },
            "exec-opts",
            "cgroup_driver",
        ),
        (
            {
                "sandbox_image": PAUSE,
                "extra_config": {"plugins": {CRI_V2: {"sandbox_image": "x"}}},
            },
            "sandbox_image",
            "sandbox_image",
        ),
        (
            {
                "sandbox_image": PAUSE,
                "extra_config": {"plugins": {IMAGES_V3: {"pinned_images": {"sandbox": "x"}}}},
            },
            "sandbox",
            "sandbox_image",
        ),
        (
            {
                "extra_config": {
                    "plugins": {
                        CRI_V3: {
                            "containerd": {
                                "runtimes": {"runc": {"options": {"SystemdCgroup": False}}}
                            }
                        }
                    }
                }
            },
            "SystemdCgroup",
            "cgroup_driver",
        ),
        ({"extra_config": {"version": 3}}, "version", "version of containerd"),
    ],
)
def test_a_conflict_of_extra_config_and_an_option_names_both(values, key, option):
    with pytest.raises(SpecError) as refused:
        render.render(checked(**values))
    assert any(
        re.fullmatch(f"extra_config: .*{key} conflicts with .*{option}.*", problem)
        for problem in refused.value.problems
    )


def test_a_value_of_extra_config_is_in_no_message():
    secret = {"plugins": {CRI_V2: {"registry": {"configs": {"a.test": {"auth": "hunter2"}}}}}}
    entries = [{"registry": "a.test", "username": "u", "password": "p"}]
    with pytest.raises(SpecError, match="conflicts with registries") as refused:
        render.render(checked(registries=entries, extra_config=secret))
    assert "hunter2" not in str(refused.value)


def test_extra_config_adds_imports():
    extra = {"imports": ["/etc/nri/*.toml", IMPORTS[1]]}
    assert toml(2, extra_config=extra)["imports"] == [*IMPORTS, "/etc/nri/*.toml"]
    with pytest.raises(SpecError, match=r"^extra_config: imports must be a list$"):
        render.render(checked(extra_config={"imports": "/etc/nri/*.toml"}))


@pytest.mark.parametrize("extra", [{"plugins": 1}, {"exec-opts": {"x": "y"}}])
def test_extra_config_that_changes_the_type_of_a_table(extra):
    runtime = "docker" if "exec-opts" in extra else "containerd"
    with pytest.raises(SpecError, match="extra_config"):
        render.render(checked(runtime=runtime, extra_config=extra))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SCALARS = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9, width=32)
TREES = st.dictionaries(
    TEXT.map(lambda key: "x-" + key),
    st.recursive(
        SCALARS | st.lists(SCALARS, max_size=3),
        lambda inner: st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(TREES)
def test_free_text_is_unchanged_and_adds_no_key(extra):
    bare = toml(2, sandbox_image=PAUSE)
    assert toml(2, sandbox_image=PAUSE, extra_config=extra) == {**bare, **extra}
    bare = toml(3, sandbox_image=PAUSE)
    assert toml(3, sandbox_image=PAUSE, extra_config=extra) == {**bare, **extra}
    assert daemon_json(extra_config=extra) == {**daemon_json(), **extra}


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_templates_are_rendered_without_a_cache_directory(monkeypatch, error):
    def refuse():
        raise error

    cached = files()
    formats._environment.cache_clear()
    monkeypatch.setattr(formats.jinja2, "FileSystemBytecodeCache", refuse)
    try:
        assert files() == cached
    finally:
        formats._environment.cache_clear()


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_only_the_files_that_a_start_reads_need_a_restart(runtime):
    spec = checked(runtime=runtime, **({"cri_service": True} if runtime == "docker" else {}))
    restart = {file["path"]: file["restart"] for file in render.render(spec)}
    assert restart[RUNTIMES[runtime].config_path] is True
    assert restart["/etc/crictl.yaml"] is False


def test_a_configuration_with_a_password_is_secret():
    entries = [{"registry": "a.test", "username": "u", "password": "p"}]
    rendered = render.render(checked(registries=entries))
    config = [file for file in rendered if file["path"] == RUNTIMES["containerd"].config_path]
    assert {file["secret"] for file in config} == {True}


def test_a_node_gets_each_file_once():
    entries = [{"registry": "[::1]:5000", "insecure": True}]
    rendered = render.render(checked(registries=entries))
    counts = Counter(file["path"] for file in rendered)
    several = [path for path, count in counts.items() if count > 1]
    assert len(several) > 1
    for path in several:
        whens = [file["when"] for file in rendered if file["path"] == path]
        assert [{}] not in whens


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_an_invalid_version_of_kubernetes_hides_no_other_problem(runtime):
    with pytest.raises(SpecError) as error:
        checked(runtime=runtime, kubernetes_version="1.34", oci_runtime="nowhere")
    assert len(error.value.problems) == 2
