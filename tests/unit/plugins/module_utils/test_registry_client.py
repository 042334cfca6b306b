# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client of registries, with HTTP servers that respond as real registries do, or lie."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import json
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import this_platform
from ansible_collections.cruntime.node.plugins.module_utils.images import (
    registry,
    registry_client,
    transfers,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.images.registry_client import (
    RegistryClient,
)

OCI = "application/vnd.oci.image.manifest.v1+json"
USER = Credentials("user", "p:ss")
BASIC = f"Basic {base64.b64encode(b'user:p:ss').decode()}"
PATH = "/v2/app/manifests/1"


@contextlib.contextmanager
def serve(respond, address="127.0.0.1", tls=None):
    """Serve with a function that gets a request handler. Yield the host and the requests."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append((self.path, self.headers.get("Authorization")))
            with contextlib.suppress(OSError):
                respond(self)

        do_HEAD = do_GET

        def log_message(self, *words):
            pass

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def handle_error(self, request, client_address):
            pass

    with Server((address, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        host = f"[{address}]" if ":" in address else address
        try:
            yield f"{host}:{server.server_port}", requests
        finally:
            server.shutdown()


def send(handler, status=200, body=b"{}", **headers):
    handler.send_response(status)
    fields = {"Content_Type": OCI, "Content_Length": str(len(body)), **headers}
    for name, value in fields.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(body)


def client(host, credentials=None, insecure=True, pauses=None):
    sleep = (pauses if pauses is not None else []).append
    return RegistryClient(host, credentials, ssl.create_default_context(), insecure, sleep)


def read(host, **options):
    return client(host, **options).read(PATH, (OCI,))


def fail_to_read(respond, message, **options):
    """Check that a document cannot be read. Return the error, and the number of requests."""
    with serve(respond) as (host, requests), pytest.raises(RequestError, match=message) as caught:
        read(host, **options)
    return caught.value, len(requests)


def test_document_and_digest():
    with serve(send) as (host, _requests):
        document = read(host)
    assert (document.kind, document.content) == (OCI, b"{}")
    assert document.digest == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


@pytest.mark.parametrize("address", ["::1", "127.0.0.1"])
def test_address_of_each_family(address):
    with serve(send, address) as (host, _requests):
        assert read(host).content == b"{}"


def test_password_is_sent_only_after_a_challenge():
    def respond(handler):
        if handler.headers.get("Authorization") != BASIC:
            return send(handler, 401, WWW_Authenticate='Basic realm="x"')
        return send(handler)

    with serve(respond) as (host, requests):
        assert read(host, credentials=USER).content == b"{}"
        with pytest.raises(RequestError, match="HTTP status 401"):
            read(host)
    assert requests[:2] == [(PATH, None), (PATH, BASIC)]


def respond_with_token(handler):
    if handler.path.startswith("/token"):
        return send(handler, body=b'{"token": "t1"}', Content_Type="application/json")
    if handler.headers.get("Authorization") != "Bearer t1":
        realm = f'Bearer realm="http://{handler.headers["Host"]}/token",service="s",scope="p"'
        return send(handler, 401, WWW_Authenticate=realm)
    return send(handler)


def test_token():
    with serve(respond_with_token) as (host, requests):
        assert read(host, credentials=USER).content == b"{}"
    token = ("/token?service=s&scope=p", BASIC)
    assert requests == [(PATH, None), token, (PATH, "Bearer t1")]


def test_expired_token_is_renewed():
    tokens = iter(["t1", "t2"])

    def respond(handler):
        if handler.path.startswith("/token"):
            body = json.dumps({"token": next(tokens)}).encode()
            return send(handler, body=body, Content_Type="application/json")
        valid = "t2" if "blobs" in handler.path else "t1"
        if handler.headers.get("Authorization") != f"Bearer {valid}":
            realm = f'Bearer realm="http://{handler.headers["Host"]}/token"'
            return send(handler, 401, WWW_Authenticate=realm)
        return send(handler)

    with serve(respond) as (host, _requests):
        registry_of_host = client(host)
        assert registry_of_host.read(PATH, (OCI,)).content == b"{}"
        assert registry_of_host.read("/v2/app/blobs/x", ()).content == b"{}"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"token": 1}', b'{"token": "a\\nb"}', b"<html>"])
def test_invalid_token(body):
    def respond(handler):
        if handler.path.startswith("/token"):
            return send(handler, body=body)
        realm = f'Bearer realm="http://{handler.headers["Host"]}/token"'
        return send(handler, 401, WWW_Authenticate=realm)

    with serve(respond) as (host, _requests), pytest.raises(
        RequestError, match="/v2/app/manifests/1 could not be read"
    ):
        read(host)


@pytest.mark.parametrize("status", [429, 503])
def test_busy_registry_is_asked_again_after_the_time_that_it_names(status):
    answers = iter([status, status, 200])
    pauses = []
    with serve(lambda handler: send(handler, next(answers), Retry_After="7")) as (host, _requests):
        assert read(host, pauses=pauses).content == b"{}"
    assert pauses == [7, 7]


@pytest.mark.parametrize("after", ["31", "99999999", "-1", "tomorrow", ""])
def test_registry_cannot_delay_the_task(after):
    pauses = []
    error, requests = fail_to_read(
        lambda handler: send(handler, 429, Retry_After=after), "HTTP status 429", pauses=pauses
    )
    assert (error.code, pauses, requests) == (429, [], 1)


def test_always_busy_registry():
    _error, requests = fail_to_read(
        lambda handler: send(handler, 429, Retry_After="0"), "HTTP status 429"
    )
    assert requests == 3


def test_wrong_digest():
    digest = f"sha256:{'0' * 64}"
    message = "content with the digest sha256:44136fa3"
    with serve(send) as (host, _requests), pytest.raises(RequestError, match=message):
        client(host).read("/v2/app/blobs/x", (), digest)


def test_wrong_media_type():
    fail_to_read(
        lambda handler: send(handler, Content_Type="text/html"),
        "unexpected media type 'text/html'",
    )


def test_endless_body():
    def respond(handler):
        send(handler, Content_Length=str(1 << 40))
        while True:
            handler.wfile.write(b" " * 65536)

    fail_to_read(respond, "larger than 4194304 bytes")


def test_slow_body(monkeypatch):
    monkeypatch.setattr(registry_client, "_MAX_TIME", 0.2)

    def respond(handler):
        send(handler, Content_Length="1000")
        while True:
            handler.wfile.write(b" ")
            threading.Event().wait(0.02)

    fail_to_read(respond, r"did not end within 0\.2 seconds")


def test_truncated_body():
    fail_to_read(
        lambda handler: send(handler, Content_Length="10"), r"lacks 8 bytes|IncompleteRead"
    )


def test_credentials_are_not_sent_to_the_target_of_a_redirect():
    with serve(send) as (other, elsewhere):

        def respond(handler):
            if not handler.headers.get("Authorization"):
                return send(handler, 401, WWW_Authenticate='Basic realm="x"')
            return send(handler, 307, Location=f"http://{other}/elsewhere")

        with serve(respond) as (host, _requests):
            assert read(host, credentials=USER).content == b"{}"
    assert elsewhere == [("/elsewhere", None)]


def test_plain_http_is_used_only_if_allowed():
    with serve(send) as (host, requests), pytest.raises(RequestError):
        read(host, insecure=False)
    assert not [path for path, _who in requests if path]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Create an authority and a server certificate without the extensions of a strict X.509."""
    directory = tmp_path_factory.mktemp("certificates")
    now = datetime.datetime.now(datetime.timezone.utc)

    def create(name, issuer, issuer_key, extensions):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return subject, key, builder.sign(issuer_key or key, hashes.SHA256())

    ca_name, ca_key, ca = create("ca", None, None, [x509.BasicConstraints(True, None)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    _name, key, certificate = create("server", ca_name, ca_key, [names])
    pem = serialization.Encoding.PEM
    (directory / "ca.crt").write_bytes(ca.public_bytes(pem))
    (directory / "server.cert").write_bytes(certificate.public_bytes(pem))
    (directory / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory


@pytest.fixture
def tls_server(certificates):
    """Return the context of a server with such a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.cert", certificates / "server.key")
    return context


def test_ordinary_private_authority(certificates, tls_server, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_CERTIFICATES", (str(tmp_path),))
    with serve(send, tls=tls_server) as (host, _requests):
        assert registry.look_up(f"{host}/app:1", None, insecure=False) is None
        (tmp_path / host).mkdir()
        (tmp_path / host / "ca.crt").write_bytes((certificates / "ca.crt").read_bytes())
        published = registry.look_up(f"{host}/app:1", None, insecure=False)
    assert published
    assert published.digest.startswith("sha256:44136fa3")


def test_client_certificate(certificates, tls_server, monkeypatch, tmp_path):
    tls_server.verify_mode = ssl.CERT_REQUIRED
    tls_server.load_verify_locations(certificates / "ca.crt")
    hosts = tmp_path / "hosts.toml"
    monkeypatch.setattr(registry, "_HOSTS", str(hosts))
    with serve(send, tls=tls_server) as (host, _requests):
        pair = f'"{certificates}/server.cert", "{certificates}/server.key"'
        hosts.write_text(f'ca = "{certificates}/ca.crt"\n')
        assert registry.look_up(f"{host}/app:1", None, insecure=False) is None
        hosts.write_text(f'ca = "{certificates}/ca.crt"\nclient = [[{pair}]]\n')
        assert registry.look_up(f"{host}/app:1", None, insecure=False)


def test_certificates_of_an_ipv6_address(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_CERTIFICATES", (str(tmp_path),))
    (tmp_path / "[::1]:5000").mkdir()
    (tmp_path / "[::1]:5000" / "ca.crt").write_text("")
    assert registry.list_certificates("[::1]:5000")[0] == [f"{tmp_path}/[::1]:5000/ca.crt"]


def test_redirect_to_plain_http(tls_server):
    with serve(send) as (other, elsewhere):

        def respond(handler):
            send(handler, 307, Location=f"http://{other}/elsewhere")

        with serve(respond, tls=tls_server) as (host, _requests):
            trust = ssl.create_default_context()
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            secure = RegistryClient(host, None, trust, False)
            with pytest.raises(RequestError, match="redirect from HTTPS to http://"):
                secure.read(PATH, (OCI,))
    assert elsewhere == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_password_is_not_sent_again_over_plain_http(tls_server, status):
    def respond(handler):
        send(handler, status, WWW_Authenticate='Basic realm="x"')

    with serve(respond, tls=tls_server) as (host, requests):
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        insecure = RegistryClient(host, USER, trust, True)
        with pytest.raises(RequestError, match=f"HTTP status {status}"):
            insecure.read(PATH, (OCI,))
        assert insecure._schemes == ["https"]
    assert requests == [(PATH, None), (PATH, BASIC)][: 2 if status == 401 else 1]


def manifest_of(config):
    return json.dumps({"config": {"digest": config}, "layers": []}).encode()


@pytest.fixture
def stored(certificates, tls_server, monkeypatch, tmp_path):
    """Serve an index of two platforms, and a manifest, with HTTPS. Yield the host, and requests."""
    documents = {}
    for name, config in (("ours", "sha256:1"), ("theirs", "sha256:2")):
        documents[f"sha256:{hashlib.sha256(manifest_of(config)).hexdigest()}"] = (
            OCI,
            manifest_of(config),
        )
        documents[name] = (OCI, manifest_of(config))
    ours, theirs = (key for key in documents if key.startswith("sha256:"))
    system, architecture = this_platform().split("/")
    entries = [
        {"digest": theirs, "platform": {"os": system, "architecture": "none"}},
        {"digest": ours, "platform": {"os": system, "architecture": architecture}},
    ]
    kind = registry.INDEXES[0]
    documents["index"] = (kind, json.dumps({"manifests": entries}).encode())
    documents["foreign"] = (kind, json.dumps({"manifests": entries[:1]}).encode())

    def respond(handler):
        kind, content = documents.get(handler.path.rpartition("/")[2], ("text/plain", b""))
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        send(handler, body=content, Content_Type=kind, Docker_Content_Digest=digest)

    monkeypatch.setattr(registry, "_CERTIFICATES", (str(tmp_path),))
    with serve(respond, tls=tls_server) as (host, requests):
        (tmp_path / host).mkdir()
        (tmp_path / host / "ca.crt").write_bytes((certificates / "ca.crt").read_bytes())
        yield f"{host}/app", documents, requests


@pytest.mark.parametrize(
    ("tag", "config"), [("ours", "sha256:1"), ("index", "sha256:1"), ("foreign", ""), ("none", "")]
)
def test_what_a_pull_would_store(stored, tag, config):
    name, documents, _requests = stored
    content = documents.get(tag, (None, b""))[1]
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}" if content else ""
    assert registry.read_pulled(f"{name}:{tag}", None) == (digest, config)
    assert registry.read_digest(f"{name}:{tag}", None) == digest


@pytest.mark.parametrize("status", [404, 503])
def test_status_of_a_registry_without_tls(monkeypatch, tmp_path, status):
    hosts = tmp_path / "hosts.toml"
    monkeypatch.setattr(registry, "_HOSTS", str(hosts))
    with serve(lambda handler: send(handler, status)) as (host, requests):
        # Without this configuration, containerd uses only TLS.
        assert registry.read_plain_failure(f"{host}/app:1") == ""
        assert requests == []
        hosts.write_text(f'server = "http://{host}"\n')
        found = registry.read_plain_failure(f"{host}/app:1")
    phrase = {404: "Not Found", 503: "Service Unavailable"}[status]
    assert found == f"HTTP status {status} {phrase}"
    assert transfers.is_retryable(RequestError(found, reason="x", detail=found)) is (status == 503)


def test_registry_without_tls_that_has_the_image(monkeypatch, tmp_path):
    hosts = tmp_path / "hosts.toml"
    monkeypatch.setattr(registry, "_HOSTS", str(hosts))
    with serve(send) as (host, _requests):
        hosts.write_text(f'server = "http://{host}"\n')
        assert registry.read_plain_failure(f"{host}/app:1") == ""
