"""Images: present images, archives to load, and pulls."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

from lab import ARCHIVES, HERE, OURS, PING, SPEC, Figure, Fleet, exists, nodes, ratios, seconds

_EIGHT = range(8)
# Node image of each runtime, and its spec without the registry.
_NODES = {
    "containerd": ("trixie", SPEC),
    "docker": ("trixie-forky", {}),
    "crio": ("trixie-crio", {}),
}


def image(**options: object) -> dict:
    return {"cruntime.node.cruntime_image": options}


def figures(directory: pathlib.Path) -> Iterator[Figure]:
    """Measure each runtime whose node image exists. Only CRI-O may have none."""
    with nodes("registry", directory) as registry:
        address = serve(registry)
        for runtime, (name, spec) in _NODES.items():
            if not exists(name):
                print(f"no {runtime}: there is no image {name} of a node with it", flush=True)
                continue
            registries = [{"registry": address, "insecure": True}]
            whole = {**spec, "runtime": runtime, "registries": registries}
            with nodes(name, directory) as node:
                node.play({"cruntime.node.cruntime_enable": whole})
                node.play(image(archive=[f"{ARCHIVES}/busybox.tar", f"{ARCHIVES}/pause.tar"]))
                for figure in (*_present(node), *_archives(node), *_pulls(node, address)):
                    yield dataclasses.replace(figure, name=f"{figure.name}, {runtime}")


def serve(registry: Fleet) -> str:
    """Copy eight images to a registry, and return its address."""
    registry.sh("serve-registry >/dev/null")
    copy = "skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false"
    source = "docker://localhost:5001/library/mirrored:1"
    numbers = " ".join(map(str, _EIGHT))
    registry.sh(f"for n in {numbers}; do {copy} {source} docker://{eight('localhost:5001')}; done")
    return registry.sh("hostname --ip-address").strip() + ":5001"


def eight(address: str, number: object = "$n") -> str:
    return f"{address}/library/bench-{number}:1"


def _present(node: Fleet) -> Iterator[Figure]:
    names = [f"{OURS}/bench-{number}:1" for number in range(100)]
    node.play(image(name=names, source_image=f"{OURS}/busybox:1"))
    present = image(name=names)
    yield Figure(
        "100 images already present", "cruntime_image / ping", "<= 1.3",
        ratios(lambda: seconds(node, present), lambda: seconds(node, PING)),
    )  # fmt: skip
    commands, _memory = node.watched(present)
    yield Figure("100 images already present", "processes on the node", "<= 3", [len(commands)])


def _archives(node: Fleet) -> Iterator[Figure]:
    script = (HERE / "images_of_size.py").read_text()
    node.sh(f"python3 - /root/bench 1 1024 <<'END'\n{script}\nEND")
    small, large = (image(archive=[f"/root/bench/{mib}.tar"]) for mib in (1, 1024))
    node.play(small, large)
    yield Figure(
        "an archive that is loaded", "1 GiB / 1 MiB", "<= 1.2",
        ratios(lambda: seconds(node, large), lambda: seconds(node, small)),
    )  # fmt: skip


def _pulls(node: Fleet, address: str) -> Iterator[Figure]:
    names = [eight(address, number) for number in _EIGHT]
    yield Figure(
        "8 missing images", "loop of tasks / one task", ">= 2",
        ratios(
            lambda: seconds(node, *(image(name=[name]) for name in names)),
            lambda: seconds(node, image(name=names, parallel=8)),
            lambda: node.play(image(name=names, state="absent")),
        ),
    )  # fmt: skip
