# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries and mirrors: the files of each runtime, and entries that are not supported."""

from __future__ import annotations

import base64
import json
import re

import pytest

from ansible_collections.cruntime.node.plugins.plugin_utils import render
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import (
    CRI_V2,
    IMAGES_V3,
    checked,
    containerd_file,
    crio,
    daemon_json,
    docker_hosts_toml,
    files,
    hosts_toml,
    links,
    registries_conf,
    toml,
    version_range,
)

PULLS = ["pull", "resolve"]
ALL = ["pull", "resolve", "push"]
CA = "/etc/ssl/ca.pem"
CLIENT = {"client_cert_file": "/etc/ssl/c.pem", "client_key_file": "/etc/ssl/k.pem"}
LOGIN = {"username": "user", "password": "hunter2"}
AUTH = "/etc/crio/cruntime-auth.json"


def hub(*mirrors, **values):
    return [{"registry": "docker.io", "mirrors": list(mirrors), **values}]


def refused(message, runtime="containerd", **values):
    with pytest.raises(SpecError, match=message):
        render.render(checked(runtime=runtime, **values))


# containerd


def test_containerd_reads_one_directory():
    entries = [{"registry": "dev.local"}]
    directory = {"config_path": "/etc/containerd/certs.d"}
    assert toml(2, registries=entries)["plugins"][CRI_V2]["registry"] == directory
    assert toml(3, registries=entries)["plugins"][IMAGES_V3]["registry"] == directory
    # Foreign hosts.toml files stay in effect, and the first entry needs no restart.
    assert toml(2)["plugins"][CRI_V2]["registry"] == directory
    assert toml(3)["plugins"][IMAGES_V3] == {"registry": directory}


def test_hosts_of_docker_io():
    config = hosts_toml(
        "docker.io",
        registries=hub(
            {"url": "https://b.local:5000/", "ca_file": CA, **CLIENT, "capabilities": ["pull"]},
            {"url": "http://a.local"},
            {"url": "https://c.local/v2/hub", "insecure": True, "override_path": True},
        ),
    )
    assert config["server"] == "https://registry-1.docker.io"
    assert list(config["host"].items()) == [
        (
            "https://b.local:5000",
            {"capabilities": ["pull"], "ca": CA, "client": [["/etc/ssl/c.pem", "/etc/ssl/k.pem"]]},
        ),
        ("http://a.local", {"capabilities": PULLS}),
        (
            "https://c.local/v2/hub",
            {"capabilities": PULLS, "skip_verify": True, "override_path": True},
        ),
    ]
    assert set(config) == {"server", "host"}


def test_an_ipv6_host_is_written_for_each_version():
    mirrors = [
        {"url": "https://[fd00::1]:5000", "ca_file": CA, **CLIENT, "headers": {"X-A": "b"}},
        {"url": "https://m.local", "insecure": True},
    ]
    values = {"registries": hub(*mirrors)}
    path = "/etc/containerd/certs.d/docker.io/hosts.toml"
    texts = {
        version: files({"version_range": version_range(version)}, **values)[path]["content"]
        for version in (2, 3)
    }
    # go-toml v1 parses a bracket as the end of the name.
    assert not re.search(r"^\[.*\].*\]", texts[2], re.MULTILINE)
    assert '[host."https://[fd00::1]:5000"]' in texts[3]
    old, new = (hosts_toml("docker.io", version, **values) for version in (2, 3))
    assert old == new
    # The order of the mirrors must be kept.
    assert list(old["host"]) == list(new["host"]) == [mirror["url"] for mirror in mirrors]


def test_other_hosts_are_written_alike_for_all_versions():
    path = "/etc/containerd/certs.d/docker.io/hosts.toml"
    assert files(registries=hub({"url": "https://m.local"}))[path]["when"] == [{}]


def test_credentials_of_ipv6_hosts():
    entries = [{"registry": name, **LOGIN} for name in ("a.local", "[::1]:5000", "[::2]")]
    text = containerd_file(2, registries=entries)["content"]
    assert not re.search(r"^\[.*\].*\]", text, re.MULTILINE)
    for version, plugin in ((2, CRI_V2), (3, IMAGES_V3)):
        configs = toml(version, registries=entries)["plugins"][plugin]["registry"]["configs"]
        assert configs == {entry["registry"]: {"auth": LOGIN} for entry in entries}


