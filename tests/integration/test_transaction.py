"""A run that can't be finished changes nothing; two runs at once do the work once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ENABLE, check_failed


@pytest.mark.alike
def test_of_two_runs_at_once_one_waits_and_finds_nothing_to_do(node, spec, other, run_module):
    run_module(node, ENABLE, runtime=other.name)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run_module, node, ENABLE, **spec) for _run in range(2)]
        results = [run.result() for run in runs]
    assert sorted(result["changed"] for result in results) == [False, True]


@pytest.mark.alike
@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ("mount --bind {0} {0} && mount -o remount,bind,ro {0}", "Read-only file system"),
        ("mount -t tmpfs -o size=4k,nr_inodes=4 full {0} && dd if=/dev/zero of={0}/x", "No space"),
    ],
)
def test_a_folder_that_takes_no_file(node, *, spec, runtime, run_module, snapshot, mount, words):
    # Where the runtime keeps all of its files: /etc/NAME.
    folder = "/".join(runtime.config.split("/")[:3])
    node.run(mount.format(folder))
    try:
        before = snapshot()
        result = run_module(node, ENABLE, **{**spec, "cgroup_driver": "cgroupfs"})
        after = snapshot()
    finally:
        node.check_output("umount %s", folder)
    check_failed(result, "file_unwritable", words, folder)
    assert result["rolled_back"] is True
    # The process that runs never went away.
    assert after == before
