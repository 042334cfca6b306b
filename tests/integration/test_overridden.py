# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop-ins and flags that override keys of the spec are found before anything changes."""

import json
import os

import pytest
import tomlkit
import tomllib
from conftest import ENABLE, LONG, check_untouched, reasons

from ansible_collections.cruntime.node.plugins.module_utils.effective.compare import find_leaves

DROP_INS = {
    "containerd": "/etc/containerd/conf.d/99-admin.toml",
    "crio": "/etc/crio/crio.conf.d/99-admin.conf",
}
#: Options in addition to those of the node, so that the files have many keys.
MORE = {
    "log_level": "info",
    "metrics": "127.0.0.1:1338",
    "oci_runtimes": [{"name": "crun", "path": "/usr/bin/crun"}],
    "cni": {"bin_dirs": ["/opt/cni/bin"], "conf_dir": "/etc/cni/net.d"},
}
# The runtime reads these keys in another way, or no option sets them.
LEFT_OUT = {"version", "imports", "required_plugins", "config_path", "runtime_type"}
#: Other values that CRI-O accepts.
CRIO_VALUES = {
    "cgroup_manager": "cgroupfs",
    "conmon_cgroup": "system.slice",
    "default_runtime": "runc",
    "log_level": "debug",
    "metrics_port": 1339,
    "monitor_cgroup": "machine.slice",
    "network_dir": "/etc/cni/other.d",
    "pause_image": "localhost/other/pause:1",
    "plugin_dirs": ["/usr/lib/cni"],
    "runtime_path": "/usr/sbin/runc",
    "runtime_root": "/run/other",
}
DRIVER_KEYS = ("SystemdCgroup", "cgroup_manager")
#: Flags of dockerd by key, each with another value than the spec has.
DOCKER_FLAGS = {
    "exec-opts": "--exec-opt native.cgroupdriver={other_driver}",
    "log-level": "--log-level debug",
    "metrics-addr": "--metrics-addr=127.0.0.1:1339",
}


@pytest.fixture
def rich(node, spec, runtime, run_module):
    """Return a spec with many options, and the keys of its configuration file on this node."""
    options = {**spec, **MORE}
    result = run_module(node, ENABLE, check=True, diff=True, **options)
    (text,) = [each["after"] for each in result["diff"] if each["after_header"] == runtime.config]
    return options, tomllib.loads(text)


@pytest.fixture
def override(node):
    """Return a function that writes a file on the node. The file is removed after the test."""
    paths = []

    def write(path, text):
        paths.append(path)
        node.check_output(f"mkdir -p $(dirname {path}) && printf %s > {path}", text)
        if "/systemd/" in path:
            node.check_output("systemctl daemon-reload")

    yield write
    if paths:
        node.check_output(f"rm -f {' '.join(paths)} && systemctl daemon-reload")


def another(key, value):
    if key in CRIO_VALUES and CRIO_VALUES[key] != value:
        return CRIO_VALUES[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value, "/other"]
    return {"systemd": "cgroupfs", "cgroupfs": "systemd"}.get(value, f"{value}x")


def merge(tree, path, value):
    """Set the value at a path of keys in a tree, and return the tree."""
    table = tree
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
    return tree


@pytest.mark.each_node
@pytest.mark.runtime("containerd", "crio")
def test_each_key_that_a_drop_in_overrides_is_found(node, runtime, rich, enable, override):
    options, config = rich
    leaves = [
        (path, value)
        for path, value in find_leaves(config)
        if path[-1] not in LEFT_OUT
        and (runtime.name != "crio" or CRIO_VALUES.get(path[-1], value) != value)
    ]
    assert len(leaves) >= 8
    # The short form overrides all keys in one drop-in, and the long form each of them alone.
    cases = [[leaf] for leaf in leaves] if LONG else [leaves]
    written = node.file(runtime.config).content_string
    drop_in = DROP_INS[runtime.name]
    for case in cases:
        tree = {"version": config["version"]} if "version" in config else {}
        for path, value in case:
            merge(tree, path, another(path[-1], value))
        override(drop_in, tomlkit.dumps(tree))
        result = enable(**options)
        check_untouched(result, "setting_overridden", drop_in, *(path[-1] for path, _value in case))
        found = [each["key"] for each in result["overridden"] if each["file"] == drop_in]
        assert [path for path, _value in case if not any(path[-1] in key for key in found)] == []
        assert len(found) >= len(case)
    assert node.file(runtime.config).content_string == written


