# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option that decides a key, derived from the rendering."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.plugin_utils import extra_config, render
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import (
    CRI_V2,
    CRI_V3,
    IMAGES_V3,
    checked,
    crio,
    toml,
)

NVIDIA = {"name": "nvidia", "path": "/usr/bin/nvidia-container-runtime"}


def conflicts(**values):
    """Return the options that extra_config conflicts with."""
    with pytest.raises(SpecError) as error:
        render.render(checked(**values))
    assert error.value.reason == "option_invalid"
    options = (problem.partition(" conflicts with ")[2] for problem in error.value.problems)
    return [text.partition(",")[0] for text in options]


def cri(plugin, **tables):
    return {"extra_config": {"plugins": {plugin: tables}}}


@pytest.mark.parametrize(
    ("values", "extra", "option"),
    [
        # The error names the option that the user set, not the option that follows from it.
        ({"gpus": "nvidia"}, cri(CRI_V3, containerd={"default_runtime_name": "x"}), "gpus"),
        (
            {"gpus": "nvidia"},
            cri(CRI_V3, containerd={"runtimes": {"nvidia": {"runtime_type": "x"}}}),
            "gpus",
        ),
        ({"kubernetes_version": "1.34.0"}, cri(CRI_V2, sandbox_image="x"), "kubernetes_version"),
        (
            {"kubernetes_version": "1.34.0"},
            cri(IMAGES_V3, pinned_images={"sandbox": "x"}),
            "kubernetes_version",
        ),
        # Two options set the same value.
        (
            {"gpus": "nvidia", "oci_runtime": "nvidia", "oci_runtimes": [NVIDIA]},
            cri(CRI_V3, containerd={"default_runtime_name": "x"}),
            "gpus",
        ),
        ({"storage": {"root": "/x"}}, {"extra_config": {"root": "/y"}}, "storage.root"),
        ({"rootless": True}, cri(CRI_V2, disable_apparmor=False), "rootless"),
    ],
)
def test_the_option_that_the_user_set_is_named(values, extra, option):
    assert conflicts(**values, **extra) == [option]


@pytest.mark.parametrize(
    ("key", "option"),
    [
        ("monitor_path", "oci_runtimes"),
        ("runtime_root", "oci_runtimes"),
        ("monitor_cgroup", "cgroup_driver"),
    ],
)
def test_a_handler_of_crio_is_decided_as_a_whole(key, option):
    handlers = {"crun": {key: "/x"}}
    extra = {"crio": {"runtime": {"runtimes": handlers}}}
    crun = {"name": "crun", "path": "/usr/bin/crun"}
    values = {"runtime": "crio", "oci_runtimes": [crun], "extra_config": extra}
    assert conflicts(**values) == [option]


def test_one_of_several_options_that_set_the_same_value_is_named():
    extra = cri(CRI_V3, containerd={"default_runtime_name": "x"})
    assert conflicts(gpus="nvidia", oci_runtime="nvidia", log_level="debug", **extra) == ["gpus"]


def test_a_table_in_place_of_a_value_is_no_conflict_with_an_option():
    with pytest.raises(SpecError, match="containerd") as error:
        render.render(checked(gpus="nvidia", **cri(CRI_V3, containerd=1)))
    assert [option for option in ("gpus", "cgroup_driver") if option in str(error.value)] == []


def test_one_of_two_options_that_set_a_value_together_is_named():
    extra = cri(CRI_V2, sandbox_image="x")
    values = {"kubernetes_version": "1.34.0", "image_repository": "r.io"}
    assert conflicts(**values, **extra) == ["image_repository"]


def test_all_conflicts_are_reported_together():
    extra = {"root": "/y", "grpc": {"address": "/run/y"}, "debug": {"level": "info"}}
    values = {"storage": {"root": "/x"}, "socket": "/run/x", "log_level": "debug"}
    assert conflicts(**values, extra_config=extra) == ["storage.root", "socket", "log_level"]


def test_a_required_plugin_stays_required():
    extra = {"required_plugins": ["io.containerd.x.v1"]}
    for version in (2, 3):
        assert toml(version, extra_config=extra)["required_plugins"] == [
            "io.containerd.grpc.v1.cri",
            "io.containerd.x.v1",
        ]
    with pytest.raises(SpecError, match="required_plugins must be a list"):
        render.render(checked(extra_config={"required_plugins": ""}))


def test_extra_config_replaces_what_the_collection_writes_by_itself():
    network = {"plugin_dirs": ["/x"]}
    assert crio(extra_config={"crio": {"network": network}})["network"] == network
    for key, value in (("bin_dir", "/x"), ("bin_dirs", ["/x"])):
        tables = {CRI_V2: {"cni": {key: value}}, CRI_V3: {"cni": {key: value}}}
        for version, plugin in ((2, CRI_V2), (3, CRI_V3)):
            config = toml(version, extra_config={"plugins": tables})
            assert config["plugins"][plugin]["cni"] == {key: value}


def test_problems_and_refusals_are_reported_together():
    with pytest.raises(SpecError) as error:
        checked(
            metrics="x",
            kubernetes_version="1.34",
            live_restore=False,
            cri_service=True,
            registries=[{"registry": "a.test", "rewrite": "b.test"}],
        )
    problems = "\n".join(error.value.problems)
    for option in ("metrics", "kubernetes_version", "live_restore", "cri_service", "registries"):
        assert option in problems
    assert len(error.value.problems) == 5
    assert error.value.reason == "option_invalid"
    with pytest.raises(SpecError) as error:
        checked(live_restore=False)
    assert error.value.reason == "option_unsupported"


def test_an_undeclared_version_is_an_error_of_the_template(tmp_path, monkeypatch):
    rendering = render.RENDERINGS["containerd"]
    with pytest.raises(ValueError, match="not in tuple"):
        rendering.render_template("containerd/hosts.toml.j2", {"has_ipv6": True}, "1.9.0")


def test_only_the_keys_of_rendered_values_have_an_option():
    asked = []

    def merge(**extra):
        spec = checked(runtime="docker", extra_config=extra)
        text = '{"debug": true, "log-opts": {"max-file": "3"}}'
        extra_config.merge(render.RENDERINGS["docker"], spec, text, asked.append)

    merge(mtu=1400)
    with pytest.raises(SpecError, match="log-opts"):
        merge(**{"log-opts": 1})
    assert asked == []
    merge(debug=False)
    assert asked == [("debug",)]
