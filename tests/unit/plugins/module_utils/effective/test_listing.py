# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The effective options of a runtime, from what each version reports."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import command_line, options
from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    base,
    compare,
    containerd,
    crio,
    docker,
    listing,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit

CLASSES = {
    "containerd": containerd.ContainerdEffective,
    "crio": crio.CrioEffective,
    "docker": docker.DockerEffective,
}


@pytest.fixture
def list_values(tmp_path, monkeypatch, transcript):
    """Return a function that lists options, from the output of tools and daemons of a version."""

    def list_node(name, version, *argv, environ=None, content=None, change=lambda leaves: leaves):
        runtime = runtimes(Runner())[name]
        effective = CLASSES[name](Runner(), runtime, version)
        rules = effective.equivalences
        if name == "containerd":
            prefix = f"containerd-{version}-rich"
            text = transcript(f"{prefix}-config.toml")
            filed = containerd.parse_dump(transcript(f"{prefix}-config-dump.toml"), rules)
            status = json.loads(transcript(f"{prefix}-crictl-info.json"))["config"]
            running = containerd.parse_status({"config": json.dumps(status)}, rules)
        elif name == "crio":
            text = ""
            filed = crio.parse_config(transcript("crio-1.37.0-config.toml"))
            running = crio.parse_running(transcript("crio-1.37.0-status-config.toml"), rules)
        else:
            text = transcript(f"docker-{version}-daemon.json")
            filed = compare.flatten({**json.loads(text), **docker.read_flags(argv)}, rules)
            info = json.loads(transcript(f"docker-{version}-info.json"))
            running = compare.flatten(docker.parse_info(info), rules)
        main = tmp_path / "main"
        main.write_text(text if content is None else content)
        monkeypatch.setattr(effective, "read_filed", lambda start, path: filed)
        monkeypatch.setattr(effective, "read_running", lambda argv: change(running))
        command = [name, f"--{runtime.config_flag[0]}={main}", *argv]
        monkeypatch.setattr(command_line, "read_argv", lambda pid: command)
        monkeypatch.setattr(command_line, "read_environ", lambda pid: environ or {})
        unit = Unit(f"{name}.service", "loaded", "active", pid=1, command=tuple(command))
        return str(main), listing.list_values(effective, runtime, unit, pytest.fail)

    return list_node


def entry(value, state, source, file=None):
    return {"value": value, "state": state, "source": source, "file": file}


def test_each_listed_option_is_an_option():
    nested = {
        f"{name}.{key}"
        for name, spec in options.ENABLE.items()
        for key in spec.get("options", {})
        if spec["type"] == "dict"
    }
    assert set(listing.OPTIONS) == set(RUNTIMES)
    for table in listing.OPTIONS.values():
        assert set(table) <= {*options.ENABLE, *nested}


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9", "2.4.2"])
def test_containerd(list_values, version):
    main, found = list_values("containerd", version)
    old = version.startswith("1.")
    state = "running" if old else "filed"
    assert found["cgroup_driver"] == entry("systemd", "running", "file", main)
    assert found["sandbox_image"] == entry("localhost/pause:1", state, "file", main)
    assert found["log_level"] == entry("info", "filed", "file", main)
    assert found["metrics"] == entry("127.0.0.1:1338", "filed", "file", main)
    assert found["socket"] == entry("/run/containerd/c.sock", "running", "file", main)
    assert found["storage.root"] == entry("/var/lib/containerd", "running", "default")
    assert found["storage.driver"] == entry("overlayfs", state, "file", main)
    assert found["oci_runtimes"] == entry(["crun", "kata", "runc"], "running", "file", main)
    assert found["rootless"] == entry(True, "running", "file", main)
    config_path = {"config_path": "/etc/containerd/certs.d"}
    assert found["registries"] == entry(config_path, state, "file", main)
    assert "pw" not in json.dumps(found)


