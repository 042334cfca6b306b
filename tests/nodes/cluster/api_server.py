# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the API server of a cluster with one node, for kubectl; see README.md."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import re
import threading
from typing import Iterator

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
ANNOTATION = "kubeadm.alpha.kubernetes.io/cri-socket"
PODS = "/api/v1/namespaces/default/pods"
DAEMON_SETS = "/apis/apps/v1/namespaces/default/daemonsets"
DAEMON_SET = {
    "kind": "DaemonSet",
    "apiVersion": "apps/v1",
    "metadata": {"name": "app", "namespace": "default"},
}
PROTECTED = "Cannot evict pod as it would violate the pod's disruption budget."


def resource(name: str, kind: str, namespaced: bool = True, **more: str) -> dict:
    """Return an entry for a list of API resources."""
    return {"name": name, "kind": kind, "namespaced": namespaced, "verbs": VERBS, **more}


DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": name,
                "versions": [{"groupVersion": f"{name}/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": f"{name}/v1", "version": "v1"},
            }
            for name in ("apps", "policy")
        ],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            resource("nodes", "Node", namespaced=False),
            resource("pods", "Pod"),
            resource("pods/eviction", "Eviction", group="policy", version="v1"),
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "groupVersion": "apps/v1",
        "resources": [resource("daemonsets", "DaemonSet")],
    },
    "/apis/policy/v1": {
        "kind": "APIResourceList",
        "groupVersion": "policy/v1",
        "resources": [resource("poddisruptionbudgets", "PodDisruptionBudget")],
    },
}


def pod(name: str, node: str, owner: str) -> dict:
    """Return a running pod. Its owner is a ReplicaSet or a DaemonSet."""
    reference = {"apiVersion": "apps/v1", "kind": owner, "name": "app", "uid": "1"}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "ownerReferences": [{**reference, "controller": True}],
        },
        "spec": {"nodeName": node, "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running"},
    }


def apply_patch(target: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7386), the only kind of patch that kubectl uses for a node."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_patch(result.get(key), value)
    return result


class Cluster:
    """State of the server, and its requests.

    :param ready: whether the kubelet of the node reports that it is ready.
    :param protected: names of the pods that a PodDisruptionBudget protects from eviction.
    :param socket: the CRI socket in kubeadm's annotation; None for a node without kubeadm.
    """

    def __init__(
        self,
        name: str,
        *,
        ready: bool = True,
        cordoned: bool = False,
        protected: tuple[str, ...] = (),
        socket: str | None = None,
    ) -> None:
        self.protected = protected
        self.requests: list[str] = []
        self.url = ""
        self.node = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": name, "annotations": {ANNOTATION: socket} if socket else {}},
            "spec": {"unschedulable": True} if cordoned else {},
            "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
        }
        names = {"web": "ReplicaSet", "log": "DaemonSet"}
        self.pods = {each: pod(each, name, owner) for each, owner in names.items()}

    @property
    def cordoned(self) -> bool:
        return bool(self.node["spec"].get("unschedulable"))

    @property
    def socket(self) -> str | None:
        return self.node["metadata"]["annotations"].get(ANNOTATION)

    @property
    def changes(self) -> list[str]:
        """Return the requests that change something."""
        return [request for request in self.requests if not request.startswith("GET ")]

    def kubeconfig(self, path: pathlib.Path) -> str:
        """Write a kubeconfig, and return its path."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {"token": "open-sesame"}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(config))
        return str(path)

    def answer(self, method: str, path: str, body: object) -> tuple[int, dict]:
        """Process a request; return a status and an object."""
        if method == "GET":
            found = self._objects().get(path)
            return (200, found) if found else missing(path)
        node = f"/api/v1/nodes/{self.node['metadata']['name']}"
        if (method, path) == ("PATCH", node):
            self.node = apply_patch(self.node, body)
            return 200, self.node
        evicted = re.fullmatch(f"{PODS}/([^/]+)/eviction", path)
        return self._evict(evicted[1]) if method == "POST" and evicted else missing(path)

    def _objects(self) -> dict[str, dict]:
        return {
            **DISCOVERY,
            f"/api/v1/nodes/{self.node['metadata']['name']}": self.node,
            "/api/v1/nodes": listed("NodeList", [self.node]),
            "/api/v1/pods": listed("PodList", [*self.pods.values()]),
            **{f"{PODS}/{name}": found for name, found in self.pods.items()},
            f"{DAEMON_SETS}/app": DAEMON_SET,
        }

    def _evict(self, name: str) -> tuple[int, dict]:
        if name in self.protected:
            return failure(429, "TooManyRequests", PROTECTED)
        if self.pods.pop(name, None) is None:
            return missing(name)
        return 201, {"kind": "Status", "apiVersion": "v1", "status": "Success"}


def missing(what: str) -> tuple[int, dict]:
    return failure(404, "NotFound", f"the server could not find {what}")


def listed(kind: str, items: list[dict]) -> dict:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}


def failure(code: int, reason: str, message: str) -> tuple[int, dict]:
    details = {"status": "Failure", "reason": reason, "message": message, "code": code}
    return code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, **details}


@contextlib.contextmanager
def served(cluster: Cluster) -> Iterator[Cluster]:
    """Serve the cluster on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.partition("?")[0]
            cluster.requests.append(f"{self.command} {path}")
            code, answer = cluster.answer(self.command, path, body)
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PATCH = do_POST = handle_any

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
