"""What a run does to a converged node when there is something to do."""

import pytest
from conftest import RUNTIMES, check_untouched, reasons


@pytest.fixture
def main_pid(node):
    return lambda unit: node.check_output("systemctl show --property=MainPID --value %s", unit)


@pytest.mark.alike
@pytest.mark.parametrize("when", ["now", "tomorrow"])
def test_a_restart_owed_is_paid_once(node, runtime, enable, main_pid, when):
    config = runtime.config
    node.check_output("touch --date=%s %s", when, config)
    before = main_pid(runtime.service)
    why = {runtime.service: f"{config} is newer than the running process"}
    assert reasons(enable(check=True)) == why
    assert main_pid(runtime.service) == before
    assert reasons(enable()) == why
    assert main_pid(runtime.service) != before
    assert enable()["changed"] is False


@pytest.mark.alike
def test_a_restart_asked_for_is_made_every_time(runtime, enable, main_pid):
    before = main_pid(runtime.service)
    assert reasons(enable(state="restarted")) == {runtime.service: "asked for"}
    assert main_pid(runtime.service) != before
    assert enable()["changed"] is False


def test_the_running_runtime_has_the_driver_of_the_spec(node, runtime, enable, run_module):
    def running():
        info = run_module(node, "cruntime.node.cruntime_info")
        return info["runtimes"][runtime.name]["cgroup_driver"]

    assert running() == "systemd"
    assert enable(cgroup_driver="cgroupfs")["changed"] is True
    assert running() == "cgroupfs"
    # On cgroups v1, auto stays with what is in use; on v2 it is systemd.
    automatic = enable(cgroup_driver="auto")["cgroup_driver"]
    version = run_module(node, "cruntime.node.cruntime_info")["cgroup_version"]
    assert automatic == running() == ("systemd" if version == 2 else "cgroupfs")


@pytest.mark.alike
def test_an_edit_by_hand_is_kept_and_taken_back(node, runtime, spec, enable):
    config = runtime.config
    ours = node.file(config).content_string
    # Keys that are not in the spec would stay, and text that is not JSON is refused.
    text = {"docker": '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}'}.get(
        runtime.name, "by hand"
    )
    node.check_output("printf %%s %s > %s", text, config)
    result = enable()
    (file,) = [file for file in result["files"] if file["path"] == config]
    assert node.file(config).content_string == ours
    assert node.file(file["backup"]).content_string == text
    assert any(file["backup"] in warning for warning in result["warnings"])


@pytest.mark.alike
def test_a_disabled_runtime_is_down_and_stays_so(node, runtime, enable, run_module, snapshot):
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


@pytest.mark.alike
def test_the_other_runtime_stays_where_that_is_asked_for(node, runtime, other, enable):
    enable(runtime=other.name, disable_others=False)
    assert node.service(runtime.service).is_running
    assert node.service(other.service).is_running


@pytest.mark.alike
def test_a_proxy_reaches_the_process_and_its_password_nobody_else(node, runtime, enable, main_pid):
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


@pytest.mark.alike
@pytest.mark.runtime("containerd", "crio")
def test_a_socket_of_the_operators_choice_and_back(node, runtime, enable, crictl):
    result = enable(socket="/run/own/cri.sock")
    assert result["cri_endpoint"] == "unix:///run/own/cri.sock"
    assert "RuntimeVersion" in crictl("version")
    # The driver is asked of the runtime where it answers now, the answer waited for where it will.
    assert enable(cgroup_driver="auto")["cri_endpoint"] == runtime.endpoint
    assert "RuntimeVersion" in crictl("version")


@pytest.mark.runtime("docker")
def test_a_containerd_that_serves_no_cri_yet(node, enable):
    """As Docker's own packages set it up."""
    config = "/etc/containerd/config.toml"
    node.check_output(f"""printf 'disabled_plugins = ["cri"]\\n' > {config}""")
    node.check_output("systemctl restart containerd.service")
    result = enable(runtime="containerd", cgroup_driver="auto", extra_config={})
    assert not result.get("failed"), result
    assert any(config in warning for warning in result["warnings"])
    node.check_output("ctr version")


