"""GPUs and user namespaces: what the running runtime says of what it was told."""

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
# Without CDI.
OLD = {"containerd": r"containerd \S+ 1\.6\.", "docker": r"Docker version 20\."}


@pytest.fixture
def said(node, runtime):
    """A function that returns what the runtime says of its configuration."""
    return lambda: node.check_output(ASK[runtime.name])


def test_cdi_and_rootless(node, runtime, enable, said, snapshot):
    before = snapshot()
    result = enable(gpus="cdi", rootless=True)
    version = node.run("containerd --version; dockerd --version").stdout
    if re.search(OLD.get(runtime.name, "$^"), version):
        check_untouched(result, "option_unsupported", "gpus", "cdi")
        assert snapshot() == before
        result = enable(rootless=True)
    elif runtime.name == "docker":
        assert json.loads(said())["CDISpecDirs"] == ["/etc/cdi", "/var/run/cdi"]
    else:
        assert '"/etc/cdi", "/var/run/cdi"' in re.sub(r"\s+", " ", said()).replace("'", '"')
    assert not result.get("failed"), result["msg"]
    if runtime.name == "containerd":
        dump = said()
        assert "enable_cdi = false" not in dump
        assert "restrict_oom_score_adj = true" in dump
        assert "disable_apparmor = true" in dump
    if runtime.name == "crio":
        pid = node.check_output("systemctl show --property=MainPID --value crio.service")
        assert "_CRIO_ROOTLESS=1" in node.file(f"/proc/{pid}/environ").content_string


@pytest.mark.alike
def test_gpus_of_nvidia(node, runtime, enable, said, request):
    result = enable(gpus="nvidia")
    check_untouched(result, "oci_runtime_not_found", NVIDIA)
    # A warning is enough where no container need be run by it.
    result = enable(gpus="nvidia", oci_runtime={"crio": "crun"}.get(runtime.name, "runc"))
    assert any(NVIDIA in warning for warning in result["warnings"])

    # It is a wrapper of runc, which here stands in for it.
    node.check_output("ln -s $(command -v runc) %s", NVIDIA)
    try:
        result = enable(gpus="nvidia")
        assert not result.get("failed"), result["msg"]
        assert re.search(r"""efault_?[rR]untime(_name)?"? ?[=:] ?["']nvidia["']""", said())
        if runtime.name == "docker":
            assert request.getfixturevalue("run_container")("echo hello") == "hello"
    finally:
        node.check_output("rm %s", NVIDIA)