def test_headers_make_a_file_secret():
    headers = {"X-Token": 'a"b\\cé', "x.y": ""}
    values = {"registries": hub({"url": "https://m.local", "headers": headers})}
    assert hosts_toml("docker.io", **values)["host"]["https://m.local"]["header"] == headers
    path = "/etc/containerd/certs.d/docker.io/hosts.toml"
    assert files(**values)[path]["secret"] is True
    assert "secret" not in files(registries=hub({"url": "https://m.local"}))[path]


def test_an_insecure_registry_may_use_either_protocol():
    assert hosts_toml(
        "dev.local:5000", registries=[{"registry": "dev.local:5000", "insecure": True}]
    ) == {
        "server": "http://dev.local:5000",
        "host": {"https://dev.local:5000": {"capabilities": ALL, "skip_verify": True}},
    }


def test_an_insecure_registry_that_is_its_own_mirror():
    mirrors = [{"url": "https://dev.local", "insecure": True, "capabilities": ["pull"]}]
    entry = {"registry": "dev.local", "insecure": True, "mirrors": mirrors}
    assert hosts_toml("dev.local", registries=[entry]) == {
        "server": "http://dev.local",
        "host": {"https://dev.local": {"capabilities": ["pull"], "skip_verify": True}},
    }


def test_a_registry_with_its_own_certificates():
    own = {"ca": CA, "client": [["/etc/ssl/c.pem", "/etc/ssl/k.pem"]]}
    entry = {"registry": "dev.local", "ca_file": CA, **CLIENT}
    assert hosts_toml("dev.local", registries=[entry]) == {
        "server": "https://dev.local",
        **own,
        "host": {"https://dev.local": {"capabilities": ALL, **own}},
    }
    mirrors = [{"url": "https://m.local"}]
    assert hosts_toml("dev.local", registries=[dict(entry, mirrors=mirrors)]) == {
        "server": "https://dev.local",
        **own,
        "host": {"https://m.local": {"capabilities": PULLS}},
    }


@pytest.mark.parametrize("name", ["_default", "*"])
def test_a_mirror_of_all_other_registries(name):
    entry = {"registry": name, "mirrors": [{"url": "https://m.local"}]}
    assert hosts_toml("_default", registries=[entry]) == {
        "host": {"https://m.local": {"capabilities": PULLS}}
    }


def test_credentials_are_in_a_secret_file():
    entries = [
        {"registry": "docker.io", "username": "me", "password": 'p"\\é'},
        {"registry": "dev.local:5000", **LOGIN},
        {"registry": "open.local"},
    ]
    configs = {
        "registry-1.docker.io": {"auth": {"username": "me", "password": 'p"\\é'}},
        "dev.local:5000": {"auth": LOGIN},
    }
    registry = {"config_path": "/etc/containerd/certs.d", "configs": configs}
    assert toml(2, registries=entries)["plugins"][CRI_V2]["registry"] == registry
    assert toml(3, registries=entries)["plugins"][IMAGES_V3]["registry"] == registry
    for version in (2, 3):
        assert containerd_file(version, registries=entries)["secret"] is True
        assert "secret" not in containerd_file(version, registries=entries[2:])


# CRI-O


def test_credentials_are_in_a_separate_file():
    entries = [
        {"registry": "docker.io", "username": "me", "password": "é:x"},
        {"registry": "dev.local:5000", **LOGIN},
        {"registry": "open.local"},
    ]
    assert crio(registries=entries)["image"] == {"global_auth_file": AUTH}
    file = files(runtime="crio", registries=entries)[AUTH]
    assert file["secret"] is True
    assert file["restart"] is False
    auths = json.loads(file["content"])["auths"]
    assert {host: base64.b64decode(auth["auth"]).decode() for host, auth in auths.items()} == {
        "docker.io": "me:é:x",
        "dev.local:5000": "user:hunter2",
    }
    assert AUTH not in files(runtime="crio", registries=entries[2:])
    assert "image" not in crio(registries=entries[2:])


