# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of a spec, for any runtime."""

from __future__ import annotations

import datetime
import pathlib
import re

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.options import ENABLE
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.plugins.plugin_utils.spec import find_unquoted
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import checked


@pytest.mark.parametrize("image", ["pause:3.10\nversion = 1", 'pause"', "", "-x", "Pause:1"])
def test_an_invalid_sandbox_image_is_rejected(image):
    with pytest.raises(SpecError, match="sandbox_image must be an image reference"):
        checked(sandbox_image=image)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kubernetes_version": "1.34"}, "kubernetes_version must be a full version"),
        ({"kubernetes_version": "vv1.34.0"}, "kubernetes_version must be a full version"),
        ({"kubernetes_version": "1.34.0\n"}, "kubernetes_version must be a full version"),
        (
            {"image_repository": "r.io"},
            "image_repository requires kubernetes_version or sandbox_image",
        ),
        ({"image_repository": "https://r.io", "sandbox_image": "x"}, "image_repository must be"),
        ({"image_repository": "r.io/", "kubernetes_version": "1.34.0"}, "image_repository must"),
        ({"cni": {"bin_dirs": ["opt"]}}, "cni.bin_dirs must be an absolute path"),
        ({"cni": {"bin_dirs": ["/a\x07"]}}, "cni.bin_dirs must be an absolute path"),
        ({"cni": {"conf_dir": ""}}, "cni.conf_dir must be an absolute path"),
        ({"oci_runtimes": [{"name": "a/b", "path": "/x"}]}, r"oci_runtimes\[0\].name must be"),
        ({"oci_runtimes": [{"name": "a.b", "path": "/x"}]}, "name must be a DNS label"),
        ({"oci_runtimes": [{"name": "a", "path": "x"}]}, r"oci_runtimes\[0\].path must be"),
        (
            {"oci_runtimes": [{"name": "a", "path": "/x", "shim": 'x"y'}]},
            r"oci_runtimes\[0\].shim must begin",
        ),
        ({"oci_runtimes": [{"name": "a", "path": "/x"}] * 2}, "the OCI runtime a is set twice"),
        (
            {"oci_runtimes": [{"name": "a", "path": "/x", "base_spec": {"process": 1}}]},
            r"oci_runtimes\[0\].base_spec: process must be a dictionary",
        ),
        (
            {"oci_runtimes": [{"name": "a", "path": "/x", "base_spec": {"hostname": None}}]},
            r"oci_runtimes\[0\].base_spec: hostname must not be null",
        ),
        (
            {
                "oci_runtimes": [
                    {"name": "a", "path": "/x", "base_spec": {"process": {"rlimits": []}}}
                ],
                "ulimits": {"core": {"soft": 0, "hard": 0}},
            },
            "process.rlimits conflicts with ulimits",
        ),
        ({"proxy": {"http": "proxy:3128"}}, "proxy.http must begin with"),
        ({"proxy": {"https": "http://u:p@"}}, "the host in proxy.https"),
        ({"proxy": {"https": "http://@h"}}, "proxy.https must not contain a user"),
        ({"proxy": {"https": 'http://u:"@h'}}, "valid in a URL.*percent-encoded.*for a blank$"),
        ({"proxy": {"https": "http://u:p\nx@h"}}, "valid in a URL.*percent-encoded.*for a blank$"),
        ({"proxy": {"no_proxy": ["a b"]}}, "proxy.no_proxy must be hosts"),
        ({"proxy": {"no_proxy": ["a\nUser=x"]}}, "proxy.no_proxy must be hosts"),
        # systemd could not parse the file.
        ({"proxy": {"no_proxy": ["a\uffff"]}}, "proxy.no_proxy must be hosts"),
        ({"storage": {"root": "x"}}, "storage.root must be an absolute path"),
        ({"storage": {"driver": "a b"}}, "storage.driver must begin with"),
        ({"metrics": "127.0.0.1"}, "metrics must be an address with a port"),
        ({"metrics": ":1338"}, "metrics must be a host"),
        ({"metrics": "::1:1338"}, "metrics must be a host"),
        ({"ulimits": {"files": {"soft": 1, "hard": 1}}}, "ulimits: unknown limit 'files'"),
        ({"ulimits": {"nofile": 1024}}, "ulimits.nofile must have the keys soft and hard"),
        ({"ulimits": {"nofile": {"soft": 1}}}, "ulimits.nofile must have the keys soft and hard"),
        ({"ulimits": {"nofile": {"soft": 1, "hard": "1k"}}}, "must have integers"),
        ({"ulimits": {"nofile": {"soft": 1, "hard": True}}}, "must have integers"),
        ({"ulimits": {"nofile": {"soft": 2, "hard": 1}}}, "soft must not be greater than hard"),
        ({"ulimits": {"nofile": {"soft": -1, "hard": 1}}}, "soft must not be greater than hard"),
        ({"container_logs": {"max_size": "100Mi"}}, "container_logs.max_size must be a size"),
        ({"container_logs": {"max_size": "0"}}, "container_logs.max_size must be a size"),
        (
            {"service": {"limits": {"files": {"soft": 1, "hard": 1}}}},
            "service.limits: unknown limit 'files'",
        ),
        (
            {"service": {"limits": {"core": {"soft": 2, "hard": 1}}}},
            "service.limits.core: soft must not be greater than hard",
        ),
        ({"service": {"slice": "kube"}}, "service.slice must be the name of a slice"),
        ({"service": {"slice": "a--b.slice"}}, "service.slice must be the name of a slice"),
        ({"service": {"slice": "a.slice\nUser=x"}}, "service.slice must be the name of a slice"),
        ({"service": {"oom_score_adjust": -1001}}, "must be from -1000 to 1000, not -1001"),
        ({"service": {"environment": {"A B": "x"}}}, "'A B' must be the name of a variable"),
        ({"service": {"environment": {"A": 1}}}, "environment.A must be text without control"),
        ({"service": {"environment": {"A": "x\ny"}}}, "environment.A must be text without control"),
        ({"service": {"environment": {"http_proxy": "x"}}}, "set by the option proxy"),
        ({"service": {"environment": {None: "x"}}}, "None must be the name of a variable"),
        ({"image_pulls": {"parallel": 0}}, "image_pulls.parallel must be at least 1, not 0"),
        ({"image_pulls": {"parallel": 2**31}}, "image_pulls.parallel must be at most 2147483647"),
        (
            {"image_pulls": {"parallel": 2}, "kubernetes_version": "1.26.4"},
            "image_pulls.parallel must be 1 with kubernetes_version 1.26.4",
        ),
        ({"image_gc": {"high_percent": 101}}, "image_gc.high_percent must be a percentage"),
        ({"image_gc": {"low_percent": -1}}, "image_gc.low_percent must be a percentage"),
        # The default of the other limit applies.
        ({"image_gc": {"high_percent": 80}}, "must be less than .* 80 and 80. Set both"),
        ({"image_gc": {"low_percent": 85}}, "must be less than .* 85 and 85. Set both"),
        ({"container_logs": {"max_size": "1m", "max_files": 0}}, "max_files must be at least 1"),
        ({"pinned_images": ["x", "A b"]}, "pinned_images must be image references, not 'A b'"),
        ({"socket": "run/x"}, "socket must be an absolute path"),
        ({"socket": "/run/x y"}, "socket must be an absolute path"),
        ({"socket": "/run/x\n"}, "socket must be an absolute path"),
        ({"socket": "/" + "x" * 107}, "socket must be an absolute path"),
    ],
)
def test_invalid_values_are_rejected(values, message):
    with pytest.raises(SpecError, match=message):
        checked(**values)


