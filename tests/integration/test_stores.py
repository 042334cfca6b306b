"""containerd and CRI-O with data that a change of their storage would hide."""

from __future__ import annotations

import pytest
from conftest import ARCHIVES, IMAGE

pytestmark = pytest.mark.runtime("containerd", "crio")

ROOTS = {"containerd": "/var/lib/containerd", "crio": "/var/lib/containers/storage"}
SHOW = {"containerd": "ctr --namespace k8s.io images ls -q", "crio": "crictl images --quiet"}
LOAD = {
    "containerd": f"ctr --namespace k8s.io images import {ARCHIVES}/busybox.tar",
    "crio": f"skopeo copy docker-archive:{ARCHIVES}/busybox.tar containers-storage:{IMAGE}",
}


@pytest.fixture
def empty(empty_store):
    """A function that removes all images and containers, as is done before and after the test."""
    empty_store()
    yield empty_store
    empty_store()


@pytest.fixture
def refused(enable, snapshot, node, runtime):
    """A function that runs the module, which must fail in check mode too and change nothing."""

    def run(**changes):
        before, shown = snapshot(), node.check_output(SHOW[runtime.name])
        for check in (True, False):
            result = enable(check=check, **changes)
            assert result.get("failed") is True, result
            assert "rolled_back" not in result
        assert (snapshot(), node.check_output(SHOW[runtime.name])) == (before, shown)
        return result["msg"]

    return run


@pytest.mark.alike
def test_another_root_hides_what_is_in_the_old_one(node, runtime, empty, enable, refused):
    root = ROOTS[runtime.name]
    new = {"root": f"{root}/elsewhere"}
    node.check_output(LOAD[runtime.name])
    message = refused(storage=new)
    assert f"{runtime.config}: root can't be changed: " in message
    assert f"would no longer show 1 image that it has in {root}" in message
    assert f"keep this store: set storage.root to {root}" in message
    node.check_output("systemctl stop %s", runtime.service)
    result = enable(check=True, storage=new)
    assert "can't be changed" in result["msg"]
    enable()
    empty()
    assert enable(storage=new)["changed"] is True


@pytest.mark.runtime("crio")
def test_another_driver_hides_what_is_in_the_old_one(node, runtime, empty, enable, refused):
    node.check_output(LOAD[runtime.name])
    message = refused(storage={"driver": "vfs"})
    assert "storage_driver can't be changed" in message
    assert "keep this store: set storage.driver to overlay" in message
    empty()
    assert enable(storage={"driver": "vfs"})["changed"] is True
    # Without storage_driver, CRI-O does not start if it finds the directories of two drivers.
    node.check_output(f"systemctl stop crio && rm -r {ROOTS[runtime.name]}/vfs*")
    assert not enable().get("failed")


@pytest.mark.alike
@pytest.mark.runtime("containerd")
def test_another_client_of_containerd_has_data_too(node, empty, refused):
    node.check_output(f"ctr --namespace moby images import {ARCHIVES}/busybox.tar")
    assert "no longer show 1 image" in refused(storage={"root": "/var/lib/containerd/elsewhere"})


@pytest.mark.alike
@pytest.mark.runtime("containerd")
def test_another_snapshotter_hides_nothing(node, runtime, empty, enable):
    node.check_output(LOAD[runtime.name])
    before = node.check_output(SHOW[runtime.name])
    assert enable(storage={"driver": "native"})["changed"] is True
    assert node.check_output(SHOW[runtime.name]) == before