def test_registries_conf():
    mirrors = [
        {"url": "https://b.local:5000"},
        {"url": "http://a.local/"},
        {"url": "https://c.local/v2/hub", "override_path": True, "insecure": True},
        {"url": "https://d.local", "capabilities": ["pull"]},
    ]
    entries = [*hub(*mirrors), {"registry": "[::1]:5000", "insecure": True}]
    assert registries_conf(registries=entries) == [
        {
            "prefix": "docker.io",
            "location": "docker.io",
            "insecure": False,
            "mirror": [
                {"location": "b.local:5000", "insecure": False},
                {"location": "a.local", "insecure": True},
                {"location": "c.local/hub", "insecure": True},
                {"location": "d.local", "insecure": False, "pull-from-mirror": "digest-only"},
            ],
        },
        {"prefix": "[::1]:5000", "location": "[::1]:5000", "insecure": True},
    ]


def test_a_registry_with_another_name():
    entry = {"registry": "Quay.io/team", "rewrite": "hub.local:5000/quay/team", "ca_file": CA}
    (found,) = registries_conf(registries=[entry])
    assert found == {
        "prefix": "quay.io/team",
        "location": "hub.local:5000/quay/team",
        "insecure": False,
    }
    assert links(runtime="crio", registries=[entry]) == {
        "/etc/containers/certs.d/hub.local:5000/ca.crt": CA
    }
    file = files(runtime="crio", registries=[{**entry, **LOGIN}])[AUTH]
    assert list(json.loads(file["content"])["auths"]) == ["hub.local:5000"]
    for runtime in ("containerd", "docker"):
        refused(
            f"(?i)quay.io/team: rewrite is not supported with runtime {runtime}",
            runtime,
            registries=[entry],
        )


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ({"headers": {"x": "y"}}, "CRI-O does not support custom headers"),
        ({"capabilities": ["resolve"]}, "the capabilities of the mirror https://m.local"),
        ({"capabilities": ALL}, "the capabilities of the mirror https://m.local"),
        ({"override_path": True}, "URL path that starts with /v2"),
        ({"url": "https://m.local/x", "override_path": True}, "URL path that starts with /v2"),
        ({"url": "https://m.local/v2x", "override_path": True}, "URL path that starts with /v2"),
        ({"url": "https://m.local/v2/x"}, "override_path must be set"),
    ],
)
def test_entries_that_crio_does_not_support(mirror, message):
    refused(message, "crio", registries=hub({"url": "https://m.local", **mirror}))


def test_crio_has_no_mirror_for_all_registries():
    entry = {"registry": "*", "mirrors": [{"url": "https://m.local"}]}
    refused("CRI-O does not support a mirror for all registries", "crio", registries=[entry])


# Certificates in a directory per host


@pytest.mark.parametrize(
    ("runtime", "directory"),
    [("crio", "/etc/containers/certs.d"), ("docker", "/etc/docker/certs.d")],
)
def test_certificates_are_linked(runtime, directory):
    entries = [
        *hub({"url": "https://m.local:5000", "ca_file": CA, **CLIENT}),
        {"registry": "dev.local", "ca_file": "/etc/ssl/dev ca.pem"},
        # The same server, listed again.
        {"registry": "m.local:5000", "ca_file": CA},
    ]
    assert links(runtime=runtime, registries=entries) == {
        f"{directory}/m.local:5000/ca.crt": CA,
        f"{directory}/m.local:5000/client.cert": "/etc/ssl/c.pem",
        f"{directory}/m.local:5000/client.key": "/etc/ssl/k.pem",
        f"{directory}/dev.local/ca.crt": "/etc/ssl/dev ca.pem",
    }
    file = files(runtime=runtime, registries=entries)[f"{directory}/dev.local/ca.crt"]
    assert file == {
        "path": f"{directory}/dev.local/ca.crt",
        "link": "/etc/ssl/dev ca.pem",
        "restart": False,
        "when": [{}],
    }


