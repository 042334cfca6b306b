"""A run that cannot finish changes nothing, and only one of two simultaneous runs does the work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ENABLE, check_failed

# The runtime matters little.
pytestmark = pytest.mark.short("docker", "crio")


def test_second_of_two_simultaneous_runs_waits_and_changes_nothing(node, spec, other, run_module):
    run_module(node, ENABLE, runtime=other.name)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run_module, node, ENABLE, **spec) for _run in range(2)]
        results = [run.result() for run in runs]
    assert sorted(result["changed"] for result in results) == [False, True]


@pytest.mark.parametrize(
    ("mount", "cause"),
    [
        ("mount --bind {0} {0} && mount -o remount,bind,ro {0}", "Read-only file system"),
        ("mount -t tmpfs -o size=4k,nr_inodes=4 full {0} && dd if=/dev/zero of={0}/x", "No space"),
    ],
)
def test_unwritable_directory_changes_nothing(
    node, *, spec, runtime, run_module, snapshot, mount, cause
):
    # All configuration files of the runtime are in /etc/NAME.
    directory = "/".join(runtime.config.split("/")[:3])
    node.run(mount.format(directory))
    try:
        before = snapshot()
        result = run_module(node, ENABLE, **{**spec, "cgroup_driver": "cgroupfs"})
        after = snapshot()
    finally:
        node.check_output("umount %s", directory)
    check_failed(result, "file_unwritable", cause, directory)
    assert result["rolled_back"] is True
    # The process of the runtime was not restarted.
    assert after == before