@pytest.mark.runtime("containerd")
def test_a_key_that_no_option_sets_is_a_warning(node, runtime, spec, override, run_module):
    config = tomllib.loads(node.file(runtime.config).content_string)
    (path,) = [path for path, _value in find_leaves(config) if path[-1] == "config_path"]
    drop_in = merge({"version": config["version"]}, path, "/etc/other")
    override(DROP_INS[runtime.name], tomlkit.dumps(drop_in))
    result = run_module(node, ENABLE, check=True, **spec)
    if config["version"] == 2:
        # In 1.x, the table of the drop-in replaces the whole table, which has options too.
        check_untouched(result, "setting_overridden", DROP_INS[runtime.name])
        return
    assert (result["changed"], result["units"]) == (False, [])
    (entry,) = result["overridden"]
    assert (entry["current"], entry["file"]) == ("/etc/other", DROP_INS[runtime.name])
    assert "config_path" in entry["key"]
    assert any("setting overridden" in warning for warning in result["warnings"])


@pytest.mark.runtime("containerd", "docker")
def test_a_directory_that_is_read_in_place_of_ours_is_found(node, runtime, enable):
    certs = f"/etc/{runtime.name}/certs.d"
    registries = [{"registry": "127.0.0.1:5999", "insecure": True}]
    node.check_output(f"mkdir -p {certs}/127.0.0.1_5999_")
    try:
        result = enable(check=True, registries=registries)
        if runtime.name == "docker" and "snapshotter" not in node.check_output("docker info"):
            # Only the containerd image store reads the directory.
            assert "failed" not in result
        else:
            check_untouched(result, "setting_overridden", f"{certs}/127.0.0.1_5999_")
        other = [{"registry": "127.0.0.1:5998", "insecure": True}]
        assert "failed" not in enable(check=True, registries=other)
    finally:
        node.check_output(f"rm -r {certs}/127.0.0.1_5999_")


@pytest.mark.runtime("containerd")
@pytest.mark.parametrize("written", ["before", "with"])
def test_an_old_drop_in_with_mirrors_is_found(node, enable, override, written):
    text = (
        'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n'
        'endpoint = ["https://mirror.example"]\n'
    )
    registries = [{"registry": "127.0.0.1:5999", "insecure": True}]
    if written == "before":
        # The file matches the spec, so only the drop-in is new.
        assert "failed" not in enable(registries=registries)
    override(DROP_INS["containerd"], text)
    result = enable(registries=registries)
    # containerd 2.2 and older ignore config_path then, and a newer one does not start.
    assert result["reason"] in ("setting_overridden", "configuration_refused"), result
    check_untouched(result, result["reason"], DROP_INS["containerd"])


@pytest.mark.runtime("docker")
@pytest.mark.parametrize("key", DOCKER_FLAGS)
def test_each_key_that_a_flag_overrides_is_found(node, spec, enable, override, key):
    options = {**MORE, "cni": {}}
    other = {"systemd": "cgroupfs", "cgroupfs": "systemd"}[spec["cgroup_driver"]]
    flag = DOCKER_FLAGS[key].format(other_driver=other)
    path = "/etc/systemd/system/docker.service.d/99-admin.conf"
    command = node.check_output("systemctl show -P FragmentPath docker.service")
    start = node.check_output(f"grep -oP '(?<=^ExecStart=).*' {command}")
    override(path, f"[Service]\nExecStart=\nExecStart={start} {flag}\n")
    check_untouched(enable(**options), "setting_overridden", path, key)


@pytest.mark.runtime("docker")
def test_a_flag_with_the_value_of_the_spec_replaces_the_key(node, spec, enable, override):
    flag = f"--exec-opt native.cgroupdriver={spec['cgroup_driver']} --live-restore"
    path = "/etc/systemd/system/docker.service.d/99-admin.conf"
    text = node.check_output("grep ^ExecStart= $(systemctl show -P FragmentPath docker.service)")
    override(path, f"[Service]\nExecStart=\n{text} $MORE\nEnvironment='MORE={flag}'\n")
    result = enable(live_restore=True)
    assert "failed" not in result, result
    keys = json.loads(node.file("/etc/docker/daemon.json").content_string)
    assert keys.keys().isdisjoint(["exec-opts", "live-restore"])
    assert node.check_output("docker info --format {{.LiveRestoreEnabled}}") == "true"
    assert enable(live_restore=True)["changed"] is False
    node.check_output(f"rm {path} && systemctl daemon-reload")
    enable()
    assert "exec-opts" in json.loads(node.file("/etc/docker/daemon.json").content_string)


@pytest.mark.parametrize("written", ["--config /opt/other", "--config=/opt/other"])
def test_a_unit_that_reads_another_file_is_found(node, runtime, enable, override, written):
    flag = {"containerd": "--config", "crio": "--config-dir", "docker": "--config-file"}
    path = f"/etc/systemd/system/{runtime.service}.d/99-admin.conf"
    binary = {"containerd": "containerd", "crio": "crio", "docker": "dockerd"}[runtime.name]
    start = f"{node.check_output(f'command -v {binary}')} {written}"
    start = start.replace("--config", flag[runtime.name])
    override(path, f"[Service]\nExecStart=\nExecStart={start}\n")
    result = enable(check=True)
    check_untouched(result, "setting_overridden", path, "/opt/other", "ExecStart=")


