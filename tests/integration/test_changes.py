"""Runs of cruntime_enable that change a configured node."""

import pytest
from conftest import RUNTIMES, check_untouched, reasons

# The runtime matters little.
pytestmark = pytest.mark.short("docker", "crio")


@pytest.fixture
def main_pid(node):
    return lambda unit: node.check_output("systemctl show --property=MainPID --value %s", unit)


@pytest.mark.parametrize("when", ["now", "tomorrow"])
def test_pending_restart_happens_once(node, runtime, enable, main_pid, when):
    config = runtime.config
    node.check_output("touch --date=%s %s", when, config)
    before = main_pid(runtime.service)
    why = {runtime.service: f"{config} is newer than the running process"}
    assert reasons(enable(check=True)) == why
    assert main_pid(runtime.service) == before
    assert reasons(enable()) == why
    assert main_pid(runtime.service) != before
    assert enable()["changed"] is False


def test_requested_restart_happens_every_time(runtime, enable, main_pid):
    before = main_pid(runtime.service)
    assert reasons(enable(state="restarted")) == {runtime.service: "asked for"}
    assert main_pid(runtime.service) != before
    assert enable()["changed"] is False


def test_running_runtime_uses_the_driver_of_the_spec(node, runtime, enable, run_module):
    def running():
        info = run_module(node, "cruntime.node.cruntime_info")
        return info["runtimes"][runtime.name]["cgroup_driver"]

    assert running() == "systemd"
    assert enable(cgroup_driver="cgroupfs")["changed"] is True
    assert running() == "cgroupfs"
    # On cgroups v1, auto keeps the driver that is in use; on v2 it is systemd.
    automatic = enable(cgroup_driver="auto")["cgroup_driver"]
    version = run_module(node, "cruntime.node.cruntime_info")["cgroup_version"]
    assert automatic == running() == ("systemd" if version == 2 else "cgroupfs")


def test_edit_by_hand_is_backed_up_and_reverted(node, runtime, spec, enable):
    config = runtime.config
    ours = node.file(config).content_string
    # The run keeps keys that are not in the spec, and rejects text that is not JSON.
    text = {"docker": '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}'}.get(
        runtime.name, "by hand"
    )
    node.check_output("printf %%s %s > %s", text, config)
    result = enable()
    (file,) = [file for file in result["files"] if file["path"] == config]
    assert node.file(config).content_string == ours
    assert node.file(file["backup"]).content_string == text
    assert any(file["backup"] in warning for warning in result["warnings"])


def test_disabled_runtime_stays_stopped(node, runtime, enable, run_module, snapshot):
    before = snapshot()
    assert enable(check=True, state="disabled")["changed"] is True
    assert snapshot() == before
    assert enable(state="disabled")["changed"] is True
    for unit in runtime.enabled:
        assert not node.service(unit).is_running
        assert node.run("systemctl is-enabled %s", unit).failed
    assert enable(state="disabled")["changed"] is False
    assert enable()["changed"] is True
    assert node.service(runtime.service).is_running


def test_other_runtime_keeps_running_with_exclusive_false(node, runtime, other, enable):
    enable(runtime=other.name, disable_others=False)
    assert node.service(runtime.service).is_running
    assert node.service(other.service).is_running


def test_proxy_is_set_and_only_root_can_read_its_password(node, runtime, enable, main_pid):
    def variables():
        text = node.check_output("cat /proc/%s/environ", main_pid(runtime.service))
        return dict(line.split("=", 1) for line in text.split("\0") if line)

    url = "http://user:$HOME'%40@proxy.local:3128"
    result = enable(proxy={"http": url, "no_proxy": "10.0.0.0/8,.local"})
    assert runtime.service in reasons(result)
    assert variables()["HTTP_PROXY"] == url
    assert variables()["no_proxy"] == "10.0.0.0/8,.local"
    assert "proxy.local" not in node.check_output("systemctl show %s", runtime.service)
    for path in node.check_output("grep -rlF proxy.local /etc /var/lib/cruntime").splitlines():
        assert node.file(path).mode == 0o600
    assert runtime.service in reasons(enable())
    assert "HTTP_PROXY" not in variables()
    assert node.run(f"ls /etc/systemd/system/{runtime.service}.d/*cruntime-proxy*").failed


@pytest.mark.runtime("containerd", "crio")
def test_socket_can_be_changed_and_reset(node, runtime, enable, crictl):
    result = enable(socket="/run/own/cri.sock")
    assert result["cri_endpoint"] == "unix:///run/own/cri.sock"
    assert "RuntimeVersion" in crictl("version")
    # Read the driver through the current socket, and wait for a response on the new socket.
    assert enable(cgroup_driver="auto")["cri_endpoint"] == runtime.endpoint
    assert "RuntimeVersion" in crictl("version")


@pytest.mark.runtime("docker")
def test_containerd_without_cri_is_configured(node, enable):
    """The packages of Docker install such a containerd."""
    config = "/etc/containerd/config.toml"
    node.check_output(f"""printf 'disabled_plugins = ["cri"]\\n' > {config}""")
    node.check_output("systemctl restart containerd.service")
    result = enable(runtime="containerd", cgroup_driver="auto", extra_config={})
    assert not result.get("failed"), result
    assert any(config in warning for warning in result["warnings"])
    node.check_output("ctr version")


