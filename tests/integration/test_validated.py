"""The binaries of the runtimes validate files that are rendered from large specs with free text."""

from __future__ import annotations

import json

import pytest
import tomlkit
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils import options
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import (
    RUNTIMES as KNOWN_RUNTIMES,
)
from ansible_collections.cruntime.node.plugins.module_utils.rendered import choose
from ansible_collections.cruntime.node.plugins.plugin_utils import extra_config, render
from ansible_collections.cruntime.node.plugins.plugin_utils import spec as spec_utils

# Characters that end a string, a line, a key or a word in one of the formats.
TEXT = """a"b'c\\d\\n #=[x]{{y}}%h$HOME`é日本\u2028"""
PATH = f"/{TEXT}"
REGISTRIES = [
    {"registry": "docker.io", "mirrors": [{"url": "https://m.local:5000", "ca_file": PATH}]},
    {"registry": "[::1]:5000", "insecure": True},
]
LOGIN = {"registry": "login.local", "username": TEXT, "password": TEXT}
COMMON = {
    "cgroup_driver": "cgroupfs",
    "sandbox_image": "m.local:5000/a/pause@sha256:" + "0" * 64,
    "registries": REGISTRIES,
    "oci_runtimes": [{"name": "crun-1", "path": PATH}],
    "oci_runtime": "crun-1",
    "storage": {"root": PATH, "driver": "overlayfs"},
    "log_level": "warn",
    "metrics": "[::1]:1338",
    "proxy": {"http": "http://u$x:'%40&;=@[::1]:3128", "no_proxy": ["*", "[::1]", "10.0.0.0/8"]},
}
POD = {
    **COMMON,
    "registries": [*REGISTRIES, LOGIN],
    "cni": {"bin_dirs": [PATH], "conf_dir": PATH},
    "socket": "/run/a-b_c/d.sock",
}
SPECS = {
    "containerd": [
        {},
        {"kubernetes_version": "1.34.2", "live_restore": True},
        POD,
        {"oci_runtimes": [{"name": "kata", "path": PATH, "shim": "io.containerd.kata.v2"}]},
        {"container_logs": {"max_size": "10m"}, "extra_config": {"oom_score": -5}},
    ],
    "crio": [
        {},
        {"kubernetes_version": "1.34.2", "live_restore": True},
        {
            **POD,
            "storage": {"root": PATH, "driver": "overlay"},
            "cni": {"bin_dirs": ["/opt/cni/bin", PATH], "conf_dir": PATH},
            "pinned_images": ["busybox", "quay.io/a/b@sha256:" + "0" * 64],
            "ulimits": {"nofile": {"soft": 1024, "hard": -1}},
        },
        {"extra_config": {"crio": {"runtime": {"pids_limit": 99}}}},
    ],
    "docker": [
        {},
        {
            **COMMON,
            "storage": {"root": PATH, "driver": "overlay2"},
            "live_restore": True,
            "ulimits": {"nofile": {"soft": 1024, "hard": 4096}, "core": {"soft": 0, "hard": -1}},
            "container_logs": {"max_size": "10m", "max_files": 3},
        },
        {"container_logs": {"max_size": "1g"}, "extra_config": {"debug": True, "mtu": 1400}},
    ],
}


def rendered(facts, **values):
    """Return the files for this node by path, rendered as in the action plugin."""
    validation = ArgumentSpecValidator(options.ENABLE).validate(values)
    assert not validation.errors.errors
    spec = validation.validated_parameters
    render.check(spec, spec_utils.find_problems(spec))
    chosen = choose(render.render(spec), facts)
    return {file["path"]: file["content"] for file in chosen if "content" in file}


