"""Ask daemons of the node through their sockets, without a command.

Usage: ask_daemons.py DAEMONS, a JSON object: the path of the socket of each daemon, by its kind.
Prints a JSON object: for each kind, the response of each function.
"""

from __future__ import annotations

import json
import sys

from ansible_collections.cruntime.node.plugins.module_utils import (
    containerd_api,
    cri,
    crio_api,
    docker_api,
    protobuf,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

TIMEOUT = 30
CRI = (
    cri.version,
    cri.status,
    cri.cgroup_driver,
    cri.image_fs_info,
    cri.list_containers,
    cri.list_pod_sandboxes,
    cri.list_images,
)
CONTAINER_ID = {1: protobuf.Field("container_id", str)}


def find_container(channel):
    """Ask for a container that does not exist, and return the error."""
    request = protobuf.encode(CONTAINER_ID, {"container_id": "gone-é"})
    try:
        channel.call("/runtime.v1.RuntimeService/ContainerStatus", bytes, request)
    except RequestError as error:
        return {"code": error.code, "detail": error.detail, "reason": error.reason}


def ask_cri(path):
    with Channel(path, TIMEOUT) as channel:
        return {ask.__name__: ask(channel) for ask in (*CRI, find_container)}


def ask_containerd(path):
    with Channel(path, TIMEOUT) as channel:
        asks = (containerd_api.list_plugins, containerd_api.server)
        return {ask.__name__: ask(channel) for ask in asks}


def ask_crio(path):
    return {"config": crio_api.config(path, TIMEOUT), "info": crio_api.info(path, TIMEOUT)}


def ask_docker(path):
    docker = docker_api.DockerApi(TIMEOUT, path)
    return {
        "info": docker.info(),
        "version": docker.version(),
        "containers": docker.containers(include_stopped=True),
        "running": docker.containers(include_stopped=False),
    }


def main():
    asks = {"cri": ask_cri, "containerd": ask_containerd, "crio": ask_crio, "docker": ask_docker}
    daemons = json.loads(sys.argv[1])
    print(json.dumps({kind: asks[kind](path) for kind, path in daemons.items()}))


if __name__ == "__main__":
    main()
