"""GPUs and user namespaces: the running runtime reports the settings of the spec."""

from __future__ import annotations

import json
import re

import pytest
from conftest import check_untouched

NVIDIA = "/usr/bin/nvidia-container-runtime"
ASK = {
    "containerd": "containerd config dump",
    "crio": "crio status config",
    "docker": "docker info --format '{{json .}}'",
}
# This version has no CDI.
OLD = {"containerd": r"containerd \S+ 1\.6\.", "docker": r"Docker version 20\."}


@pytest.fixture
def read_configuration(node, runtime):
    """Return a function that returns the configuration that the runtime reports."""
    return lambda: node.check_output(ASK[runtime.name])


def test_running_runtime_reports_cdi_and_rootless(
    node, runtime, enable, read_configuration, snapshot
):
    before = snapshot()
    result = enable(gpus="cdi", rootless=True)
    version = node.run("containerd --version; dockerd --version").stdout
    if re.search(OLD.get(runtime.name, "$^"), version):
        check_untouched(result, "option_unsupported", "gpus", "cdi")
        assert snapshot() == before
        result = enable(rootless=True)
    elif runtime.name == "docker":
        assert json.loads(read_configuration())["CDISpecDirs"] == ["/etc/cdi", "/var/run/cdi"]
    else:
        status = re.sub(r"\s+", " ", read_configuration()).replace("'", '"')
        assert '"/etc/cdi", "/var/run/cdi"' in status
    assert not result.get("failed"), result["msg"]
    if runtime.name == "containerd":
        dump = read_configuration()
        assert "enable_cdi = false" not in dump
        assert "restrict_oom_score_adj = true" in dump
        assert "disable_apparmor = true" in dump
    if runtime.name == "crio":
        pid = node.check_output("systemctl show --property=MainPID --value crio.service")
        assert "_CRIO_ROOTLESS=1" in node.file(f"/proc/{pid}/environ").content_string


def test_oci_runtime_of_nvidia_is_registered(node, runtime, enable, read_configuration, request):
    result = enable(gpus="nvidia")
    check_untouched(result, "oci_runtime_not_found", NVIDIA)
    # A warning is enough, because no container uses this OCI runtime.
    result = enable(gpus="nvidia", oci_runtime={"crio": "crun"}.get(runtime.name, "runc"))
    assert any(NVIDIA in warning for warning in result["warnings"])

    # The OCI runtime of NVIDIA is a wrapper of runc, so runc stands in for it.
    node.check_output("ln -s $(command -v runc) %s", NVIDIA)
    try:
        result = enable(gpus="nvidia")
        assert not result.get("failed"), result["msg"]
        pattern = r"""efault_?[rR]untime(_name)?"? ?[=:] ?["']nvidia["']"""
        assert re.search(pattern, read_configuration())
        if runtime.name == "docker":
            assert request.getfixturevalue("run_container")("echo hello") == "hello"
    finally:
        node.check_output("rm %s", NVIDIA)