@pytest.mark.parametrize("runtime", ["crio", "docker"])
def test_one_host_with_two_certificates(runtime):
    entries = [
        *hub({"url": "https://m.local", "ca_file": CA}),
        {"registry": "m.local", "ca_file": "/other.pem"},
    ]
    refused(f"m.local .*ca_file.* {CA} .*/other.pem", runtime, registries=entries)
    assert render.render(checked(registries=entries))


# Docker


def test_docker_registries():
    entries = [
        *hub({"url": "https://m.local:5000/", "insecure": True}, {"url": "http://n.local"}),
        {"registry": "dev.local:5000", "insecure": True},
        {"registry": "m.local:5000", "insecure": True},
    ]
    config = daemon_json(registries=entries)
    assert config["registry-mirrors"] == ["https://m.local:5000", "http://n.local"]
    assert config["insecure-registries"] == [
        "m.local:5000",
        "dev.local:5000",
        "127.0.0.0/8",
        "::1/128",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"registry": "quay.io", **LOGIN},
            "quay.io: username is not supported with runtime docker.*docker login",
        ),
        (
            {"registry": "docker.io", "insecure": True},
            "docker.io: insecure and certificates are not supported",
        ),
        (
            {"registry": "docker.io", "ca_file": CA},
            "docker.io: insecure and certificates are not supported",
        ),
    ],
)
def test_entries_that_docker_does_not_support(entry, message):
    refused(message, "docker", registries=[entry])


FEATURE = "features.containerd-snapshotter"
NEEDS_OF_STORE = [
    ({"registry": "quay.io", "mirrors": [{"url": "https://m.local"}]}, "quay.io: mirrors are"),
    ({"registry": "*", "mirrors": [{"url": "https://m.local"}]}, "mirrors of all registries are"),
    *(
        (hub({"url": "https://m.local", **values})[0], f"docker.io: {subject}")
        for values, subject in (
            ({"capabilities": ["pull"]}, "capabilities other than pull and resolve"),
            ({"headers": {"x": "y"}}, "custom headers"),
            ({"url": "https://m.local/x"}, "paths in the URL of a mirror"),
            ({"override_path": True}, "paths in the URL of a mirror"),
        )
    ),
]


def docker_file(version, in_containerd, entry, **values):
    """Return daemon.json as it is rendered for a node, or why the node does not support it."""
    when = {"version_range": version, "containerd_store": in_containerd}
    return files(when, runtime="docker", registries=[entry], **values)["/etc/docker/daemon.json"]


@pytest.mark.parametrize(("entry", "message"), NEEDS_OF_STORE)
def test_entries_that_need_the_containerd_store_of_docker(entry, message):
    for version, in_containerd in (("25.0.0", True), ("28.0.0", False)):
        (refusal,) = docker_file(version, in_containerd, entry)["refusals"]
        assert refusal.startswith(f"registries: {message}")
        assert FEATURE in refusal
    config = json.loads(docker_file("28.0.0", True, entry)["content"])
    # Docker's own store would use the mirror in another way than the spec requests.
    assert "registry-mirrors" not in config


@pytest.mark.parametrize(("entry", "message"), NEEDS_OF_STORE)
def test_a_spec_that_chooses_the_store_of_docker(entry, message):
    chosen = {"extra_config": {"features": {"containerd-snapshotter": True}}}
    # Docker uses the store from its next start on.
    assert "content" in docker_file("28.0.0", False, entry, **chosen)
    assert "refusals" in docker_file("25.0.0", False, entry, **chosen)
    for values in (
        {"extra_config": {"features": {"containerd-snapshotter": False}}},
        {"extra_config": {"storage-driver": "vfs"}},
        {"storage": {"driver": "overlay2"}},
    ):
        refused(message, "docker", registries=[entry], **values)


def test_a_node_is_asked_for_its_store_only_if_it_matters():
    entries = [*hub({"url": "https://m.local", "ca_file": CA}), {"registry": "dev.local"}]
    for file in render.render(checked(runtime="docker", registries=entries)):
        assert not any("containerd_store" in when for when in file["when"])


