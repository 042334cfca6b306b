"""containerd and CRI-O with data that a change of their storage would hide."""

from __future__ import annotations

import pytest
from conftest import ARCHIVES, IMAGE, check_untouched

pytestmark = pytest.mark.runtime("containerd", "crio")

ROOTS = {"containerd": "/var/lib/containerd", "crio": "/var/lib/containers/storage"}
SHOW = {"containerd": "ctr --namespace k8s.io images ls -q", "crio": "crictl images --quiet"}
LOAD = {
    "containerd": f"ctr --namespace k8s.io images import {ARCHIVES}/busybox.tar",
    "crio": f"skopeo copy docker-archive:{ARCHIVES}/busybox.tar containers-storage:{IMAGE}",
}


@pytest.fixture
def empty(empty_store):
    """Yield a function that removes all images and containers. Run it before and after the test."""
    empty_store()
    yield empty_store
    empty_store()


@pytest.fixture
def refused(enable, snapshot, node, runtime):
    """Return a function that runs the module, which must fail in check mode too and change nothing.

    The function takes the facts that the message must contain, and options.
    """

    def run(*facts, **changes):
        before, shown = snapshot(), node.check_output(SHOW[runtime.name])
        for check in (True, False):
            result = enable(check=check, **changes)
            check_untouched(result, "data_hidden", *facts)
        assert (snapshot(), node.check_output(SHOW[runtime.name])) == (before, shown)

    return run


def test_change_of_the_root_is_rejected_if_it_hides_data(node, runtime, empty, enable, refused):
    root = ROOTS[runtime.name]
    new = {"root": f"{root}/elsewhere"}
    node.check_output(LOAD[runtime.name])
    refused(runtime.config, "1 image", f" in {root}", "storage.root", storage=new)
    node.check_output("systemctl stop %s", runtime.service)
    check_untouched(enable(check=True, storage=new), "data_hidden")
    enable()
    empty()
    assert enable(storage=new)["changed"] is True


@pytest.mark.runtime("crio")
def test_change_of_the_driver_is_rejected_if_it_hides_data(node, runtime, empty, enable, refused):
    node.check_output(LOAD[runtime.name])
    refused("storage_driver", "storage.driver", "overlay", storage={"driver": "vfs"})
    empty()
    assert enable(storage={"driver": "vfs"})["changed"] is True
    # Without storage_driver, CRI-O does not start if it finds the directories of two drivers.
    node.check_output(f"systemctl stop crio && rm -r {ROOTS[runtime.name]}/vfs*")
    assert not enable().get("failed")


@pytest.mark.runtime("containerd")
def test_data_of_another_client_of_containerd_counts(node, empty, refused):
    node.check_output(f"ctr --namespace moby images import {ARCHIVES}/busybox.tar")
    refused("1 image", storage={"root": "/var/lib/containerd/elsewhere"})


@pytest.mark.runtime("containerd")
def test_change_of_the_snapshotter_hides_nothing(node, runtime, empty, enable):
    node.check_output(LOAD[runtime.name])
    before = node.check_output(SHOW[runtime.name])
    assert enable(storage={"driver": "native"})["changed"] is True
    assert node.check_output(SHOW[runtime.name]) == before