@pytest.mark.runtime("containerd", "docker")
def test_the_file_that_a_unit_names_below_etc_is_written(node, runtime, enable, override):
    flag = {"containerd": "--config", "docker": "--config-file"}[runtime.name]
    path = f"/etc/cruntime-test/{os.path.basename(runtime.config)}"
    unit = node.check_output(f"systemctl show -P FragmentPath {runtime.service}")
    text = node.check_output(f"grep ^ExecStart= {unit}")
    drop_in = f"/etc/systemd/system/{runtime.service}.d/99-admin.conf"
    override(drop_in, f"[Service]\nExecStart=\n{text} {flag} {path}\n")
    try:
        result = enable(log_level="debug")
        assert "failed" not in result, result
        assert node.file(path).contains("debug")
        # The file at the usual path would have no effect.
        assert not node.file(runtime.config).exists
        process = node.check_output(f"systemctl show -P MainPID {runtime.service}")
        assert path in node.check_output(f"tr '\\0' ' ' < /proc/{process}/cmdline")
        assert enable(log_level="debug")["changed"] is False
    finally:
        node.check_output(f"rm {drop_in} && systemctl daemon-reload")
        result = enable()
    assert "failed" not in result, result
    assert node.file(runtime.config).exists
    assert not node.file(path).exists


#: Commands that start the runtime with another value, and then restore its files with old times.
LEAVE_BEHIND = {
    "containerd": "touch -d '2 days ago' /etc/containerd/conf.d",
    "crio": "touch -d '2 days ago' /etc/crio/crio.conf.d",
}
EDIT = """
import json
path = "/etc/docker/daemon.json"
keys = json.load(open(path))
keys["live-restore"] = not keys.get("live-restore", False)
json.dump(keys, open(path, "w"))
"""


def test_values_of_a_file_that_is_gone_are_a_pending_restart(node, runtime, enable, override):
    options = {"live_restore": False} if runtime.name == "docker" else {}
    if runtime.name == "docker":
        enable(**options)
        node.check_output("cp -p /etc/docker/daemon.json /root/daemon.json")
        node.check_output("python3 -c %s && systemctl restart docker", EDIT)
        node.check_output("mv /root/daemon.json /etc/docker/daemon.json")
    else:
        config = node.file(runtime.config).content_string
        keys = [item for item in find_leaves(tomllib.loads(config)) if item[0][-1] in DRIVER_KEYS]
        (path, value) = keys[0]
        head = {"version": 3 if "version = 3" in config else 2} if path[0] == "plugins" else {}
        drop_in = DROP_INS[runtime.name]
        override(drop_in, tomlkit.dumps(merge(head, path, another(path[-1], value))))
        node.check_output(f"systemctl restart {runtime.service} && rm {drop_in}")
        node.check_output(LEAVE_BEHIND[runtime.name])
    predicted = enable(check=True, **options)
    assert "still uses" in reasons(predicted)[runtime.service], predicted
    assert predicted["pending"], predicted
    assert reasons(enable(**options)) == reasons(predicted)
    assert enable(**options)["changed"] is False


OTHER_LOG_DRIVER = """
import json
path = "/etc/docker/daemon.json"
keys = json.load(open(path))
keys.update({"log-driver": "journald", "log-opts": {}})
json.dump(keys, open(path, "w"))
"""


@pytest.mark.runtime("docker")
def test_a_pending_restart_that_would_end_containers_is_a_warning(node, enable, image):
    options = {"live_restore": False, "container_logs": {"max_size": "10m"}}
    assert "failed" not in enable(**options)
    node.check_output("cp -p /etc/docker/daemon.json /root/daemon.json")
    node.check_output("python3 -c %s && systemctl restart docker", OTHER_LOG_DRIVER)
    node.check_output("mv /root/daemon.json /etc/docker/daemon.json")
    node.check_output(f"docker run --detach --name at-risk {image} sleep 600")
    try:
        process = node.check_output("systemctl show -P MainPID docker.service")
        for check in (True, False):
            result = enable(check=check, **options)
            assert (result["changed"], result["units"]) == (False, []), result
            assert [entry["key"] for entry in result["pending"]] == ["log-driver"]
            (waiting,) = result["restart_pending"]
            assert waiting["unit"] == "docker.service"
            assert "still uses" in waiting["cause"]
            assert [each["name"] for each in result["containers_at_risk"]] == ["at-risk"]
            (warning,) = [text for text in result["warnings"] if "Restart pending" in text]
            assert "at-risk" in warning
        assert node.check_output("systemctl show -P MainPID docker.service") == process
        assert "at-risk" in node.check_output("docker ps --format {{.Names}}")
    finally:
        node.check_output("docker rm --force at-risk")
    assert "still uses" in reasons(enable(**options))["docker.service"]
    assert enable(**options)["changed"] is False


