# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drifted keys of files, without secrets among the values."""

from __future__ import annotations

import json

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.redaction import NOT_SHOWN
from ansible_collections.cruntime.node.plugins.plugin_utils import drift

TOML = "/etc/containerd/config.toml"
JSON = "/etc/docker/daemon.json"
HIDDEN = "(not shown)"


def differences(path, before, after):
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    found = drift.of_files([diff])
    assert {difference.pop("file") for difference in found} == {path}
    return [(item["key"], item["current"], item["desired"]) for item in found]


def test_drifted_keys_of_toml():
    before = 'version = 2\nroot = "/data"\n[plugins."a.b".cni]\nbin_dir = "/x"\n'
    after = 'version = 3\n[plugins."a.b".cni]\nbin_dir = "/x"\nbin_dirs = ["/x", "/y"]\n'
    assert differences(TOML, before, after) == [
        ("version", 2, 3),
        ("plugins.'a.b'.cni.bin_dirs", None, ["/x", "/y"]),
        ("root", "/data", None),
    ]


def test_drifted_keys_of_json_and_of_a_missing_file():
    after = '{"live-restore": true, "log-opts": {"max-size": "1m"}}'
    assert differences(JSON, '{"live-restore": 1}', after) == [
        ("live-restore", 1, True),
        ("log-opts.max-size", None, "1m"),
    ]
    assert differences(JSON, "", '{"debug": true}') == [("debug", None, True)]
    assert differences(JSON, '{"debug": true}', "") == [("debug", True, None)]


def test_tables_in_a_list_are_compared():
    text = '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "{}"\n'
    path = "/etc/containers/registries.conf.d/50-cruntime.conf"
    assert differences(path, text.format("b"), text.format("c")) == [
        ("registry.0.mirror.0.location", "b", "c")
    ]


def test_drifted_keys_of_crictl():
    before, after = (f"runtime-endpoint: unix:///{s}\ntimeout: 10\n" for s in "ab")
    assert differences("/etc/crictl.yaml", before, after) == [
        ("runtime-endpoint", "unix:///a", "unix:///b")
    ]


def test_drifted_links():
    path = "/etc/docker/certs.d/h/ca.crt"
    links = ("link to /etc/ssl/a.pem\n", "link to /etc/ssl/b.pem\n")
    assert differences(path, *links) == [(None, "link to /etc/ssl/a.pem", "link to /etc/ssl/b.pem")]
    assert differences(path, "", links[1]) == [(None, None, "link to /etc/ssl/b.pem")]


def test_equal_values_in_other_notations_do_not_differ():
    assert differences(TOML, "# by hand\nversion = 2\n", "version = 2\n") == [
        (None, "(the same values, written differently)", None)
    ]


def test_unit_changes_are_not_a_file():
    assert drift.of_files([{"after_header": "systemd units", "before": "a", "after": "b"}]) == []


@pytest.mark.parametrize(
    ("path", "before"),
    [
        (TOML, 'password = "hunter2'),
        (TOML, "a = 1\na.b = 'hunter2'\n"),
        (JSON, '["hunter2"]'),
        (JSON, '{"a": hunter2'),
        ("/etc/crictl.yaml", "a: {b: hunter2}\n"),
        ("/etc/crictl.yaml", "a: [hunter2\n"),
        ("/etc/docker/certs.d/h/client.key", "-----BEGIN PRIVATE KEY-----\nhunter2\n"),
        ("/etc/systemd/system/docker.service.d/50-cruntime-proxy.conf", NOT_SHOWN),
        # In YAML, this text is a key and its value.
        ("/etc/crictl.yaml", NOT_SHOWN),
        (JSON, "[" * 100_000),
    ],
)
def test_unreadable_content_is_not_returned(path, before):
    assert differences(path, before, "") == [(None, HIDDEN, None)]
    assert differences(path, "", before) == [(None, None, HIDDEN)]


SECRETS = [
    {"auth": {"username": "hunter2"}},
    {"registry": {"configs": {"h.local": {"auth": {"identitytoken": "hunter2"}}}}},
    {"host": {"https://h": {"header": {"X-Any": "hunter2"}}}},
    {"password": ["hunter2"]},
    {"splunk-token": "hunter2"},
    {"client_secret": "hunter2"},
    {"api_key": "hunter2"},
    {"log-opts": {"Secret": 1, "list": [{"token": "hunter2"}, 1]}},
    {"http-proxy": "http://hunter2@h:1"},
    {"http-proxy": "http://me:hun/ter2@hunter2@h:1"},
    {"url": "https://h/x?a=b&access_token=hunter2&c=d"},
    {"default_env": ["PATH=/bin", "API_TOKEN=hunter2", "HTTP_PROXY=http://a:hunter2@h"]},
    {"https://me:hunter2@h": {"capabilities": ["pull"]}},
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_redacted(secret):
    for path, dump in ((JSON, json.dumps), (TOML, tomlkit.dumps)):
        for texts in ((dump(secret), ""), ("", dump(secret))):
            found = differences(path, *texts)
            assert found
            assert "hunter2" not in str(found)
            assert HIDDEN in str(found)


def test_a_host_that_looks_like_a_secret_redacts_nothing():
    hosts = {"https://auth.local": {"skip_verify": True}, "https://tokens:5000": {"x": 1}}
    assert differences(JSON, "", json.dumps({"host": hosts})) == [
        ("host.'https://auth.local'.skip_verify", None, True),
        ("host.https://tokens:5000.x", None, 1),
    ]


def test_numbers_that_json_does_not_support():
    found = differences(TOML, "a = inf\nb = nan\nc = 1979-05-27\n", "")
    assert found == [("a", "Infinity", None), ("b", "NaN", None), ("c", "1979-05-27", None)]
    json.dumps(found, allow_nan=False)


def test_toml_is_read_down_to_its_leaves():
    text = 'a = [1, true, {b = false}]\nc = 1979-05-27\nd.e = 1.5\nf = "x"\n[[g]]\nh = true\n'
    assert differences(TOML, text, "") == [
        ("a", [1, True, {"b": False}], None),
        ("c", "1979-05-27", None),
        ("d.e", 1.5, None),
        ("f", "x", None),
        ("g.0.h", True, None),
    ]


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
LEAVES = st.booleans() | st.integers() | st.text(max_size=3)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_size=4,
)


@given(TREES, TREES)
def test_keys_differ_exactly_if_their_values_differ(one, other):
    found = differences(JSON, json.dumps(one), json.dumps(other))
    same = [(None, "(the same values, written differently)", None)]
    assert (found == same) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(st.sampled_from([TOML, JSON, "/etc/crictl.yaml"]), st.text(), st.text())
def test_any_text_is_accepted(path, before, after):
    json.dumps(differences(path, before, after), allow_nan=False)