# Options of the run, and what the runtime reports right after the run.
RELOADS = {
    "docker": [
        ({"extra_config": {"debug": True}}, "docker info --format '{{.Debug}}'", "true"),
        ({"extra_config": {"debug": False}}, "docker info --format '{{.Debug}}'", "false"),
    ],
    "crio": [
        ({"log_level": "debug"}, "crio status config | grep ' log_level ='", '"debug"'),
        # From this run on, CRI-O does not log that the reload is complete.
        ({"log_level": "warn"}, "crio status config | grep ' log_level ='", '"warn"'),
        (
            {"log_level": "warn", "sandbox_image": "x/y:1"},
            "crio status config | grep ' pause_image ='",
            '"x/y:1"',
        ),
        ({}, "crio status config | grep ' pause_image ='", '"localhost/cruntime-test/pause:1"'),
        (
            {"pinned_images": ["localhost/cruntime-test/none:1"]},
            "crio status config | grep ' pinned_images ='",
            "cruntime-test/none:1",
        ),
        (
            {"registries": [{"registry": "127.0.0.1:1", "insecure": True}]},
            "crio status config | grep ' pinned_images ='",
            "[]",
        ),
    ],
}


@pytest.mark.runtime("crio", "docker")
def test_reload_is_complete_when_the_run_ends(node, spec, runtime, enable, main_pid):
    before = main_pid(runtime.service)
    for changes, question, answer in RELOADS[runtime.name]:
        # Keep the keys of the spec, because a removed key would need a restart.
        extra = {**spec.get("extra_config", {}), **changes.get("extra_config", {})}
        result = enable(**{**changes, "extra_config": extra})
        assert not result.get("failed"), result
        assert answer in node.check_output(question)
    assert main_pid(runtime.service) == before


@pytest.mark.runtime("crio")
def test_reload_that_cannot_be_verified_is_a_restart(runtime, enable, main_pid):
    enable(log_level="warn")
    before = main_pid(runtime.service)
    registries = [{"registry": "127.0.0.1:1", "insecure": True}]
    assert runtime.service in reasons(enable(log_level="warn", registries=registries))
    assert main_pid(runtime.service) != before


@pytest.mark.runtime("docker")
def test_containers_survive_the_restart_that_enables_live_restore(
    node, runtime, enable, main_pid, image
):
    node.check_output(f"docker run --detach --name survivor {image} sleep 600")
    process = "docker inspect --format '{{.State.Pid}}' survivor"
    try:
        container, daemon = node.check_output(process), main_pid(runtime.service)
        # The metrics address needs a restart; live-restore takes effect with a reload.
        enable(live_restore=True, metrics="127.0.0.1:9323")
        assert main_pid(runtime.service) != daemon
        assert node.check_output(process) == container
        assert node.run(f"test -d /proc/{container}").succeeded
    finally:
        node.check_output("docker rm --force survivor")


@pytest.mark.runtime("docker")
def test_foreign_keys_are_kept(node, enable):
    config = "/etc/docker/daemon.json"
    node.check_output(f"""sed -i 's/^{{/{{"max-download-attempts": 9,/' {config}""")
    enable(cgroup_driver="cgroupfs")
    assert '"max-download-attempts": 9' in node.file(config).content_string
    enable(exclusive=True)
    assert "max-download-attempts" not in node.file(config).content_string


@pytest.mark.runtime("docker")
def test_socket_of_docker_stops_with_its_service(node, enable):
    node.check_output("systemctl stop docker.socket")
    assert enable()["changed"] is True
    assert node.service("docker.socket").is_running
    assert node.service("docker.service").is_running
    assert enable()["changed"] is False


@pytest.mark.runtime("docker")
def test_containerd_stays_active_if_docker_needs_it(node, enable):
    result = enable(runtime="containerd", state="disabled")
    check_untouched(result, "runtime_needed", "containerd.service", "Docker")
    assert node.service("containerd.service").is_running


# A drop-in of the operator, and what the runtime reports with it.
DROP_INS = {
    "containerd": (
        "/etc/containerd/conf.d/99-operator.toml",
        "oom_score = -7\n",
        "containerd config dump",
        "oom_score = -7",
    ),
    "crio": (
        "/etc/crio/crio.conf.d/99-operator.conf",
        "[crio.runtime]\nctr_stop_timeout = 77\n",
        "crio status config",
        "ctr_stop_timeout = 77",
    ),
}


@pytest.mark.runtime("containerd", "crio")
def test_operator_drop_in_is_kept_and_overrides(node, runtime, enable):
    path, text, question, answer = DROP_INS[runtime.name]
    node.check_output(f"mkdir -p $(dirname {path}) && printf %s > {path}", text)
    enable(state="restarted")
    assert answer in node.check_output(question)
    node.check_output(f"rm {path}")


SWITCHES = {"containerd": ["docker"], "crio": ["containerd", "docker"], "docker": ["containerd"]}


@pytest.mark.once
def test_switch_to_each_other_runtime_and_back(node, spec, runtime, enable):
    for other in SWITCHES[runtime.name]:
        # The keys of extra_config belong to one runtime.
        switched = {"runtime": other, "extra_config": {}}
        for wanted, changes in ((RUNTIMES[other], switched), (runtime, {})):
            result = enable(**changes)
            assert result["changed"] is True, result
            node.check_output(wanted.version)
            assert all(node.service(unit).is_enabled for unit in wanted.enabled)
            assert not any(node.service(unit).is_running for unit in wanted.foreign)
