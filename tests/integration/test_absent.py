"""Removal of a runtime with all of its data, without the removal of foreign data."""

from __future__ import annotations

import pytest
from conftest import ARCHIVES, IMAGE, RUNTIMES, check_untouched, scenario_runtime

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    # The runtime matters little.
    pytest.mark.short("docker", "crio"),
    pytest.mark.xdist_group("absent"),
]
ROOTS = {
    "containerd": "/var/lib/containerd",
    "crio": "/var/lib/containers/storage",
    "docker": "/var/lib/docker",
}
DEFAULT = {"cgroup_driver": "systemd"}
PROVISION = "cruntime.node.provision"


@pytest.fixture
def name():
    return scenario_runtime()


def store_image(node, name):
    """Load an image, so the store of the runtime is not empty."""
    if name == "crio":
        node.sh(f"podman load --input {ARCHIVES}/busybox.tar")
    else:
        node.sh(f"{RUNTIMES[name].load} {ARCHIVES}/busybox.tar")


def images(node, name):
    """Return the images that the runtime lists."""
    return node.sh(
        {
            "containerd": "ctr --namespace k8s.io images list --quiet",
            "crio": "podman images --format '{{.Repository}}:{{.Tag}}'",
            "docker": "docker images --format '{{.Repository}}:{{.Tag}}'",
        }[name]
    )


def state(node):
    """Return the state of the node that a refused run must not change."""
    return node.sh(
        # The record of binary versions can change.
        "find /etc /var/lib/cruntime -type f ! -name versions.json -printf '%p %T@ %s\\n' | sort; "
        "systemctl show --property=ActiveState,UnitFileState,MainPID containerd.service "
        "docker.service docker.socket crio.service"
    )


def test_removal_deletes_all_data_of_the_runtime_and_check_mode_lists_it(spare, name):
    assert "failed" not in spare.enable(runtime=name, **DEFAULT)
    store_image(spare, name)
    assert IMAGE in images(spare, name)
    spare.sh(f"mkdir {ROOTS[name]}/lost+found")
    before, kept = state(spare), spare.sh(f"ls -A {ROOTS[name]}").split()
    predicted = spare.enable(check=True, runtime=name, state="absent")
    assert state(spare) == before
    assert set(spare.sh(f"ls -A {ROOTS[name]}").split()) == set(kept)
    expected = {f"{ROOTS[name]}/{each}" for each in kept if each != "lost+found"}
    assert expected <= set(predicted["removed"])
    assert RUNTIMES[name].config in predicted["removed"]
    assert ("/etc/crictl.yaml" in predicted["removed"]) is (name != "docker")
    shown = "".join(diff["before"] for diff in predicted["diff"])
    assert all(path in shown for path in expected)
    result = spare.enable(runtime=name, state="absent")
    assert "failed" not in result, result["msg"]
    assert set(result["removed"]) == set(predicted["removed"])
    assert spare.sh(f"ls -A {ROOTS[name]}") == "lost+found\n"
    assert not spare.sh(f"ls {RUNTIMES[name].config}", check=False).startswith("/etc")
    assert "inactive" in spare.sh(f"systemctl is-active {RUNTIMES[name].service}", check=False)
    again = spare.enable(runtime=name, state="absent")
    assert (again["changed"], again["removed"]) == (False, [])
    spare.sh(f"rmdir {ROOTS[name]}/lost+found")
    assert spare.enable(runtime=name, **DEFAULT)["changed"] is True
    assert IMAGE not in images(spare, name)
    assert spare.enable(runtime=name, **DEFAULT)["changed"] is False


@pytest.mark.scenario("containerd")
def test_shims_that_containerd_does_not_know_are_named(spare, name):
    """A shim can outlive its records, for example after a downgrade."""
    assert "failed" not in spare.enable(runtime=name, **DEFAULT)
    store_image(spare, name)
    run = f"ctr --namespace k8s.io run --detach {IMAGE}"
    bundles = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
    spare.sh(f"{run} lost sleep 600 && {run} known sleep 600")
    spare.sh(f"systemctl stop containerd && mv {bundles}/lost /run/lost")
    spare.sh("systemctl start containerd")
    pids = {
        each: spare.sh(f"pgrep -f -- 'containerd-shim.* -id {each} '").split()[0]
        for each in ("lost", "known")
    }
    result = spare.enable(runtime=name, state="absent")
    check_untouched(result, "containers_running")
    known, lost = result["msg"].split("does not know")
    assert (pids["known"] in known, pids["lost"] in lost) == (True, True)
    assert pids["lost"] not in known
    spare.sh("ctr --namespace k8s.io tasks kill --signal KILL known")
    spare.sh("until ctr --namespace k8s.io tasks rm known; do sleep 0.2; done")
    result = spare.enable(runtime=name, state="absent")
    check_untouched(result, "containers_running", pids["lost"])
    assert "still runs containers" not in result["msg"]
    spare.sh(f"pkill -KILL --parent {pids['lost']}; kill -KILL {pids['lost']}")
    result = spare.enable(runtime=name, state="absent")
    assert "failed" not in result, result["msg"]