def assert_within(wanted, found):
    """Check that each value is present. Further defaults are allowed."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            assert_within(value, found[key])
    elif isinstance(wanted, list):
        assert len(wanted) == len(found)
        for one, other in zip(wanted, found):
            assert_within(one, other)
    else:
        assert wanted == found


@pytest.fixture
def put(node):
    """Yield a function that writes a file with this name on the node, and returns its path."""
    directory = node.check_output("mktemp --directory")

    def write(name, content):
        node.check_output("printf %%s %s > %s", content, f"{directory}/{name}")
        return f"{directory}/{name}"

    yield write
    node.check_output("rm -r %s", directory)


def validate_with_containerd(node, put, spec, facts):
    content = rendered(facts, **spec)["/etc/containerd/config.toml"]
    dump = node.check_output("containerd --config %s config dump", put("x.toml", content))
    config, dumped = tomlkit.parse(content).unwrap(), tomlkit.parse(dump).unwrap()
    # Files found in the directories are listed instead.
    del config["imports"]
    if dumped["version"] == 4:
        # From 2.4 on, containerd migrates a file before it prints it.
        dumped["version"] = 3
        for table in ("grpc", "metrics"):
            dumped[table] = dumped["plugins"][f"io.containerd.server.v1.{table}"]
    assert_within(config, dumped)


def validate_with_crio(node, put, spec, facts):
    content = rendered(facts, **spec)["/etc/crio/crio.conf.d/50-cruntime.conf"]
    directory = put("50-cruntime.conf", content).rpartition("/")[0]
    dump = node.check_output("crio --config /dev/null --config-dir %s config", directory)
    leaves = list(extra_config.leaves(tomlkit.parse(content).unwrap()))
    assert leaves
    for path, value in leaves:
        # CRI-O prints strings without escapes, so a parser cannot read its output.
        if isinstance(value, list):
            # CRI-O adds a slash to the name of a directory.
            assert all(f'"{word}' in dump for word in value), path
        else:
            printed = f'"{value}"' if isinstance(value, str) else json.dumps(value)
            assert f"{path[-1]} = {printed}\n" in dump, path


def validate_with_docker(node, put, spec, facts):
    if facts["version"] < 23:
        pytest.skip("Docker validates a file from 23.0 on")
    path = put("daemon.json", rendered(facts, **spec)["/etc/docker/daemon.json"])
    assert "configuration OK" in node.run("dockerd --validate --config-file %s", path).stderr


VALIDATORS = {
    "containerd": validate_with_containerd,
    "crio": validate_with_crio,
    "docker": validate_with_docker,
}


@pytest.mark.each_node
def test_runtime_reads_the_values_of_the_spec(node, runtime, put, run_module):
    runtimes = run_module(node, "cruntime.node.cruntime_info")["runtimes"]
    version = runtimes[runtime.name]["version"]
    facts = {
        "version": int(version.partition(".")[0]),
        "version_range": KNOWN_RUNTIMES[runtime.name].find_range(version),
        "cni_bin_dir": "/usr/lib/cni",
        "own_conmon": node.file("/usr/libexec/crio/conmon").exists,
    }
    for values in SPECS[runtime.name]:
        driver = values.get("cgroup_driver", "systemd")
        spec = {**values, "runtime": runtime.name, "cgroup_driver": driver}
        VALIDATORS[runtime.name](node, put, spec, {**facts, "cgroup_driver": driver})


@pytest.mark.once
def test_systemd_reads_the_values_of_the_spec(node, runtime, put):
    proxy = COMMON["proxy"]
    oldest = KNOWN_RUNTIMES[runtime.name].versions[0]
    facts = {"version_range": oldest, "cgroup_driver": "systemd", "own_conmon": False}
    facts["cni_bin_dir"] = None
    files = rendered(facts, runtime=runtime.name, proxy=proxy)
    (content,) = (text for path, text in files.items() if path.endswith(".env"))
    path = put("proxy.env", content)
    shown = node.check_output(
        "systemd-run --quiet --pipe --wait --property=EnvironmentFile=%s /usr/bin/env", path
    )
    variables = dict(line.split("=", 1) for line in shown.splitlines())
    for name, value in (("http_proxy", proxy["http"]), ("no_proxy", "*,[::1],10.0.0.0/8")):
        assert variables[name] == variables[name.upper()] == value