PROXY = {"http": "http://user:hunter2@proxy.test:3128", "no_proxy": ["10.0.0.0/8"]}
SECRETS = ("hunter2", "letmein")


def test_a_variable_that_another_drop_in_overrides_is_found(node, runtime, enable, override):
    assert "failed" not in enable(proxy=PROXY)
    path = f"/etc/systemd/system/{runtime.service}.d/60-admin.conf"
    override("/etc/admin.env", "http_proxy=user:letmein@other.test:3128\n")
    override(path, "[Service]\nEnvironmentFile=/etc/admin.env\nEnvironment=HTTP_PROXY=http://x\n")
    for written in (PROXY, {**PROXY, "no_proxy": ["10.0.0.0/8", ".test"]}):
        result = enable(proxy=written)
        check_untouched(result, "setting_overridden", "/etc/admin.env", "environment.http_proxy")
        (entry,) = result["overridden"]
        assert entry["source"] == "environment"
        assert not any(word in json.dumps(result) for word in SECRETS)
    # The process still has the variable after the drop-in is gone.
    node.check_output(f"systemctl restart {runtime.service}")
    node.check_output(f"rm {path} && systemctl daemon-reload")
    result = enable(proxy=PROXY)
    assert "environment.http_proxy" in reasons(result)[runtime.service]
    assert [entry["key"] for entry in result["pending"]] == ["environment.http_proxy"]
    assert not any(word in json.dumps(result) for word in SECRETS)
    assert enable(proxy=PROXY)["changed"] is False


@pytest.mark.runtime("docker")
def test_proxies_of_docker_override_the_variables(enable):
    extra = {"proxies": {"http-proxy": "http://other.test"}}
    result = enable(proxy=PROXY, extra_config=extra)
    check_untouched(result, "setting_overridden", "/etc/docker/daemon.json", "HTTP_PROXY")


#: By runtime, a change that no process reports, and the file or directory that it makes newer.
CHANGES = {
    "containerd": ("touch {path}", "/etc/containerd/conf.d"),
    "docker": ("chmod g+r {path} && chmod g-r {path}", "/etc/docker/daemon.json"),
}
LEVELS = {"containerd": "debug.level", "docker": "log-level"}


@pytest.mark.runtime("containerd", "docker")
def test_a_key_that_no_process_reports_is_unknown_after_a_change(node, runtime, enable):
    command, path = CHANGES[runtime.name]
    if runtime.name == "containerd":
        node.check_output(f"mkdir -p {path}")
    enable(log_level="info", state="restarted")
    found = enable(log_level="info")
    assert (found["changed"], found["unknown"]) == (False, [])
    node.check_output(command.format(path=path))
    for check in (True, False):
        found = enable(check=check, log_level="info")
        assert (found["changed"], found["units"]) == (False, [])
        levels = [each for each in found["unknown"] if each["key"] == LEVELS[runtime.name]]
        assert [(each["desired"], each["file"]) for each in levels] == [("info", path)]
        assert any(f"{path} is newer than the process" in each for each in found["warnings"])
    enable(log_level="info", state="restarted")
    assert enable(log_level="info")["unknown"] == []


def test_the_effective_options_are_those_of_the_spec(node, spec, runtime, enable, run_module):
    assert "failed" not in enable(log_level="info", proxy=PROXY)
    # Neither crictl nor the docker command is needed.
    hidden = "crictl" if runtime.name != "docker" else "docker"
    binary = node.run(f"command -v {hidden}").stdout.strip()
    if binary:
        node.check_output(f"mv {binary} {binary}.hidden")
    try:
        result = run_module(node, "cruntime.node.cruntime_info", gather_subset=["effective"])
    finally:
        if binary:
            node.check_output(f"mv {binary}.hidden {binary}")
    found = result["effective"][runtime.name]
    level = found["log_level"]
    assert (level["value"], level["file"]) == ("info", runtime.config)
    driver = found["cgroup_driver"]
    assert (driver["value"], driver["state"]) == (spec["cgroup_driver"], "running")
    assert found["storage.root"]["source"] == "default"
    proxy = found["proxy.http"]
    assert (proxy["state"], proxy["source"]) == ("running", "environment")
    assert "50-cruntime-proxy.env" in proxy["file"]
    assert not any(word in json.dumps(result) for word in SECRETS)