def test_foreign_data_is_reported_before_anything_is_stopped(spare, name):
    root = f"/data-{name}"
    options = {"runtime": name, "storage": {"root": root}, **DEFAULT}
    assert "failed" not in spare.enable(**options)
    spare.sh(f"mkdir -p {root}/postgres/base")
    before = state(spare)
    for check in (True, False):
        # The record has the directory, so the task need not name it.
        for task in ({"storage": {"root": root}}, {}):
            result = spare.enable(check=check, runtime=name, state="absent", **task)
            check_untouched(result, "data_foreign", f"{root}/postgres")
    assert state(spare) == before
    kept = spare.enable(runtime=name, state="absent", keep_data=True)
    assert not any(path.startswith("/data") for path in kept["removed"])
    assert set(spare.sh(f"ls -A {root}").split()) > {"postgres"}
    spare.sh(f"rm -r {root}/postgres")
    result = spare.enable(runtime=name, state="absent")
    assert "failed" not in result, result["msg"]
    assert spare.sh(f"ls -A {root}") == ""


@pytest.mark.scenario("containerd", "docker")
def test_role_removes_no_foreign_data(spare, name):
    spec = {"runtime": name, "storage": {"root": f"/role-{name}"}}
    assert "failed" not in spare.enable(**spec, **DEFAULT)
    spare.sh(f"mkdir -p /role-{name}/postgres/base")
    before = state(spare)
    variables = {"runtime_packages": [], "runtime_extra_packages": [], "runtime_state": "absent"}
    for flags in (["--check"], []):
        status, output = spare.play(PROVISION, *flags, runtime_spec=spec, **variables)
        assert status != 0
        assert f"/role-{name}/postgres" in output
        assert "data_foreign" in output
    assert state(spare) == before
    spare.sh(f"rmdir -p /role-{name}/postgres/base", check=False)
    status, output = spare.play(PROVISION, runtime_spec=spec, **variables)
    assert status == 0, output
    assert spare.sh(f"ls -A /role-{name}") == ""


def test_root_directory_is_never_emptied(spare, name):
    spare.enable(runtime=name, **DEFAULT)
    before = state(spare)
    result = spare.enable(runtime=name, state="absent", storage={"root": "/"})
    check_untouched(result, "data_foreign", "/bin, ")
    assert state(spare) == before


def test_separate_disk_is_emptied_and_stays_mounted(spare, name):
    spare.enable(runtime=name, storage={"root": "/disk"}, **DEFAULT)
    # The file that each version of the runtime creates in its directories.
    inner = {
        "containerd": "io.containerd.content.v1.content",
        "crio": "overlay-images",
        "docker": "volumes",
    }[name]
    spare.sh(f"systemctl stop {RUNTIMES[name].service}; mkdir -p /other/lost+found /disk/{inner}")
    spare.sh(f"mount --bind /other /disk/{inner}")
    try:
        spare.sh(f"systemctl start {RUNTIMES[name].service}; touch /disk/{inner}/x")
        result = spare.enable(runtime=name, state="absent")
        assert "failed" not in result, result["msg"]
        assert spare.sh("ls -A /disk").split() == [inner]
        assert spare.sh(f"ls -A /disk/{inner}").split() == ["lost+found"]
        assert spare.sh(f"mountpoint -q /disk/{inner} && echo mounted") == "mounted\n"
    finally:
        spare.sh(f"umount /disk/{inner}; rm -r /disk /other")


@pytest.mark.scenario("containerd", "docker")
def test_runtime_with_running_containers_is_not_removed(spare, name):
    spare.enable(runtime=name, **DEFAULT)
    store_image(spare, name)
    start, stop = {
        "containerd": (
            f"ctr --namespace k8s.io run --detach {IMAGE} keep sleep 600",
            "ctr --namespace k8s.io task rm --force keep; ctr --namespace k8s.io container rm keep",
        ),
        "docker": (f"docker run --detach --name keep {IMAGE} sleep 600", "docker rm --force keep"),
    }[name]
    spare.sh(start)
    try:
        before = state(spare)
        for check in (True, False):
            result = spare.enable(check=check, runtime=name, state="absent")
            check_untouched(result, "containers_running")
            (container,) = result["containers_at_risk"]
            assert container["name"] == "keep"
        assert state(spare) == before
    finally:
        spare.sh(stop)