def test_hosts_of_docker():
    mirrors = [
        {"url": "https://m.local:5000", "ca_file": CA, **CLIENT},
        {"url": "https://[fd00::1]:5000/v2/hub", "insecure": True, "override_path": True},
        {"url": "http://n.local", "capabilities": ["pull"], "headers": {"X-A": "b"}},
    ]
    values = {"registries": [{"registry": "quay.io", "mirrors": mirrors}]}
    config = docker_hosts_toml("quay.io", **values)
    pairs = [["/etc/ssl/c.pem", "/etc/ssl/k.pem"]]
    assert config["server"] == "https://quay.io"
    assert list(config["host"].items()) == [
        ("https://m.local:5000", {"capabilities": PULLS, "ca": CA, "client": pairs}),
        (
            "https://[fd00::1]:5000/v2/hub",
            {"capabilities": PULLS, "skip_verify": True, "override_path": True},
        ),
        ("http://n.local", {"capabilities": ["pull"], "header": {"X-A": "b"}}),
    ]
    by_path = files(runtime="docker", **values)
    file = by_path["/etc/docker/certs.d/quay.io/hosts.toml"]
    assert file["secret"] is True
    # Older versions do not read it.
    assert file["when"] == [{"version_range": "28.0.0"}, {"version_range": "29.10.0"}]
    assert json.loads(by_path["/etc/docker/daemon.json"]["content"]).keys() == {"exec-opts"}


@pytest.mark.parametrize("name", ["_default", "*"])
def test_a_mirror_of_all_other_registries_with_docker(name):
    entry = {"registry": name, "mirrors": [{"url": "https://m.local"}]}
    assert docker_hosts_toml("_default", registries=[entry]) == {
        "host": {"https://m.local": {"capabilities": PULLS}}
    }


def test_the_server_of_a_registry_with_docker():
    entries = [
        {"registry": "docker.io"},
        {"registry": "dev.local:5000", "insecure": True},
        {"registry": "own.local", "ca_file": CA},
    ]
    # A push uses only the first host, so no host may come before the server.
    for name, config in (
        ("docker.io", {"server": "https://registry-1.docker.io"}),
        ("dev.local:5000", {"server": "http://dev.local:5000", "skip_verify": True}),
        ("own.local", {"server": "https://own.local", "ca": CA}),
    ):
        assert docker_hosts_toml(name, registries=entries) == config


