"""Errors of a failed start: the cause and the foreign drop-ins, even if the rollback fails too."""

from __future__ import annotations

import pytest
from conftest import RUNTIMES, check_failed, scenario_runtime

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    # The runtime matters little.
    pytest.mark.short("docker", "crio"),
    pytest.mark.xdist_group("failed-start"),
]
#: By runtime: a drop-in that passes validation, and a part of the error of the failed start.
BROKEN = {
    "containerd": (
        "/etc/containerd/conf.d/admin.toml",
        'version = 2\n[metrics]\naddress = "192.0.2.1:1338"\n',
        "192.0.2.1:1338",
    ),
    "crio": (
        "/etc/crio/crio.conf.d/99-admin.conf",
        '[crio.metrics]\nenable_metrics = true\nmetrics_host = "192.0.2.1"\n',
        "192.0.2.1",
    ),
    "docker": (
        "/etc/systemd/system/docker.service.d/admin.conf",
        "[Service]\nExecStart=\n"
        "ExecStart=/usr/sbin/dockerd -H fd:// --metrics-addr 192.0.2.1:1338\n",
        "192.0.2.1:1338",
    ),
}


@pytest.fixture
def broken(spare):
    """Install a foreign drop-in with which the next start fails, and yield a part of the error."""
    name = scenario_runtime()
    assert "failed" not in spare.enable(runtime=name, cgroup_driver="systemd")
    path, text, cause = BROKEN[name]
    spare.write(path, text)
    spare.sh("systemctl daemon-reload")
    yield path, cause
    spare.sh(f"rm {path}; systemctl daemon-reload")
    result = spare.enable(runtime=name, cgroup_driver="systemd")
    assert "failed" not in result, result["msg"]


def test_error_of_a_failed_rollback_names_the_cause(spare, broken):
    """The drop-in also prevents a start with the old files."""
    path, cause = broken
    name = scenario_runtime()
    result = spare.enable(runtime=name, cgroup_driver="systemd", state="restarted", timeout=20)
    check_failed(result, "unit_not_started", path, cause)
    assert result["rolled_back"] is False
    assert any(cause in line for line in result["journal"])


def test_error_of_a_start_that_is_rolled_back_names_the_cause(spare, broken):
    """Another runtime was enabled before, and keeps running."""
    path, cause = broken
    name = scenario_runtime()
    other = "containerd" if name == "docker" else "docker"
    spare.sh(f"mv {path} /srv/away; systemctl daemon-reload")
    assert "failed" not in spare.enable(runtime=other, cgroup_driver="systemd")
    process = spare.process_of(RUNTIMES[other].service)
    spare.sh(f"mv /srv/away {path}; systemctl daemon-reload")
    if name == "containerd":
        # Docker needs containerd, so containerd is restarted.
        spare.sh(f"touch {path}")
    result = spare.enable(runtime=name, cgroup_driver="systemd", log_level="warn", timeout=20)
    check_failed(result, "unit_not_started", cause, path)
    if name != "containerd":
        assert result["rolled_back"] is True
        assert spare.process_of(RUNTIMES[other].service) == process