def test_file_changed_by_an_admin_is_kept_and_reported(spare, name):
    spare.enable(runtime=name, **DEFAULT)
    config = RUNTIMES[name].config
    spare.write(config, "by hand")
    result = spare.enable(runtime=name, state="absent")
    assert any(config in warning for warning in result["warnings"])
    assert spare.sh(f"cat {config}") == "by hand"
    spare.sh(f"rm {config}")


@pytest.mark.scenario("crio")
def test_removal_keeps_volumes_of_podman(spare):
    spare.enable(runtime="crio", **DEFAULT)
    spare.sh("podman volume create precious")
    result = spare.enable(runtime="crio", state="absent")
    check_untouched(result, "data_foreign", "volumes/precious")
    spare.sh("podman volume rm precious")
    spare.sh(f"podman load --input {ARCHIVES}/busybox.tar && podman create --name mine {IMAGE}")
    result = spare.enable(runtime="crio", state="absent")
    check_untouched(result, "data_foreign", "mine", "podman")
    spare.sh("podman rm mine")
    assert "failed" not in spare.enable(runtime="crio", state="absent")


@pytest.mark.scenario("docker")
def test_removal_keeps_foreign_directory_among_volumes_of_docker(spare):
    spare.enable(runtime="docker", **DEFAULT)
    spare.sh("docker volume create made; mkdir /var/lib/docker/volumes/precious")
    result = spare.enable(runtime="docker", state="absent")
    check_untouched(result, "data_foreign", "/var/lib/docker/volumes/precious/")
    spare.sh("rmdir /var/lib/docker/volumes/precious")
    assert "failed" not in spare.enable(runtime="docker", state="absent")


@pytest.fixture
def stopped_docker(newest):
    """Return a node with the newest Docker, stopped, whose container has its data in containerd."""
    newest.enable(runtime="docker", **DEFAULT)
    assert "io.containerd.snapshotter" in newest.sh("docker info --format '{{.DriverStatus}}'")
    newest.sh(
        f"docker load --input {ARCHIVES}/busybox.tar; docker rm --force keep; "
        f"docker run --name keep {IMAGE} sh -c 'echo precious >/data'; "
        "systemctl stop docker.socket docker.service"
    )
    return newest


@pytest.mark.scenario("docker")
def test_removal_of_containerd_keeps_data_of_a_stopped_docker(stopped_docker):
    before = state(stopped_docker)
    for check in (True, False):
        result = stopped_docker.enable(check=check, runtime="containerd", state="absent")
        check_untouched(result, "data_foreign", "moby (1 images, ", "docker")
    assert state(stopped_docker) == before
    stopped_docker.sh("systemctl start docker")
    # Only the write layer of the container has this file.
    assert "precious" in stopped_docker.sh("docker cp keep:/data - | tar -xO")


@pytest.mark.scenario("docker")
@pytest.mark.parametrize("containerd", [pytest.param("runs", marks=pytest.mark.long), "is stopped"])
def test_removal_of_docker_removes_its_data_in_containerd(stopped_docker, containerd):
    load = f"ctr --namespace k8s.io images import {ARCHIVES}/busybox.tar"
    stopped_docker.sh(f"systemctl start containerd; {load}")
    if containerd == "is stopped":
        stopped_docker.sh("systemctl stop containerd")
    result = stopped_docker.enable(runtime="docker", state="absent")
    assert "failed" not in result, result["msg"]
    assert any("namespace moby (1 images" in line for line in result["removed"])
    was = stopped_docker.sh("systemctl is-active containerd", check=False).strip()
    assert was == ("active" if containerd == "runs" else "inactive")
    stopped_docker.sh("systemctl start containerd")
    assert stopped_docker.sh("ctr namespaces list --quiet 2>/dev/null").split() == ["k8s.io"]
    assert stopped_docker.sh("ctr --namespace k8s.io images list --quiet 2>/dev/null").split()
    assert stopped_docker.enable(runtime="docker", state="absent")["changed"] is False
    # Now the store holds no foreign data.
    assert "failed" not in stopped_docker.enable(runtime="containerd", state="absent")
    assert stopped_docker.sh("ls -A /var/lib/containerd") == ""
