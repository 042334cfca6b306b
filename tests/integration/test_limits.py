# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource limits: of containers, and of the service of the runtime."""

from __future__ import annotations

import re

import pytest
from conftest import ARCHIVES, IMAGE, check_failed, check_untouched, reasons
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


SERVICE = {
    "limits": {"nofile": {"soft": 3333, "hard": 4444}},
    "slice": "cruntime-test.slice",
    "oom_score_adjust": 77,
    "environment": {"CRUNTIME_TEST": "a $HOME %n \"b"},
}


@pytest.mark.each_node
def test_settings_of_the_service(node, runtime, enable):
    options = {"service": SERVICE, "running_containers": "stop"}
    result = enable(**options)
    assert not result.get("failed"), result
    assert "a $HOME" not in str(result)
    pid = node.check_output("systemctl show --property=MainPID --value %s", runtime.service)

    def read(name):
        # The variables of a process end with a null byte.
        return node.check_output("tr '\\0' '\\n' < /proc/%s/%s", pid, name)

    # Programs in Go raise their soft limit to the hard limit.
    assert re.search(r"^Max open files +\d+ +4444 ", read("limits"), re.MULTILINE)
    asked = node.check_output("systemctl show --property=LimitNOFILESoft %s", runtime.service)
    assert asked == "LimitNOFILESoft=3333"
    # The node of CRI-O has a drop-in with a later name.
    assert read("oom_score_adj").strip() == ("0" if runtime.name == "crio" else "77")
    assert f"CRUNTIME_TEST={SERVICE['environment']['CRUNTIME_TEST']}" in read("environ").split("\n")
    cgroup = f"/cruntime.slice/cruntime-test.slice/{runtime.service}"
    assert any(line.endswith(cgroup) for line in read("cgroup").split())
    if runtime.name != "docker":
        assert result["kubelet_options"]["runtime-cgroups"] == cgroup
    again = enable(**options)
    assert again["changed"] is False
    assert again["kubelet_options"] == result["kubelet_options"]
    # Another value of a variable is found, whatever sets it.
    drop_in = f"/etc/systemd/system/{runtime.service}.d/99-admin.conf"
    node.check_output("printf '[Service]\\nUnsetEnvironment=CRUNTIME_TEST\\n' > %s", drop_in)
    try:
        found = enable(check=True, **options)
        check_failed(found, "setting_overridden", "CRUNTIME_TEST", drop_in)
    finally:
        node.check_output("rm %s && systemctl daemon-reload", drop_in)
    back = enable(running_containers="stop")
    assert back["changed"] is True
    if runtime.name != "docker":
        default = f"/system.slice/{runtime.service}"
        assert back["kubelet_options"]["runtime-cgroups"] == default