@pytest.mark.parametrize("url", ["http://u:geheim@/", "u:geheim@h", "https://u:geheim@h?x"])
def test_a_password_is_in_no_message(url):
    with pytest.raises(SpecError) as caught:
        checked(proxy={"http": url})
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"debug": True, "a": {"b": [1, 2.5, "x\ny\"'"]}},
        {"plugins": {"io.containerd.grpc.v1.cri": {"enable_cdi": True}}},
    ],
)
def test_extra_config_that_can_be_rendered(extra):
    checked(extra_config=extra)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"a": {"b": None}}, r"a\.b must not be null"),
        ({"a": [None]}, "a must not be null"),
        ({1: "x"}, "1: a key must be a string"),
        ({"": "x"}, "a key must be a string"),
        (
            {"io.x": {"y": datetime.date(2026, 1, 1)}},
            r"'io\.x'\.y must be a string, a finite number",
        ),
        ({"a": float("nan")}, "a must be a string, a finite number"),
        ({"a": [float("inf")]}, "a must be a string, a finite number"),
    ],
)
def test_extra_config_that_cannot_be_rendered(extra, message):
    with pytest.raises(SpecError, match=message):
        checked(extra_config=extra)


def test_each_option_is_in_the_table_or_in_the_text_before_it():
    page = (pathlib.Path(__file__).parents[4] / "docs" / "spec.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    text = " ".join([page.partition("## Files")[0], *rows])
    named = {re.split(r"[.:\[]", name)[0] for name in re.findall("`([^`]+)`", text)}
    assert ENABLE.keys() - named == set()


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"kubernetes_version": 1.30}, "kubernetes_version"),
        ({"sandbox_image": 3}, "sandbox_image"),
        ({"registries": [{"registry": "a"}, {"password": 493}]}, "registries[1].password"),
        ({"registries": [{"mirrors": [{"url": True}]}]}, "registries[0].mirrors[0].url"),
        ({"cni": {"bin_dirs": ["/a", 1.5]}}, "cni.bin_dirs[1]"),
        ({"container_logs": {"max_size": 100, "max_files": 5}}, "container_logs.max_size"),
    ],
)
def test_a_number_in_place_of_text(options, path):
    (problem,) = find_unquoted(options, ENABLE)
    assert problem.startswith(f"{path}: not text: ")
    # The value can be a password.
    assert "493" not in problem


def test_text_and_numbers_in_their_places():
    options = {
        "runtime": "docker",
        "timeout": 5,
        "rootless": True,
        "live_restore": False,
        "extra_config": {"debug": True, "mtu": 1500},
        "ulimits": {"nofile": {"soft": 1, "hard": 2}},
        "registries": [{"registry": "a", "insecure": True, "mirrors": [{"headers": {"a": 1}}]}],
        "cni": "text in place of a dictionary",
        "unknown_option": 5,
    }
    assert list(find_unquoted(options, ENABLE)) == []