# Entries that no runtime supports


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"registry": "https://x"}], r"registries\[0\].registry must be a host"),
        ([{"registry": "a/b"}], "must be a host"),
        ([{"registry": "../x"}], "must be a host"),
        ([{"registry": "a b"}], "must be a host"),
        ([{"registry": "a\nb"}], "must be a host"),
        ([{"registry": "u:p@h"}], "must be a host"),
        ([{"registry": "h:0"}], "must be a host"),
        ([{"registry": "h:65536"}], "must be a host"),
        ([{"registry": "h:999999"}], "must be a host"),
        ([{"registry": ""}], "must be a host"),
        (
            [{"registry": "R.io"}, {"registry": "r.io"}],
            r"registries\[1\]: r.io already has an entry",
        ),
        ([{"registry": "_default", "mirrors": []}], "requires mirrors"),
        (
            [{"registry": "*", "insecure": True, "mirrors": [{"url": "http://x"}]}],
            "insecure cannot be set",
        ),
        (
            [{"registry": r, "mirrors": [{"url": "http://x"}]} for r in ("*", "_default")],
            "_default already has an entry",
        ),
        ([{"registry": "r", "ca_file": "ca.pem"}], r"registries\[0\].ca_file must be an absolute"),
        ([{"registry": "r", "ca_file": "/a\x00b"}], "without control characters"),
        ([{"registry": "r", "client_cert_file": "/c"}], "both client_cert_file and client_key"),
        ([{"registry": "r", "client_key_file": "/c"}], "both client_cert_file and client_key"),
        ([{"registry": "r", "ca_file": "/c", "insecure": True}], "Set only one of them"),
        ([{"registry": "a/b", "rewrite": "https://x"}], r"the host in registries\[0\].rewrite"),
        ([{"registry": "a/b", "rewrite": ""}], r"the host in registries\[0\].rewrite"),
        ([{"registry": "a", "rewrite": "b/../c"}], "a path as in image references, not 'b/../c'"),
        (
            [{"registry": "a/b_", "rewrite": "b"}],
            r"registries\[0\].registry must be a host, optionally",
        ),
        ([{"registry": "a", "rewrite": "b/"}], "a path as in image references"),
        ([{"registry": "r", "username": "u"}], "both username and password"),
        ([{"registry": "r", "password": "hunter2"}], "both username and password, or neither$"),
        (
            [{"registry": "r", **LOGIN, "username": ""}],
            r"registries\[0\].username must be a string",
        ),
        ([{"registry": "r", **LOGIN, "username": "a:b"}], "must not contain a colon"),
        ([{"registry": "r", **LOGIN, "password": ""}], "password must be a string"),
        ([{"registry": "r", **LOGIN, "password": "a\nb"}], "string without control characters$"),
        ([{"registry": "*", **LOGIN, "mirrors": [{"url": "http://x"}]}], "for all registries"),
    ],
)
def test_invalid_registry_entries_are_rejected(entries, message):
    refused(message, registries=entries)


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ({"url": "m.local"}, r"mirrors\[0\].url must begin with http:// or https://"),
        ({"url": "ftp://m.local"}, "must begin with"),
        ({"url": "HTTPS://m.local"}, "must begin with"),
        ({"url": "https://"}, "the host in"),
        ({"url": "https:///x"}, "the host in"),
        ({"url": "https://m local"}, "characters that are valid in a URL"),
        ({"url": "https://m.local/\n"}, "characters that are valid in a URL"),
        ({"url": 'https://m.local/"]\nx=1'}, "characters that are valid in a URL"),
        ({"url": "https://m.local/é"}, "characters that are valid in a URL"),
        ({"url": "https://m.local/%zz"}, "characters that are valid in a URL"),
        ({"url": "https://m.local?x"}, "a query"),
        ({"url": "https://m.local/#x"}, "a fragment"),
        ({"url": "https://user:pw@m.local"}, "must not contain a user or a password$"),
        ({"url": "https://@m.local"}, "must not contain a user or a password$"),
        ({"url": "https://m.local:70000"}, "the host in"),
        ({"capabilities": []}, "capabilities must not be empty"),
        ({"url": "http://m.local", "ca_file": CA}, "require a url with https"),
        ({"ca_file": CA, "insecure": True}, "Set only one of them"),
        ({"client_cert_file": "/c"}, "both client_cert_file and client_key"),
        ({"client_key_file": "k", "client_cert_file": "/c"}, "client_key_file must be an absolute"),
        ({"headers": {"Host": "x"}}, "Host cannot be set, because the runtime sets it"),
        ({"headers": {"content-length": "0"}}, "content-length cannot be set"),
        ({"headers": {"X-A": "1\r\nHost: x"}}, "X-A must be a string without control"),
        ({"headers": {"X-A": 1}}, "X-A must be a string"),
        ({"headers": {"X A": "1"}}, "'X A' is not a valid header name"),
        ({"headers": {"X:": "1"}}, "'X:' is not a valid header name"),
        ({"headers": {"": "1"}}, "'' is not a valid header name"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "x-a is set twice"),
    ],
)
def test_invalid_mirrors_are_rejected(mirror, message):
    refused(message, registries=hub({"url": "https://m.local", **mirror}))


def test_a_mirror_named_twice_is_rejected():
    mirrors = [{"url": "https://m.local"}, {"url": "https://M.local/"}]
    refused("is already a mirror of this registry", registries=hub(*mirrors))


def test_all_wrong_headers_are_reported():
    mirror = {"url": "https://m.local", "headers": {"a b": "x", "Host": "x", "c d": "x"}}
    with pytest.raises(SpecError) as error:
        checked(registries=hub(mirror))
    problems = "\n".join(error.value.problems)
    assert [name for name in ("a b", "Host", "c d") if name not in problems] == []
