"""Nodes that other tools have configured: each directory in origins/ has the files of one tool."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess

import pytest
from conftest import ENABLE, RUNTIMES, check_untouched

pytestmark = [pytest.mark.xdist_group("origins")]
FILES = pathlib.Path(__file__).parent / "origins"
PAUSE = "localhost/cruntime-test/pause:1"
DEFAULT = "containerd config default | sed 's/SystemdCgroup = false/SystemdCgroup = true/"
NVIDIA = "/usr/bin/nvidia-container-runtime"
# What can be changed on a node by a tool or by a run.
PLACES = "/etc/containerd /etc/docker /etc/systemd/system /var/lib/cruntime"
LIST = f"find {PLACES} -type f ! -name versions.json -exec sha256sum {{}} + | sort"


@dataclasses.dataclass(frozen=True)
class Origin:
    """A tool that has configured a node.

    :param driver: cgroup driver before the first run, None if the CRI does not start.
    :param prepare: shell command in addition to the files.
    :param refused: parts of the error for a spec that cannot have an effect.
    """

    runtime: str
    driver: str | None = "systemd"
    prepare: str = "true"
    refused: tuple[str, ...] = ()


ORIGINS = {
    "kubeadm": Origin("containerd", prepare=f"{DEFAULT}' > /etc/containerd/config.toml"),
    "kubespray-containerd": Origin(
        "containerd", prepare="ctr oci spec > /etc/containerd/cri-base.json"
    ),
    "minikube": Origin(
        "containerd",
        prepare=f"{DEFAULT}; s|sandbox_image = .*|sandbox_image = \"{PAUSE}\"|; "
        "s/restrict_oom_score_adj = false/restrict_oom_score_adj = true/; "
        "s/enable_unprivileged_ports = false/enable_unprivileged_ports = true/' "
        "> /etc/containerd/config.toml",
    ),
    # In 1.x, the table of the drop-in replaces the whole table of the plugin.
    "nvidia-containerd": Origin("containerd", driver=None, refused=("99-nvidia.toml",)),
    "flatcar": Origin(
        "containerd",
        driver="cgroupfs",
        refused=("10-use-config.conf", "/usr/share/containerd/config.toml", "ExecStart="),
    ),
    "flags-containerd": Origin(
        "containerd", driver="cgroupfs", refused=("local.conf", "log-level", "'debug'")
    ),
    "docker-ce": Origin("docker", driver="cgroupfs"),
    "kubespray-docker": Origin("docker"),
    "nvidia-docker": Origin("docker", driver="cgroupfs", prepare=f"cp /usr/sbin/runc {NVIDIA}"),
}
SHORT = ("kubespray-containerd", "kubespray-docker")


@pytest.fixture(
    params=[
        pytest.param(
            name,
            marks=[
                pytest.mark.scenario(origin.runtime),
                *([] if name in SHORT else [pytest.mark.long]),
            ],
        )
        for name, origin in ORIGINS.items()
    ]
)
def origin(request, spare):
    """Return the origin of a node after its tool has configured the node."""
    chosen, files = ORIGINS[request.param], FILES / request.param
    services = ("containerd.service", RUNTIMES[chosen.runtime].service)
    start = "; ".join(f"systemctl restart {name}" for name in dict.fromkeys(services))
    start = f"systemctl daemon-reload; {start}"
    spare.sh(f"mkdir -p {PLACES} && tar -cPf /srv/before.tar {PLACES}")
    if files.is_dir():
        subprocess.run(["docker", "cp", "--quiet", f"{files}/.", f"{spare.name}:/"], check=True)
    spare.sh(f"{chosen.prepare}; {start}")
    yield chosen
    spare.sh(f"rm -rf {PLACES}; tar -xPf /srv/before.tar; {start}")


def describe(spare, origin):
    return spare.run("cruntime.node.cruntime_info")["runtimes"][origin.runtime]


def test_a_node_of_another_tool_gets_its_spec(spare, origin):
    found = describe(spare, origin)
    assert (found["active"], found["cgroup_driver"]) == (True, origin.driver)
    spec = {"runtime": origin.runtime, "cgroup_driver": "systemd", "log_level": "info"}
    spec |= {"sandbox_image": PAUSE} if origin.runtime == "containerd" else {"cri_service": False}
    before = spare.sh(LIST)
    result = spare.run(ENABLE, **spec)
    if origin.refused:
        check_untouched(result, "setting_overridden", *origin.refused)
        assert spare.sh(LIST) == before
        return
    assert "failed" not in result, result["msg"]
    assert describe(spare, origin)["cgroup_driver"] == "systemd"
    again = spare.run(ENABLE, **spec)
    assert (again.get("changed"), again["overridden"], again["pending"]) == (False, [], [])
