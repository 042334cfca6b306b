# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of an image request, before the node is queried."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import request

HEX = "0" * 64


def parse(**task):
    result = ArgumentSpecValidator(request.OPTIONS).validate(task)
    assert not result.error_messages
    return request.parse(result.validated_parameters)


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ({"name": ["a"]}, "pull"),
        ({"archive": ["/a.tar"]}, "archive"),
        ({"name": ["a"], "archive": ["/a.tar"]}, "archive"),
        ({"name": ["a"], "source_image": "b"}, "source_image"),
        ({"name": ["a"], "build": {"context": "/c"}}, "build"),
        ({"preload": "/p"}, "preload"),
        ({"prune": {}}, "pull"),
        ({"name": ["a"], "state": "absent"}, None),
    ],
)
def test_the_options_select_the_source_of_an_image(task, source):
    assert parse(**task).source == source


def test_build_arguments_are_converted_from_yaml():
    build = {"context": "/c", "args": {"A": True, "B": 1, "C": "No"}}
    request_ = parse(name=["a"], build=build)
    assert request.build_args(request_.options["build"]) == {"A": "true", "B": "1", "C": "No"}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({}, "name, archive, preload or prune"),
        ({"state": "absent"}, "state=absent requires name"),
        ({"name": ["a"], "archive": ["/a"], "source_image": "b"}, "archive and source_image"),
        ({"name": ["a"], "archive": ["/a"], "pull": "always"}, "pull cannot be used with"),
        (
            {"name": ["a"], "source_image": "b", "platform": "linux/arm64"},
            "platform cannot be used",
        ),
        ({"name": ["a"], "state": "absent", "push": True}, "push cannot be used with"),
        ({"name": ["a"], "all_tags": True}, "all_tags can only be used"),
        ({"source_image": "b"}, "source_image requires name"),
        ({"name": [HEX], "source_image": "b"}, "it is a digest"),
        ({"name": [f"a@sha256:{HEX}"], "push": True}, "cannot be pushed"),
        ({"archive": ["/a"], "push": True}, "export_path and push require name"),
        ({"name": ["a"], "insecure": True}, "insecure applies only to push"),
        (
            {"name": ["a"], "build": {"context": "/c", "args": {"A": None}}},
            "args: A must not be null",
        ),
        ({"name": ["a"], "username": "u"}, "set together"),
        ({"name": ["a"], "username": "u:v", "password": "p"}, "colon"),
        ({"name": ["a"], "username": "u", "password": "p\n"}, "control character"),
        ({"name": ["a"], "platform": "arm"}, "platform must be a platform such as"),
        ({"name": ["a"], "parallel": 0}, "parallel must be 1 or more"),
        ({"name": ["a"], "retries": -1}, "retries must be 0 or more"),
        ({"name": ["a"], "export_path": "a.tar"}, "export_path must be an absolute path"),
        ({"name": ["a"], "export_mode": "0640"}, "export_mode requires export_path"),
        ({"name": ["a"], "export_path": "/a", "export_mode": "416"}, "'416'"),
        ({"name": ["a"], "export_path": "/a", "export_mode": "u=rw"}, "'u=rw'"),
        ({"prune": {"older_than": "1 day"}}, "prune.older_than must be an age such as 7d"),
        ({"name": ["a"], "build": {"context": "c"}}, "build.context must be an absolute path"),
        ({"name": ["a"], "build": {"context": "/c", "args": {"a b": 1}}}, "build.args: 'a b'"),
        ({"name": ["a"], "build": {"context": "/c", "options": ["x"]}}, "build.options: 'x'"),
        ({"name": ["-rf"]}, "begins with '-'"),
        ({"name": ["a b"]}, "white space"),
        ({"name": ["Busybox"]}, "lower-case"),
        ({"name": [f"a@sha256:{HEX}@sha256:{HEX}"]}, "two digests"),
        ({"name": ["a\x1b"]}, r"name: 'a\\x1b' is not a valid image reference"),
        ({"name": [""]}, "is not a valid image reference"),
        ({"name": ["a"], "source_image": "--help"}, "source_image: '--help' is not"),
    ],
)
def test_invalid_requests_are_rejected(task, message):
    with pytest.raises(CruntimeError, match=message) as failed:
        parse(**task)
    assert failed.value.reason == "option_invalid"


def test_values_are_parsed():
    names = ["a", "b", "a", "docker.io/library/a:latest"]
    task = parse(name=names, username="u", password="p", prune={"older_than": "2d"})
    assert task.names == ["a", "b"]
    assert task.credentials == ("u", "p")
    assert task.prune.age == 2 * 86400


@given(st.text(max_size=80))
def test_accepted_names_contain_no_option_and_no_line_break(name):
    try:
        request.check_name("name", name)
    except CruntimeError:
        return
    assert name.isprintable()
    assert not name.startswith("-")
    assert " " not in name
