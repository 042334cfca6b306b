"""Invalid input and failures end with one clear error, and the node is unchanged or rolled back."""

import json
import os
import subprocess
import uuid

import pytest
from conftest import CRI, ENABLE, check_failed, check_untouched

# The runtime matters little.
pytestmark = pytest.mark.short("containerd", "crio")

BAD_SPECS = [
    ({"runtime": "rkt"}, ["runtime", "containerd, crio, docker", "rkt"]),
    ({}, ["runtime"]),
    ({"runtime": "docker", "state": "gone"}, ["state", "gone"]),
    ({"runtime": "docker", "cgroup_driver": "v2"}, ["cgroup_driver", "v2"]),
    ({"runtime": "docker", "disable_others": "perhaps"}, ["disable_others"]),
    ({"runtime": "docker", "extra_config": "debug"}, ["extra_config"]),
    ({"runtime": "docker", "registry": "x"}, ["registry"]),
    (
        {"runtime": "containerd", "sandbox_image": "pause:1\nversion = 1"},
        ["sandbox_image", "'pause:1\\nversion = 1'"],
    ),
    ({"runtime": "containerd", "sandbox_image": 'pause"'}, ["sandbox_image", 'pause"']),
    ({"runtime": "docker", "extra_config": {"debug": None}}, ["extra_config", "debug"]),
    (
        {
            "runtime": "docker",
            "cgroup_driver": "systemd",
            "extra_config": {"exec-opts": ["native.cgroupdriver=cgroupfs"]},
        },
        ["extra_config", "exec-opts", "cgroup_driver"],
    ),
]


@pytest.fixture
def refused(node, run_module, snapshot):
    """Return a function that runs the module, which must fail and leave the node unchanged.

    The function takes the reason, the facts that the message must contain, and options.
    """

    def run(reason, *facts, **options):
        before = snapshot()
        check_untouched(run_module(node, ENABLE, **options), reason, *facts)
        assert snapshot() == before

    return run


@pytest.fixture
def rolled_back(node, run_module, snapshot):
    """Return a function that runs the module, which must fail and roll back the node."""

    def run(**options):
        before = snapshot()
        result = run_module(node, ENABLE, **options)
        assert result.get("failed") is True, result
        assert result["rolled_back"] is True
        after = snapshot()
        # A mask is a new link. Every other file has its old content and mtime.
        differing = {
            path
            for path, (content, _time) in before["files"].items()
            if after["files"].get(path, [None])[0] != content
        }
        assert differing == set()
        for path in ("/etc/containerd/config.toml", "/etc/docker/daemon.json", "/etc/crictl.yaml"):
            assert after["files"].get(path) == before["files"].get(path)
        for was, unit in zip(before["units"], after["units"]):
            for key in ("ActiveState", "UnitFileState"):
                assert unit[key] == was[key], unit
        return result, before["units"], after["units"]

    return run


def test_invalid_spec_is_rejected(node, run_module, snapshot):
    before = snapshot()
    for spec, facts in BAD_SPECS:
        check_failed(run_module(node, ENABLE, **spec), "option_invalid", *facts)
    assert snapshot() == before


BINARIES = {"containerd": "/usr/bin/containerd", "docker": "/usr/sbin/dockerd"}


def test_runtime_that_is_not_installed_is_rejected(node, other, refused):
    binary = BINARIES[other.name]
    node.check_output(f"mv {binary} {binary}.away")
    try:
        refused("runtime_not_installed", runtime=other.name)
    finally:
        node.check_output(f"mv {binary}.away {binary}")


def test_daemon_that_cannot_print_its_version_is_rejected(node, runtime, other, run_module):
    path = BINARIES[other.name]
    node.check_output(f"mv {path} {path}.away")
    node.check_output(f"printf '#!/bin/sh\\nexit 1\\n' >{path} && chmod +x {path}")
    try:
        info = run_module(node, "cruntime.node.cruntime_info")
        gone = run_module(node, ENABLE, check=True, runtime=other.name, state="disabled")
    finally:
        node.check_output(f"mv {path}.away {path}")
    assert info["runtimes"][other.name]["version"] is None
    assert any(path.rpartition("/")[2] in warning for warning in info["warnings"])
    if runtime.name == "docker":
        # Docker needs containerd.
        check_untouched(gone, "runtime_needed", "containerd.service", "Docker")
        return
    assert "failed" not in gone, gone
    assert gone["version"] is None
    assert any(path.rpartition("/")[2] in warning for warning in gone["warnings"])


