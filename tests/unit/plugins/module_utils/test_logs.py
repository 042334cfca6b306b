# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are returned as text of limited size, without secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import logs
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Containers,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CruntimeError,
    RequestError,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit


@pytest.mark.parametrize(
    ("variable", "hidden"),
    [
        ("DB_PASSWORD=hunter2", ["hunter2"]),
        ("mysql_pwd=hunter2", ["hunter2"]),
        ("API_TOKEN=a=b=c", ["a=b=c"]),
        ("SSH_KEY=-----BEGIN\nabcdef\n", ["-----BEGIN", "abcdef"]),
        ("HTTPS_PROXY=http://user:hunter2@proxy:3128", ["hunter2"]),
        ("REDIS_URL=redis://:hunter2@db", ["hunter2"]),
        ("DB_URL=postgres://user:hun/ter2@db", []),
        ("HTTP_PROXY=http://user:hun@ter2@proxy:3128", ["hun@ter2"]),
        ("PATH=/usr/bin", []),
        ("PWD=/home/someone", []),
        ("KEYBOARD=qwerty", []),
        ("USE_TOKENS=true", []),
        ("PIN_SECRET=123", []),
        ("odd", []),
    ],
)
def test_secrets_in_an_environment(variable, hidden):
    assert logs.secrets([variable]) == set(hidden)


def test_secrets_in_a_log_are_redacted():
    text = "login hunter2, or hunter2more\nGET http://me:topsecret@host/x and http://host:80/x\n"
    log = logs.clean(text, ["hunter2", "hunter2more"], 1000)
    assert log.text == (
        "login ********, or ********\nGET http://********:********@host/x and http://host:80/x\n"
    )
    assert log.truncated is False


@pytest.mark.parametrize("user", [":topsecret", "me:top@secret", "me:topsecret"])
def test_a_password_in_a_url_is_redacted(user):
    log = logs.clean(f"at redis://{user}@db:6379/0 now", [], 1000)
    assert log.text == "at redis://********:********@db:6379/0 now"


@given(st.text(), st.lists(st.text("abc", min_size=4)), st.integers(1, 50))
def test_a_log_contains_no_secret(text, hidden, limit):
    log = logs.clean(text, hidden, limit)
    assert len(log.text) <= limit
    assert not any(secret in log.text for secret in hidden)


@given(st.text().filter(lambda text: "://" not in text), st.integers(1, 50))
def test_a_log_without_secrets_is_its_end(text, limit):
    log = logs.clean(text, [], limit)
    assert log.text == text[-limit:]
    assert log.truncated is (len(text) > limit)


class Logged(Containers):
    """Containers with the given logs, or without readable logs."""

    def __init__(self, texts):
        self.texts = texts

    def environments(self, containers):
        return {each.id: ["TOKEN=hunter2"] for each in containers if each.id in self.texts}

    def log(self, container, lines):
        text = self.texts[container.id]
        if isinstance(text, Exception):
            raise text
        return text

    @property
    def _tool(self):
        return "crictl"


def container(container_id):
    return Container(container_id, "n", "ns", "p", "i", "", "", "running", "", {})


GONE = "its environment could not be read: it may be gone"


def test_logs_of_containers():
    detail = "no\nlog hunter2\n"
    refused = RequestError(f"/x.sock: {detail}", reason="request_failed", code=2, detail=detail)
    unreadable = CruntimeError("/hunter2.log: not found", reason="file_unreadable")
    long = "x" * (logs.LOG_LIMIT + 1)
    api = Logged({"a": "my hunter2\n", "b": refused, "d": long, "e": unreadable})
    first, second, third, fourth, fifth = logs.of_containers(api, [*map(container, "abcde")], 5)
    assert first == {
        "id": "a",
        "name": "n",
        "namespace": "ns",
        "pod": "p",
        "state": "running",
        "command": "sudo crictl logs --tail 5 a",
        "follow_command": "sudo crictl logs --tail 5 --follow a",
        "text": "my ********\n",
        "truncated": False,
        "error": None,
    }
    assert (second["text"], second["error"]) == (None, "no log ********")
    assert (third["text"], third["error"]) == (None, GONE)
    assert (fifth["text"], fifth["error"]) == (None, "/********.log: not found")
    assert (len(fourth["text"]), fourth["truncated"]) == (logs.LOG_LIMIT, True)
    assert logs.of_containers(api, [], 5) == []


def test_the_total_size_of_container_logs_is_limited():
    names = [f"{number:x}" for number in range(100)]
    api = Logged(dict.fromkeys(names, "x" * logs.LOG_LIMIT))
    found = logs.of_containers(api, [container(name) for name in names], 5)
    assert sum(len(each["text"]) for each in found) <= logs.TOTAL_LIMIT


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["docker.socket", "docker.service", "cri-docker.service"], "-u docker -u cri-docker"),
        (["containerd.service"], "-u containerd"),
    ],
)
def test_the_log_of_units(names, command):
    class Journal(Runner):
        def output(self, *argv, **options):
            self.argv = argv
            return "line\n"

    journal = Journal()
    units = [Unit(name, "loaded") for name in names] + [Unit("crio.service")]
    found = logs.of_units(journal, units, 25)
    assert found["command"] == f"sudo journalctl {command} -n 25"
    assert (found["text"], found["truncated"]) == ("line\n", False)
    assert journal.argv.count("--unit") == len(found["units"]) == len(command.split()) // 2
    assert "crio.service" not in journal.argv


def test_missing_units_have_no_log():
    found = logs.of_units(Runner(), [Unit("crio.service")], 25)
    assert (found["units"], found["text"]) == ([], "")
