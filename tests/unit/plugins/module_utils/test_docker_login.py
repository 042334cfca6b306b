# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials for a registry: those of the task, of `docker login` and of credential helpers."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.images import docker_login
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

HUB = "https://index.docker.io/v1/"
HOST = "registry.test:5000"
LOGIN = {"username": "user", "password": "s:cret"}
AUTH = {"auth": base64.b64encode(b"user:s:cret").decode()}


def decoded(headers):
    """Return the credentials in the headers of a request."""
    (name, value), *others = headers.items()
    assert name == "X-Registry-Auth"
    assert others == []
    return json.loads(base64.urlsafe_b64decode(value))


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Return a function that writes the configuration of the client."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(config):
        text = config if isinstance(config, str) else json.dumps(config)
        (tmp_path / "config.json").write_text(text)

    return write


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Return a function that installs a credential helper."""

    def install(name, script):
        path = tmp_path / "bin" / f"docker-credential-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    runner = Runner()
    runner.search_first(str(tmp_path / "bin"))
    install.runner = runner
    return install


def find(host=HOST, credentials=None, runner=None):
    return decoded(docker_login.headers(runner or Runner(), host, credentials))


def test_credentials_of_the_task_are_used_first(configured):
    configured({"auths": {HOST: AUTH}})
    found = find(credentials=Credentials("me", "other"))
    assert found == {"username": "me", "password": "other", "serveraddress": HOST}


def test_the_name_of_docker_hub_is_a_url(configured):
    configured({"auths": {HUB: AUTH}})
    assert find("docker.io") == {**LOGIN, "serveraddress": HUB}
    assert find("docker.io", Credentials("me", "x"))["serveraddress"] == HUB


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"http://{HOST}/v2/"])
def test_a_login_is_found_by_the_host_of_its_key(configured, key):
    configured({"auths": {"other.test": {"auth": "eDp5"}, key: AUTH}})
    assert find() == {**LOGIN, "serveraddress": HOST}


def test_an_identity_token_is_used(configured):
    configured({"auths": {HOST: {"auth": "eDo=", "identitytoken": "t"}}})
    assert find() == {"identitytoken": "t", "serveraddress": HOST}


def test_the_configuration_is_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {HOST: AUTH}}))
    assert find() == {**LOGIN, "serveraddress": HOST}


@pytest.mark.parametrize(
    "config",
    [
        *({}, {"auths": None}, {"auths": {HOST: {}}}, {"auths": {"other.test": AUTH}}),
        # An unreadable configuration is ignored.
        *("", "[]", {"auths": {HOST: {"auth": "!"}}}, {"auths": [HOST]}, {"auths": {HOST: None}}),
        *({"credsStore": "nowhere"}, {"credHelpers": [HOST]}),
    ],
)
def test_without_a_login_the_header_is_empty(configured, config):
    configured(config)
    assert find() == {}


def test_without_a_configuration_the_header_is_empty(configured):
    assert find() == {}


def test_a_helper_receives_the_server_and_returns_the_login(configured, helper):
    configured({"credHelpers": {HOST: "one"}, "credsStore": "all", "auths": {HOST: AUTH}})
    answer = '{"ServerURL":"%s","Username":"%s","Secret":"%s"}'
    helper("one", f"""read -r server; printf '{answer}' "$server" one "$1 $server" """)
    helper("all", f"""printf '{answer}' x "<token>" t""")
    assert find(runner=helper.runner) == {
        "username": "one",
        "password": f"get {HOST}",
        "serveraddress": HOST,
    }
    token = {"identitytoken": "t", "serveraddress": "other.test"}
    assert find("other.test", runner=helper.runner) == token


def test_a_helper_without_a_login_is_ignored(configured, helper):
    configured({"credsStore": "all"})
    helper("all", "echo credentials not found in native keychain; exit 1")
    assert find(runner=helper.runner) == {}
    helper("all", "echo no document")
    assert find(runner=helper.runner) == {}
