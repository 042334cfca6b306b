# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource limits: of containers, and of the service of the runtime."""

from __future__ import annotations

import pytest
from conftest import ARCHIVES, IMAGE, check_untouched, reasons
from test_pods import CONTAINER, LOAD, lenient, run_pod, start_container

# A test node cannot raise its own hard limit.
ULIMITS = {"nofile": {"soft": 1111, "hard": 2222}, "core": {"soft": 0, "hard": 0}}
LIMITS = "ulimit -Sn; ulimit -Hn; ulimit -Hc"
BASE_SPEC = "/etc/containerd/cruntime-spec-runc.json"


@pytest.fixture
def limits_of_pod(node, runtime, crictl):
    """Return a function that returns the limits in a new pod."""
    for name in ("pause", "busybox"):
        archive, image = f"{ARCHIVES}/{name}.tar", f"localhost/cruntime-test/{name}:1"
        node.check_output(LOAD[runtime.name].format(archive=archive, image=image))

    def find():
        pod = run_pod(node, crictl, CONTAINER)
        try:
            container = start_container(crictl, pod)
            return crictl(f"exec --sync {container} sh -c '{LIMITS}'").split()
        finally:
            crictl(f"rmp --force {pod}")

    return find


@pytest.mark.each_node
@pytest.mark.runtime("containerd", "crio")
def test_limits_of_pods(node, runtime, enable, limits_of_pod):
    options = {"extra_config": lenient(runtime.name, node), "ulimits": ULIMITS}
    result = enable(**options)
    assert not result.get("failed"), result
    assert limits_of_pod() == ["1111", "2222", "0"]
    assert enable(**options)["changed"] is False
    assert enable(check=True, extra_config=options["extra_config"])["changed"] is True


@pytest.mark.each_node
@pytest.mark.runtime("docker")
def test_limits_of_containers(node, enable, image):
    assert not enable(ulimits=ULIMITS).get("failed")
    found = node.check_output("docker run --rm %s sh -c %s", IMAGE, LIMITS)
    assert found.split() == ["1111", "2222", "0"]


@pytest.mark.runtime("containerd")
def test_a_lost_base_spec_is_drift_and_is_restored(node, runtime, enable):
    assert not enable(ulimits=ULIMITS).get("failed")
    for change in (f"rm {BASE_SPEC}", f"sed -i s/1111/1112/ {BASE_SPEC}"):
        node.check_output(change)
        result = enable(check=True, ulimits=ULIMITS)
        assert [each["path"] for each in result["files"] if each["changed"]] == [BASE_SPEC]
        assert list(reasons(result)) == [runtime.service]
        assert BASE_SPEC in reasons(result)[runtime.service]
        assert enable(ulimits=ULIMITS)["changed"] is True
        assert '"soft": 1111' in node.file(BASE_SPEC).content_string
        assert enable(ulimits=ULIMITS)["changed"] is False
    # Without the option, nothing reads the file.
    assert enable()["changed"] is True
    assert not node.file(BASE_SPEC).exists
    assert node.service(runtime.service).is_running


@pytest.mark.runtime("containerd")
def test_a_base_spec_with_a_wrong_type_changes_nothing(enable, snapshot):
    before = snapshot()
    handler = {"name": "runc", "path": "/usr/sbin/runc", "base_spec": {"process": {"cwd": ["/"]}}}
    result = enable(oci_runtimes=[handler])
    check_untouched(result, "option_invalid", BASE_SPEC, "process.cwd", "a list", "is text")
    assert snapshot() == before