def test_user_without_privileges_is_rejected(node, run_module, snapshot, monkeypatch):
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "nobody")
    monkeypatch.setenv("ANSIBLE_REMOTE_TMP", "/tmp/nobody")
    result = run_module(node, ENABLE, runtime="containerd")
    check_untouched(result, "not_root", "become")


def test_node_without_systemd_is_rejected():
    name = f"cruntime-no-systemd-{uuid.uuid4().hex[:8]}"
    subprocess.run(
        ["docker", "run", "--detach", "--rm", "--name", name, "--entrypoint", "sleep",
         "cruntime-node:trixie", "infinity"],
        check=True, capture_output=True,
    )  # fmt: skip
    try:
        for module, options in (
            (ENABLE, {"runtime": "docker"}),
            ("cruntime.node.cruntime_info", {}),
        ):
            done = subprocess.run(
                ["ansible", name, "--inventory", f"{name},", "--module-name", module,
                 "--connection", "community.docker.docker",
                 *(["--args", json.dumps(options)] if options else [])],
                check=False, capture_output=True, text=True,
                env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3"},
            )  # fmt: skip
            assert done.returncode != 0
            assert '"reason": "systemd_not_found"' in done.stdout + done.stderr
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)


def test_unit_masked_by_an_admin_is_unmasked_with_a_warning(
    node, runtime, spec, run_module, snapshot
):
    node.check_output("systemctl mask %s", runtime.service)
    before = snapshot()
    predicted = run_module(node, ENABLE, check=True, **spec)
    assert snapshot() == before
    result = run_module(node, ENABLE, **spec)
    warning = f"Unmasking {runtime.service}, which was masked, to enable "
    for answer in (predicted, result):
        assert answer["changed"] is True
        assert any(text.startswith(warning) for text in answer["warnings"])
        assert answer["units"][0]["after"] == {"active": True, "enabled": True, "masked": False}
    assert node.service(runtime.service).is_enabled
    assert run_module(node, ENABLE, **spec)["changed"] is False


@pytest.mark.runtime("containerd", "crio")
def test_unit_of_another_runtime_stays_masked(node, spec, run_module):
    node.check_output("systemctl mask docker.socket")
    assert run_module(node, ENABLE, **spec)["changed"] is False
    node.check_output("systemctl unmask docker.socket")


def break_configuration(runtime, node):
    """Return a configuration that passes validation, but with which the runtime does not start."""
    if runtime == "docker":
        return {"bridge": "nowhere"}
    if runtime == "crio":
        return {"crio": {"runtime": {"pinns_path": "/nowhere"}}}
    version = node.check_output("containerd --version").split()[2].lstrip("v")[0]
    return {"plugins": {CRI[version]: {"containerd": {"default_runtime_name": "nowhere"}}}}


def test_runtime_that_does_not_start_is_rolled_back(node, runtime, spec, rolled_back):
    options = {**spec, "extra_config": break_configuration(runtime.name, node)}
    result, _before, _after = rolled_back(**options)
    check_failed(result, "unit_not_started", "nowhere")
    assert any("nowhere" in line for line in result["journal"])
    node.check_output(runtime.version)


def test_failed_switch_does_not_restart_the_running_runtime(node, runtime, other, rolled_back):
    extra = break_configuration(other.name, node)
    result, before, after = rolled_back(runtime=other.name, extra_config=extra)
    check_failed(result, "unit_not_started")
    (was,), (unit,) = (
        [each for each in units if each["Id"] == runtime.service] for units in (before, after)
    )
    # The process of the runtime was not restarted.
    assert unit == was
    node.check_output(runtime.version)


@pytest.mark.runtime("containerd", "crio")
def test_flag_of_a_masked_unit_counts(node, refused):
    drop_in = "/etc/systemd/system/docker.service.d/flag.conf"
    node.check_output(f"mkdir -p $(dirname {drop_in})")
    text = "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --log-level=debug\n"
    node.check_output(f"printf %s > {drop_in}", text.replace("\n", "\\n"))
    node.check_output("systemctl mask docker.service")
    try:
        facts = (drop_in, "log-level", "debug", "info")
        refused("setting_overridden", *facts, runtime="docker", log_level="info")
    finally:
        node.check_output(f"rm -r $(dirname {drop_in}) && systemctl daemon-reload")