def test_flags_variables_and_old_values(list_values):
    url = "http://u:hunter2@p:1"
    _main, found = list_values(
        "containerd",
        "2.1.9",
        "--log-level=debug",
        environ={"https_proxy": url},
        change=lambda leaves: {
            path: "/etc/old" if path[-1] == "confdir" else value for path, value in leaves.items()
        },
    )
    # The files do not have this value, so nothing shows where it came from.
    assert found["cni.conf_dir"] == entry("/etc/old", "running", None)
    proxy = "containerd.service (variable https_proxy)"
    assert found["proxy.https"] == entry("http://(not shown)@p:1", "running", "environment", proxy)
    assert found["log_level"]["source"] == "flag"
    assert found["log_level"]["file"] == "containerd.service (flag --log-level)"


def test_crio(list_values):
    environ = {"CONTAINER_LOG_LEVEL": "debug", "NO_PROXY": "a"}
    _main, found = list_values("crio", "1.37.0", "--pause-image", "x", environ=environ)
    assert found["cgroup_driver"]["value"] == "systemd"
    assert found["cgroup_driver"]["state"] == "running"
    assert found["sandbox_image"]["source"] == "flag"
    assert found["log_level"]["source"] == "environment"
    assert found["log_level"]["file"] == "crio.service (variable CONTAINER_LOG_LEVEL)"
    assert found["metrics"]["value"] is None
    assert found["cni.bin_dirs"] == entry(["/opt/cni/bin/"], "running", "default")
    assert found["ulimits"] == entry([], "filed", "default")
    assert found["proxy.no_proxy"]["value"] == "a"


@pytest.mark.parametrize("version", ["20.10.24", "26.1.5", "29.8.1"])
def test_docker(list_values, version):
    main, found = list_values("docker", version)
    assert found["cgroup_driver"] == entry("systemd", "running", "file", main)
    assert found["live_restore"] == entry(True, "running", "file", main)
    assert found["log_level"] == entry("info", "filed", "file", main)
    logs = {"log-driver": "json-file", "max-file": "3", "max-size": "10m"}
    assert found["container_logs"] == entry(logs, "filed", "file", main)
    limits = {"nofile": {"soft": 1024, "hard": 2048}}
    assert found["ulimits"] == entry(limits, "filed", "file", main)
    assert found["registries"]["value"]["registry-mirrors"] == ["https://m.example/"]
    assert found["registries"]["file"] == main
    assert found["oci_runtime"] == entry("runc", "running", "default")
    assert found["oci_runtimes"]["value"] == ["crun", "runc"]


def test_proxies_of_docker_take_precedence(list_values):
    content = '{"log-level": "info", "proxies": {"http-proxy": "http://u:hunter2@x"}}'
    environ = {"HTTP_PROXY": "http://environment"}
    main, found = list_values("docker", "29.8.1", content=content, environ=environ)
    assert found["proxy.http"] == entry("http://(not shown)@x", "filed", "file", main)
    # A key on the same line as others.
    content = '{"data-root": "/x", "log-level": "info"}'
    main, found = list_values("docker", "29.8.1", content=content)
    assert found["log_level"]["file"] == main
    content = '{"log-opts": {"log-levels": "info"}}'
    _main, found = list_values("docker", "29.8.1", content=content)
    assert found["log_level"]["source"] == "default"


def test_a_runtime_that_does_not_respond_is_a_warning(monkeypatch):
    runtime = runtimes(Runner())["docker"]
    effective = docker.DockerEffective(Runner(), runtime, "29.8.1")

    def refuse(*arguments):
        raise CruntimeError("no response", reason="no_response")

    monkeypatch.setattr(effective, "read_filed", refuse)
    monkeypatch.setattr(effective, "read_running", refuse)
    warnings = []
    assert listing.list_values(effective, runtime, Unit("docker.service"), warnings.append) == {}
    assert [warning.endswith("no response") for warning in warnings] == [True, True]


def test_the_text_of_a_source():
    assert str(base.Source("file", "/x")) == "/x"
    assert str(base.Source("default")) == ""
    assert str(base.Source("flag", "/x", "a")) == "/x (flag --a)"
