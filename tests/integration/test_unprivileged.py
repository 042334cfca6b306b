"""A user without privileges on the node gains no access and breaks nothing.

The user creates links, FIFOs, locks and files wherever this is possible, and replaces directories
while root works.
"""

from __future__ import annotations

import subprocess

import pytest
from conftest import ARCHIVES, IMAGE, check_failed

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    # The runtime matters little.
    pytest.mark.short("containerd", "crio"),
    pytest.mark.xdist_group("unprivileged"),
]
MODULE = "cruntime.node.cruntime_image"
#: Every path that the modules create or write to.
PLACES = (
    *("/run/cruntime", "/run/cruntime/lock", "/run/cruntime.lock", "/var/lib/cruntime"),
    *("/var/lib/cruntime/files.json", "/var/lib/cruntime/versions.json", "/var/lib/.cruntime-x"),
    *("/etc/crictl.yaml", "/etc/.crictl.yaml.cruntime", "/etc/docker/daemon.json"),
    *(
        "/etc/docker/.daemon.json.cruntime",
        "/etc/containerd/config.toml",
        "/etc/crio/crio.conf.d/x",
    ),
    *("/etc/containerd/certs.d/x", "/etc/containers/registries.conf.d/x"),
    *("/etc/systemd/system/containerd.service.d/x.conf", "/var/lib/containerd/x"),
    *("/var/lib/docker/x", "/var/lib/containers/storage/x"),
)
#: Replace each directory that root creates in a home directory with a link to /etc.
RACE = r"""
cd /home/mallory
while :; do
    for made in .cruntime-* .images.tar.cruntime; do
        test -e "$made" && mv "$made" "away-$(date +%N)" && ln -s /etc "$made"
    done
done 2>/dev/null
"""


@pytest.fixture(scope="module")
def mallory(spare):
    """Return a function that runs a script as a user without privileges."""
    spare.sh("id mallory || useradd --create-home --shell /bin/sh mallory")
    return lambda script: spare.sh(f"su mallory -c '{script}'", check=False)


def etc(node):
    return node.sh("find /etc -type f -exec sha256sum {} + | sort; ls -lR /etc | grep -v total")


def test_user_cannot_take_over_a_path_that_is_written(spare, spare_spec, mallory):
    for path in PLACES:
        spare.sh(f"test -e {path} && exit; rm -f {path}")
        planted = mallory(f"ln -sfn /etc/shadow {path} || mkfifo {path} || echo x >{path}")
        assert "mallory" not in spare.sh(f"stat -c %U {path}", check=False), planted
    # The user cannot open the existing files, and therefore cannot hold a lock on them.
    for path in ("/run/cruntime", "/run/cruntime/lock"):
        assert "ermission denied" in mallory(f"flock --nonblock {path} true")
    assert spare.enable(**spare_spec)["changed"] is False


def save(node, spare_spec, path):
    names = {"runtime": spare_spec["runtime"], "name": IMAGE}
    loaded = node.run(MODULE, runtime=spare_spec["runtime"], archive=f"{ARCHIVES}/busybox.tar")
    assert "failed" not in loaded, loaded["msg"]
    return node.run(MODULE, **names, pull="never", export_path=path)


@pytest.mark.parametrize(
    "plant",
    [
        "ln -sfn /etc/shadow {}",
        pytest.param("mkfifo -m 666 {}", marks=pytest.mark.long),
        "touch {0}; chmod 666 {0}",
        pytest.param("ln -sfn {0} {0}", marks=pytest.mark.long),
        pytest.param("mkdir {}", marks=pytest.mark.long),
    ],
)
def test_archive_at_a_path_created_by_another_user(spare, spare_spec, mallory, plant):
    path = "/tmp/images.tar"
    spare.sh(f"rm -rf {path}")
    mallory(plant.format(path))
    before = etc(spare)
    result = save(spare, spare_spec, path)
    if plant.startswith("mkdir"):
        check_failed(result, "option_invalid", "export_path", path)
    else:
        assert "failed" not in result, result["msg"]
        assert spare.sh(f"stat -c '%U %a' {path}") == "root 600\n"
        assert "ermission denied" in mallory(f"cat {path}")
    assert etc(spare) == before
    spare.sh(f"rm -rf {path}")


def test_directory_replaced_while_root_writes(spare, spare_spec, mallory):
    before = etc(spare)
    command = ["docker", "exec", "--user", "mallory", spare.name, "sh", "-c", RACE]
    with subprocess.Popen(command) as race:
        try:
            for _try in range(3):
                save(spare, spare_spec, "/home/mallory/images.tar")
                spare.sh("rm -rf /home/mallory/images.tar")
        finally:
            spare.sh("pkill -u mallory", check=False)
            race.wait()
    assert etc(spare) == before
    assert "images" not in spare.sh("ls -A /etc")


def test_archive_of_another_user_that_is_a_fifo_or_a_link(spare, spare_spec, mallory):
    mallory("cd /home/mallory; mkfifo f.tar; ln -s /dev/zero z.tar; ln -s /etc/shadow s.tar")
    reasons = {"f": "archive_invalid", "z": "archive_invalid", "s": "archive_invalid"}
    for name, reason in reasons.items():
        path = f"/home/mallory/{name}.tar"
        result = spare.run(MODULE, runtime=spare_spec["runtime"], archive=path, timeout=20)
        check_failed(result, reason, path)
        # The result contains no content of the link's target.
        assert "root:" not in str(result)