# What is changed, and what the runtime says right after that run.
RELOADS = {
    "docker": [
        ({"extra_config": {"debug": True}}, "docker info --format '{{.Debug}}'", "true"),
        ({"extra_config": {"debug": False}}, "docker info --format '{{.Debug}}'", "false"),
    ],
    "crio": [
        ({"log_level": "debug"}, "crio status config | grep ' log_level ='", '"debug"'),
        # From here on it does not log that it is done.
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


@pytest.mark.alike
@pytest.mark.runtime("crio", "docker")
def test_a_reload_is_over_when_the_run_is(node, spec, runtime, enable, main_pid):
    before = main_pid(runtime.service)
    for changes, question, answer in RELOADS[runtime.name]:
        # Beside the keys of the spec: one that is gone would mean a restart.
        extra = {**spec.get("extra_config", {}), **changes.get("extra_config", {})}
        result = enable(**{**changes, "extra_config": extra})
        assert not result.get("failed"), result
        assert answer in node.check_output(question)
    assert main_pid(runtime.service) == before


@pytest.mark.runtime("crio")
def test_a_reload_that_nothing_would_tell_of_is_a_restart(runtime, enable, main_pid):
    enable(log_level="warn")
    before = main_pid(runtime.service)
    registries = [{"registry": "127.0.0.1:1", "insecure": True}]
    assert runtime.service in reasons(enable(log_level="warn", registries=registries))
    assert main_pid(runtime.service) != before


@pytest.mark.alike
@pytest.mark.runtime("docker")
def test_containers_outlive_a_restart_that_live_restore_is_asked_for(
    node, runtime, enable, main_pid, image
):
    node.check_output(f"docker run --detach --name survivor {image} sleep 600")
    process = "docker inspect --format '{{.State.Pid}}' survivor"
    try:
        container, daemon = node.check_output(process), main_pid(runtime.service)
        # The metrics' address is read at a start only; that of containers is a reload's.
        enable(live_restore=True, metrics="127.0.0.1:9323")
        assert main_pid(runtime.service) != daemon
        assert node.check_output(process) == container
        assert node.run(f"test -d /proc/{container}").succeeded
    finally:
        node.check_output("docker rm --force survivor")


@pytest.mark.alike
@pytest.mark.runtime("docker")
def test_keys_that_others_wrote_stay(node, enable):
    config = "/etc/docker/daemon.json"
    node.check_output(f"""sed -i 's/^{{/{{"max-download-attempts": 9,/' {config}""")
    enable(cgroup_driver="cgroupfs")
    assert '"max-download-attempts": 9' in node.file(config).content_string
    enable(exclusive=True)
    assert "max-download-attempts" not in node.file(config).content_string


@pytest.mark.alike
@pytest.mark.runtime("docker")
def test_the_socket_of_docker_goes_with_its_service(node, enable):
    node.check_output("systemctl stop docker.socket")
    assert enable()["changed"] is True
    assert node.service("docker.socket").is_running
    assert node.service("docker.service").is_running
    assert enable()["changed"] is False


@pytest.mark.runtime("docker")
def test_containerd_is_not_taken_from_under_docker(node, enable):
    result = enable(runtime="containerd", state="disabled")
    check_untouched(result, "runtime_needed", "containerd.service", "Docker")
    assert node.service("containerd.service").is_running


# The operator's drop-in, and what the runtime says of it.
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
def test_a_drop_in_of_the_operator_survives_and_counts(node, runtime, enable):
    path, text, question, answer = DROP_INS[runtime.name]
    node.check_output(f"mkdir -p $(dirname {path}) && printf %s > {path}", text)
    enable(state="restarted")
    assert answer in node.check_output(question)
    node.check_output(f"rm {path}")


SWITCHES = {"containerd": ["docker"], "crio": ["containerd", "docker"], "docker": ["containerd"]}


@pytest.mark.once
def test_to_each_other_runtime_and_back(node, spec, runtime, enable):
    for other in SWITCHES[runtime.name]:
        # The keys of extra_config are those of one runtime.
        switched = {"runtime": other, "extra_config": {}}
        for wanted, changes in ((RUNTIMES[other], switched), (runtime, {})):
            result = enable(**changes)
            assert result["changed"] is True, result
            node.check_output(wanted.version)
            assert all(node.service(unit).is_enabled for unit in wanted.enabled)
            assert not any(node.service(unit).is_running for unit in wanted.foreign)
