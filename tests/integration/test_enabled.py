"""Checks that hold on every node after cruntime_enable, with any runtime."""

import json

import pytest
from conftest import ENABLE, check_untouched

pytestmark = pytest.mark.each_node


def test_runtime_is_up_and_starts_at_boot(node, runtime):
    assert node.service(runtime.service).is_running
    for unit in runtime.enabled:
        assert node.service(unit).is_enabled


def test_other_runtimes_are_stopped_and_disabled(node, runtime):
    for unit in runtime.foreign:
        assert not node.service(unit).is_running
        assert node.run("systemctl is-enabled %s", unit).failed


def test_runtime_responds(node, runtime):
    node.check_output(runtime.version)


@pytest.mark.runtime("containerd", "crio")
def test_crictl_finds_the_runtime(node, runtime):
    config = node.file("/etc/crictl.yaml").content_string.splitlines()
    assert f"runtime-endpoint: {runtime.endpoint}" in config
    assert f"image-endpoint: {runtime.endpoint}" in config
    # The default of two seconds is too short for a loaded node.
    assert "timeout: 30" in config


@pytest.mark.runtime("containerd", "docker")
def test_container_runs(run_container):
    assert run_container("echo hello") == "hello"


def test_second_run_changes_nothing(node, spec, run_module, snapshot):
    before = snapshot()
    result = run_module(node, ENABLE, **spec)
    assert result["changed"] is False, result
    assert snapshot() == before


@pytest.mark.parametrize("check", [True, False])
def test_return_values_name_the_runtime(node, spec, runtime, run_module, check):
    result = run_module(node, ENABLE, check=check, **spec)
    assert result["runtime"] == runtime.name
    # Docker has no CRI without cri-dockerd.
    endpoint = None if runtime.name == "docker" else runtime.endpoint
    assert result["cri_endpoint"] == endpoint
    assert result["version"]
    assert {file["changed"] for file in result["files"]} == {False}
    assert result["units"] == []


def test_check_mode_predicts_a_switch_and_changes_nothing(node, other, run_module, snapshot):
    before = snapshot()
    # Earlier tests can have left the files of the other runtime as its default spec has them.
    changes = {"runtime": other.name, "log_level": "debug"}
    result = run_module(node, ENABLE, check=True, diff=True, **changes)
    assert result["changed"] is True, result
    assert any(file["changed"] for file in result["files"])
    assert result["diff"]
    assert snapshot() == before


def test_unknown_runtime_is_rejected_and_nothing_changes(node, run_module, snapshot):
    before = snapshot()
    result = run_module(node, ENABLE, runtime="rkt")
    check_untouched(result, "option_invalid", "runtime", "rkt")
    assert snapshot() == before


def test_info_returns_the_running_runtimes(node, runtime, other, run_module):
    runtimes = run_module(node, "cruntime.node.cruntime_info")["runtimes"]
    assert runtimes[runtime.name]["active"]
    assert runtimes[runtime.name]["enabled"]
    assert runtimes[other.name]["installed"]
    assert runtimes[other.name]["active"] is any(
        node.service(unit).is_running for unit in other.enabled
    )


@pytest.mark.runtime("containerd", "crio")
def test_options_of_the_kubelet_are_returned(node, runtime, enable):
    result = enable(
        kubernetes_version="1.34.2",
        container_logs={"max_size": "20m", "max_files": 4},
        image_pulls={"parallel": 3},
        image_gc={"high_percent": 70, "low_percent": 60},
        check=True,
    )
    # The kubelet finds the processes of the runtime in this cgroup.
    cgroup = result["kubelet_options"]["runtime-cgroups"]
    pid = node.check_output("systemctl show --property=MainPID --value %s", runtime.service)
    assert any(
        line.endswith(cgroup) for line in node.file(f"/proc/{pid}/cgroup").content_string.split()
    )
    fields = result["kubelet_config"]
    assert fields["containerRuntimeEndpoint"] == runtime.endpoint
    expected = {
        "containerLogMaxFiles": 4,
        "containerLogMaxSize": "20Mi",
        "imageGCHighThresholdPercent": 70,
        "imageGCLowThresholdPercent": 60,
        "maxParallelImagePulls": 3,
        "serializeImagePulls": False,
    }
    assert {name: fields.get(name) for name in expected} == expected


@pytest.mark.runtime("containerd", "crio")
def test_cri_responds(crictl):
    status = json.loads(crictl("info"))["status"]
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert conditions["RuntimeReady"]
