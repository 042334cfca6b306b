# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are transferred in parallel, and only temporary failures are retried."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    RequestError,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.transfers import (
    cause_of,
    is_retryable,
    transfer_all,
)


# Errors of the runtimes on real nodes.
@pytest.mark.parametrize(
    ("reason", "passes"),
    [
        ("dial tcp 172.17.0.14:5009: connect: connection refused", True),
        ("dial tcp: lookup nowhere.test on 10.255.255.53:53: no such host", True),
        ("unexpected status from HEAD request to https://r/v2/x: 503 Service Unavailable", True),
        ("toomanyrequests: You have reached your pull rate limit", True),
        # podman, if the response to a HEAD request has no text.
        ('checking whether a blob sha256:16 exists in r:5003/x: StatusCode: 429, ""', True),
        ('checking whether a blob sha256:16 exists in r:5003/x: StatusCode: 403, ""', False),
        ("net/http: TLS handshake timeout", True),
        ("r:5000/x:1: not found", False),
        ("manifest for r:5000/x:1 not found: manifest unknown: manifest unknown", False),
        ('Head "https://r:5002/v2/x/manifests/1": no basic auth credentials', False),
        ("unexpected status from HEAD request to https://r:5002/v2/x: 401 Unauthorized", False),
        ("unauthorized: authentication required", False),
        ("tls: failed to verify certificate: x509: unknown authority", False),
        ("http: server gave HTTP response to HTTPS client", False),
    ],
)
def test_temporary_failures_are_retryable(reason, passes):
    failed = CommandError(f"'podman pull x' failed: {reason}", reason="command_failed")
    assert is_retryable(failed) is passes
    refused = RequestError(f"/x.sock: {reason}", reason="request_failed", code=2, detail=reason)
    assert is_retryable(refused) is passes


@pytest.mark.parametrize("reason", ["no_response", "command_timeout"])
def test_a_command_or_a_daemon_that_needs_too_long_is_retryable(reason):
    assert is_retryable(CommandError("'podman pull x' did not finish", reason=reason))


@pytest.mark.parametrize(("code", "passes"), [(4, True), (14, True), (2, False), (5, False)])
def test_the_code_of_a_daemon_can_be_retryable(code, passes):
    refused = RequestError("/x.sock: x", reason="request_failed", code=code, detail="x")
    assert is_retryable(refused) is passes


def test_the_path_of_a_socket_does_not_affect_the_classification():
    problem = "/run/timeout.sock: /runtime.v1.ImageService/PullImage: the daemon reported: denied"
    refused = RequestError(problem, reason="request_failed", code=7, detail="denied")
    assert not is_retryable(refused)


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("r:5000/timeout:503: not found", "r:5000/timeout:503"),
        ("manifest for timeout:1 not found: manifest unknown", "docker.io/timeout:1"),
        ('HEAD "https://r:5000/v2/timeout/manifests/1": 404 Not Found', "r:5000/timeout:1"),
    ],
)
def test_the_name_of_an_image_does_not_affect_the_classification(reason, name):
    assert not is_retryable(CommandError(reason, reason="command_failed"), name)


def test_each_failure_is_reported_with_its_cause():
    pauses, tries, waits = [], [], []

    def transfer(name):
        tries.append(name)
        if name == "gone":
            raise CommandError("'pull gone' failed: not found", reason="command_failed")
        if name == "down" or (name == "slow" and tries.count(name) < 3):
            raise CommandError("'pull' failed: i/o timeout", reason="command_failed")

    images = ["good", "gone", "slow", "down"]
    given = {"await_registry": waits.append, "sleep": pauses.append}
    failures = transfer_all(transfer, images, parallel=1, retries=3, **given)
    assert failures == [("gone", "not found", 1), ("down", "i/o timeout", 4)]
    assert tries.count("slow") == 3
    assert pauses == [1, 2, 1, 2, 4]
    assert waits == []


@pytest.mark.parametrize(
    "cause",
    [
        # containerd 2.4, Docker 29 and podman 5.4.
        "failed to resolve image: unexpected status from HEAD request to "
        "https://r:5003/v2/limited/manifests/1: 429 Too Many Requests",
        "toomanyrequests: too many requests",
        "reading manifest 1 in r:5003/limited: toomanyrequests: too many requests",
    ],
)
def test_a_busy_registry_is_awaited_before_each_retry(cause):
    waits = []

    def transfer(name):
        raise CommandError(f"'pull {name}' failed: {cause}", reason="command_failed")

    given = {"await_registry": waits.append, "sleep": lambda _pause: None}
    (failure,) = transfer_all(transfer, ["limited"], parallel=1, retries=2, **given)
    assert failure.attempts == 3
    assert waits == ["limited", "limited"]


def test_the_cause_of_a_request_is_the_message_of_the_daemon():
    error = RequestError("s: POST x: status 500: no", reason="request_failed", detail="no")
    assert cause_of(error) == "no"
    late = RequestError("s: POST x: no response", reason="no_response")
    assert cause_of(late) == "s: POST x: no response"


def test_the_number_of_parallel_transfers_is_limited():
    barrier, running, most = threading.Barrier(3), [], []

    def transfer(name):
        running.append(name)
        most.append(len(running))
        barrier.wait(timeout=30)
        running.remove(name)

    given = {"retries": 0, "await_registry": print}
    assert transfer_all(transfer, ["1", "2", "3", "4", "5", "6"], parallel=3, **given) == []
    assert max(most) == 3
