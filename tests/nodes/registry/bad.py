"""A registry that fails in the way that the name of the repository describes.

Usage: bad.py PORT CERTIFICATE KEY
"""

from __future__ import annotations

import hashlib
import http.server
import json
import ssl
import sys
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOBS = [b"{}", b"layer"]


def descriptor(kind: str, content: bytes) -> dict:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content)}


WHOLE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", BLOBS[0]),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", BLOBS[1])],
    }
).encode()
HTML = (200, "text/html", b"<html><body>Please log in</body></html>")


def refusal(status: int, code: str) -> tuple[int, str, bytes]:
    errors = {"errors": [{"code": code, "message": code.lower()}]}
    return status, "application/json", json.dumps(errors).encode()


ANSWERS = {
    "html": HTML,
    "truncated": (200, MANIFEST, WHOLE[:100]),
    # The blobs and the manifest do not match their digests.
    "swapped": (200, MANIFEST, WHOLE),
    "private": refusal(401, "UNAUTHORIZED"),
    "forbidden": refusal(403, "DENIED"),
    "missing": refusal(404, "NAME_UNKNOWN"),
    "busy": (503, "text/plain", b""),
    "limited": refusal(429, "TOOMANYREQUESTS"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = (self.path.split("/") + [""] * 3)[2]
        status, content_type, content = ANSWERS.get(kind, (200, "application/json", b"{}"))
        if kind == "swapped" and "/blobs/" in self.path:
            content = b"other"
        if kind == "hanging":
            time.sleep(600)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:])
    # Do the handshake of each connection in its own thread.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.serve_forever()