# Docker needs containerd, so containerd would not be stopped.
@pytest.mark.runtime("crio", "docker")
@pytest.mark.once
def test_unit_that_hangs_while_it_stops_is_rolled_back(node, runtime, other, rolled_back):
    directory = f"/run/systemd/system/{runtime.service}.d"
    hang = "[Service]\\nExecStop=/bin/sleep infinity\\nTimeoutStopSec=infinity\\n"
    node.check_output(f"mkdir -p {directory} && printf '{hang}' > {directory}/hang.conf")
    node.check_output("systemctl daemon-reload")
    try:
        result, _before, _after = rolled_back(runtime=other.name, timeout=20)
    finally:
        node.check_output(f"rm -r {directory} && systemctl daemon-reload")
    check_failed(result, "unit_not_stopped", runtime.service, "20 seconds")
    node.check_output(runtime.version)


@pytest.mark.runtime("containerd", "crio")
def test_directory_in_place_of_a_file_is_rejected(node, spec, refused):
    node.check_output("mv /etc/crictl.yaml /etc/crictl.yaml.away && mkdir /etc/crictl.yaml")
    try:
        refused("file_unreadable", "/etc/crictl.yaml", "directory", **spec)
    finally:
        node.check_output("rmdir /etc/crictl.yaml && mv /etc/crictl.yaml.away /etc/crictl.yaml")


@pytest.mark.runtime("containerd", "crio")
def test_drop_in_that_overrides_the_spec_is_found(node, runtime, spec, refused):
    if runtime.name == "crio":
        path, text = "/etc/crio/crio.conf.d/99-admin.conf", '[crio.image]\npause_image = "x/y:1"\n'
    elif node.check_output("containerd --version").split()[2].lstrip("v")[0] == "1":
        path = "/etc/containerd/conf.d/99-admin.toml"
        # The drop-in replaces the whole table of the plugin.
        runc = f'[plugins."{CRI["1"]}".containerd.runtimes.runc'
        text = (
            f'[plugins."{CRI["1"]}"]\nsandbox_image = "x/y:1"\n'
            f'{runc}]\nruntime_type = "io.containerd.runc.v2"\n'
            f"{runc}.options]\nSystemdCgroup = true\n"
        )
    else:
        path = "/etc/containerd/conf.d/99-admin.toml"
        text = '[plugins."io.containerd.cri.v1.images".pinned_images]\nsandbox = "x/y:1"\n'
    node.check_output(f"mkdir -p $(dirname {path}) && printf %s > {path}", text)
    try:
        refused("setting_overridden", path, "x/y:1", spec["sandbox_image"], **spec)
    finally:
        node.check_output(f"rm {path}")


@pytest.mark.runtime("containerd", "crio")
def test_unreadable_drop_in_is_reported(node, runtime, refused, spec):
    directory, name = {"containerd": ("conf.d", "9.toml"), "crio": ("crio.conf.d", "9.conf")}[
        runtime.name
    ]
    path = f"/etc/{runtime.name}/{directory}/{name}"
    node.check_output(f"mkdir -p $(dirname {path}) && echo 'no toml' > {path}")
    try:
        refused("configuration_refused", path, **{**spec, "cgroup_driver": "cgroupfs"})
    finally:
        node.check_output(f"rm {path}")


@pytest.mark.runtime("containerd", "crio")
def test_keys_that_this_version_does_not_support_are_rejected(node, runtime, refused):
    if runtime.name == "crio":
        extra = {"crio": {"runtime": {"no_such_key": True}}}
    else:
        version = node.check_output("containerd --version").split()[2].lstrip("v").split(".")
        other = {CRI["2" if version[0] == "1" else "1"]: {"enable_selinux": True}}
        # From 2.4 on, containerd migrates the other plugin's keys within a file of version 3.
        migrates = [int(part) for part in version[:2]] >= [2, 4]
        extra = {"plugins": {CRI["2"]: {"no_such_key": True}} if migrates else other}
    refused("configuration_refused", runtime=runtime.name, extra_config=extra)


@pytest.mark.runtime("crio")
def test_oci_runtime_that_crio_does_not_have_is_rejected(node, refused, spec):
    if "crio.runtime.runtimes.runc" in node.check_output("crio status config"):
        pytest.skip("this CRI-O has its own runc")
    facts = ("oci_runtimes", "oci_runtime")
    refused("configuration_refused", *facts, **{**spec, "oci_runtime": "runc"})


@pytest.mark.runtime("crio")
def test_reload_that_crio_rejects_is_rolled_back(spec, rolled_back):
    # The validation of CRI-O does not read this profile.
    extra = {"crio": {"runtime": {"seccomp_profile": "/etc/hostname"}}}
    result, before, after = rolled_back(**{**spec, "extra_config": extra})
    check_failed(result, "configuration_refused", "seccomp profile")
    assert [unit.get("MainPID") for unit in after] == [unit.get("MainPID") for unit in before]
