"""No-op runs, compared with roles and modules of other authors.

CRUNTIME_BENCH_PEERS names a directory of roles, each in a directory with its own name. Without it,
only the modules of the package "ansible" are measured.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

from images import eight, image, serve
from lab import ARCHIVES, SPEC, Figure, nodes, ratios, seconds

_ROLE = "geerlingguy.containerd"
_NUMBERS = range(8)
# The mirror in the apt configuration of the node.
_MIRROR = "apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1"


def figures(directory: pathlib.Path) -> Iterator[Figure]:
    roles = os.environ.get("CRUNTIME_BENCH_PEERS", "")
    if (pathlib.Path(roles) / _ROLE).is_dir() and roles:
        yield from _roles(directory, roles)
    yield from _modules(directory)


def _roles(directory: pathlib.Path, roles: str) -> Iterator[Figure]:
    enable = {"cruntime.node.cruntime_enable": SPEC}
    # Both write the same file, so each uses its own node.
    with nodes("trixie", directory) as ours, nodes("trixie", directory, name="peer") as theirs:
        theirs.sh("apt-get -q update >/dev/null")
        variables = {
            "containerd_package": "containerd",
            "containerd_config_cgroup_driver_systemd": True,
            # Debian's packages, instead of Docker's.
            "docker_apt_repository": theirs.sh(_MIRROR).strip(),
            "docker_apt_release_channel": "main",
            "docker_apt_gpg_key": "/usr/share/keyrings/debian-archive-keyring.gpg",
        }
        role = {"roles": [_ROLE], "vars": variables, "gather_facts": True, "roles_path": roles}
        ours.play(enable)
        theirs.play(**role)
        yield Figure(
            "containerd is as specified", f"{_ROLE} / cruntime_enable", "",
            ratios(lambda: seconds(theirs, **role), lambda: seconds(ours, enable)),
        )  # fmt: skip


def _modules(directory: pathlib.Path) -> Iterator[Figure]:
    with nodes("registry", directory) as registry, nodes("trixie", directory) as node:
        address = serve(registry)
        insecure = [{"registry": address, "insecure": True}]
        spec = {**SPEC, "runtime": "docker", "registries": insecure}
        node.play({"cruntime.node.cruntime_enable": spec})
        # Package that community.docker needs on the node.
        node.sh(
            "apt-get -q update >/dev/null; export DEBIAN_FRONTEND=noninteractive;"
            "apt-get -q install -y python3-requests >/dev/null"
        )
        names = [eight(address, number) for number in _NUMBERS]
        node.play(image(name=names))
        pulls = [
            {"community.docker.docker_image_pull": {"name": name, "pull": "not_present"}}
            for name in names
        ]
        yield Figure(
            "8 images already present", "docker_image_pull in a loop / cruntime_image", "",
            ratios(lambda: seconds(node, *pulls), lambda: seconds(node, image(name=names))),
        )  # fmt: skip
        archives = [f"{ARCHIVES}/{name}.tar" for name in ("busybox", "pause")]
        loads = [{"community.docker.docker_image_load": {"path": path}} for path in archives]
        load = image(archive=archives)
        node.play(load, *loads)
        yield Figure(
            "2 archives already loaded", "docker_image_load in a loop / cruntime_image", "",
            ratios(lambda: seconds(node, *loads), lambda: seconds(node, load)),
        )  # fmt: skip
