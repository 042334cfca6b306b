# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role runtime are rejected before anything is changed."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.plugin_utils import role_variables
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError

OPTIONS = role_variables.load_options()
DOCKER = {"runtime_spec": {"runtime": "docker"}}
NAMED = "Must be NAME or NAME=VERSION without blanks"
VERSION = "Must be a version without blanks"
NAMES = "The names become names of files and must differ"
TEXT = "text in place of a list or dictionary"
DIRECTORY_ONLY = "cannot be used with runtime_repositories, runtime_version or versions of packages"
CHECKSUM = "URL requires a checksum"
CRICTL = "https://packages.example.com/crictl.tar.gz"


def repositories(*names, **more):
    return [{"name": name, "url": "file:/srv", **more} for name in names]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"extra_packages": ["containerd.io=1.7.24*", "runc", "libc6:amd64=2.41-12+deb13u1"]},
        {
            "packages": ["docker-ce=5:28.0.4-1~debian.13~trixie"],
            "extra_packages": ["a+b_c=3:1^2~3"],
        },
        {"packages": ["docker-ce=1"], "extra_packages": ["docker-ce=1", "docker-ce"]},
        {"packages": []},
        {"version": "1.7.*"},
        {"version": 28},
        {"package_dir": "/srv"},
        {"repositories": repositories("docker", "cri-o_1.34")},
        {"repositories": repositories("a", key="http://r.test/key", key_checksum="x")},
        {"repositories": repositories("a", key="file:///srv/key")},
        {"repositories": repositories("a", key="/srv/key")},
        {"crictl_archive": CRICTL, "crictl_checksum": "sha256:00"},
        {"crictl_archive": "/srv/crictl.tar.gz"},
    ],
    ids=str,
)
def test_valid_variables(given):
    role_variables.validate(OPTIONS, {**DOCKER, **prefixed(given)})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"extra_packages": ["=1"]}, NAMED),
        ({"extra_packages": ["runc="]}, NAMED),
        ({"extra_packages": ["runc =1"]}, NAMED),
        ({"extra_packages": ["runc= 1"]}, NAMED),
        ({"extra_packages": ["runc=1=2"]}, NAMED),
        ({"extra_packages": ["runc=1\n"]}, NAMED),
        ({"extra_packages": [""]}, NAMED),
        ({"packages": ["--purge"]}, NAMED),
        ({"packages": ["docker-ce", "runc/sid"]}, NAMED),
        (
            {"packages": ["docker-ce=1"], "extra_packages": ["docker-ce=2"]},
            "must not have two versions",
        ),
        ({"packages": "docker-ce"}, f"runtime_packages: {TEXT}"),
        ({"spec": "runtime=docker"}, "runtime_spec: not a dictionary"),
        ({"kernel_modules": "overlay,br_netfilter"}, f"runtime_kernel_modules: {TEXT}"),
        ({"sysctls": "net.ipv4.ip_forward=1"}, f"runtime_sysctls: {TEXT}"),
        ({"version": "1.7 2"}, VERSION),
        ({"version": "=1.7"}, VERSION),
        ({"version": "1.7\n"}, VERSION),
        ({"version": 1.10}, "runtime_version: 1.1: not text: YAML reads the value as a number"),
        ({"package_dir": "/srv", "version": "1"}, DIRECTORY_ONLY),
        ({"package_dir": "/srv", "extra_packages": ["runc=1"]}, DIRECTORY_ONLY),
        ({"package_dir": "/srv", "repositories": repositories("a")}, DIRECTORY_ONLY),
        ({"repositories": repositories("a", key="https://r.test/key")}, CHECKSUM),
        ({"repositories": repositories("a/b")}, NAMES),
        ({"repositories": repositories("..")}, NAMES),
        ({"repositories": repositories(".hidden")}, NAMES),
        ({"repositories": repositories("a b")}, NAMES),
        ({"repositories": repositories("")}, NAMES),
        ({"repositories": repositories("a+b")}, NAMES),
        ({"repositories": repositories("a\n")}, NAMES),
        ({"repositories": repositories("a", "b", "a")}, NAMES),
        ({"repositories": [{"name": "a"}]}, "missing required arguments: url"),
        ({"crictl_archive": CRICTL}, CHECKSUM),
        ({"hold": "perhaps"}, "runtime_hold"),
        ({"state": "abset"}, "present, absent"),
        ({"spec": {"runtime": "docker", "state": "disabled"}}, "set runtime_state instead"),
    ],
    ids=str,
)
def test_invalid_variables(given, sentence):
    with pytest.raises(SpecError) as refused:
        role_variables.validate(OPTIONS, {**DOCKER, **prefixed(given)})
    assert sentence in str(refused.value)


def test_values_have_the_types_of_the_argument_spec():
    # -e name=value sets a text.
    given = {"hold": "false", "version": 28, "repositories": repositories("a", pin="900")}
    values = role_variables.validate(OPTIONS, {**DOCKER, **prefixed(given)})
    assert (values["runtime_hold"], values["runtime_version"]) == (False, "28")
    assert values["runtime_repositories"][0]["pin"] == 900
    assert values["runtime_packages"] is None


def prefixed(given):
    return {f"runtime_{name}": value for name, value in given.items()}
