# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries of a registry. A registry that does not answer counts as empty."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import fingerprint
from ansible_collections.cruntime.node.plugins.module_utils.images import registry
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

CONTENT = {"config": {"Cmd": ["/x"]}, "rootfs": {"diff_ids": ["sha256:" + "d" * 64]}}
CONFIG = f"sha256:{hashlib.sha256(json.dumps(CONTENT).encode()).hexdigest()}"
KINDS = {
    "index": "application/vnd.oci.image.index.v1+json",
    "garbage": "text/html",
    "list": "application/json",
}
MANIFEST = json.dumps({"schemaVersion": 2, "config": {"digest": CONFIG}}).encode()
INDEX = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
# Headers that the redirect target received.
ELSEWHERE = []
BASIC = "Basic dXNlcjpwYXNzd29yZA=="


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        paths = {
            "/v2/app/manifests/1": (200, MANIFEST),
            f"/v2/app/blobs/{CONFIG}": (200, json.dumps(CONTENT).encode()),
            f"/v2/app/manifests/{CONFIG}": (200, MANIFEST),
            "/v2/index/manifests/1": (200, INDEX),
            "/v2/garbage/manifests/1": (200, b"<html>"),
            "/v2/list/manifests/1": (200, b"[]"),
            "/v2/blob/manifests/1": (200, MANIFEST),
            f"/v2/blob/blobs/{CONFIG}": (200, b"<html>"),
            "/v2/broken/manifests/1": (500, b""),
        }
        status, content = paths.get(self.path, (404, b""))
        if self.path.startswith("/v2/private/"):
            allowed = self.headers.get("Authorization") == BASIC
            content = MANIFEST if "/manifests/" in self.path else json.dumps(CONTENT).encode()
            status, content = (200, content) if allowed else (401, b"")
        name = self.path.split("/")[2] if "/manifests/" in self.path else ""
        if self.path == "/v2/noise/manifests/1":
            self.wfile.write(b"noise\r\n\r\n")
            return
        if self.path == "/elsewhere":
            ELSEWHERE.append(self.headers.get("Authorization"))
        self.send_response(307 if self.path == "/v2/moved/manifests/1" else status)
        self.send_header("Location", "/elsewhere")
        self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Type", KINDS.get(name, registry._MANIFESTS[0]))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        pass


def of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(scope="module")
def host():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_registry_returns_its_digest(host):
    known = fingerprint(CONTENT, CONTENT["rootfs"]["diff_ids"])
    assert registry.look_up(f"{host}/app:1", None, insecure=True) == (of(MANIFEST), CONFIG, known)
    assert registry.look_up(f"{host}/index:1", None, insecure=True) == (of(INDEX), "", "")


def test_image_with_a_false_configuration_differs_from_every_image(host):
    assert registry.look_up(f"{host}/blob:1", None, insecure=True) == (of(MANIFEST), "", "")


def test_false_digest_counts_as_empty(host):
    name = f"{host}/app@{CONFIG}"
    assert registry.look_up(name, None, insecure=True) is None


@pytest.mark.parametrize(
    "name", ["nothing:1", "noise:1", "broken:1", "private/app:1", "garbage:1", "list:1"]
)
def test_registry_without_answer_counts_as_empty(host, name):
    assert registry.look_up(f"{host}/{name}", None, insecure=True) is None


USER = Credentials("user", "password")


def test_a_password_is_sent_to_the_registry(host):
    known = registry.look_up(f"{host}/private/app:1", USER, insecure=True)
    assert known.config == CONFIG


def test_a_password_is_not_sent_to_another_host(host):
    assert registry.look_up(f"{host}/moved:1", USER, insecure=True) is None
    assert ELSEWHERE == [None]


def test_plain_http_is_used_only_on_request(host):
    assert registry.look_up(f"{host}/app:1", None, insecure=False) is None


def test_a_stopped_registry_counts_as_empty(host):
    assert registry.look_up("127.0.0.1:1/app:1", None, insecure=True) is None


def test_push_is_checked(host):
    registry.check_pushed(f"{host}/app:1", of(MANIFEST), None, insecure=True)
    # A registry that does not respond is trusted.
    for name in ("nothing:1", "private/app:1"):
        registry.check_pushed(f"{host}/{name}", of(MANIFEST), None, insecure=True)
    with fails("result_unexpected", of(INDEX), of(MANIFEST)):
        registry.check_pushed(f"{host}/app:1", of(INDEX), None, insecure=True)
    with fails("output_unreadable", f"{host}", "unexpected media type 'text/html'"):
        registry.check_pushed(f"{host}/garbage:1", of(MANIFEST), None, insecure=True)
