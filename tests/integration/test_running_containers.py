"""Running containers of each runtime, with each cgroup driver, under each kind of change.

Check mode predicts each run. A container ends only if the run allows it.
"""

from __future__ import annotations

import dataclasses

import pytest
from conftest import ARCHIVES, ENABLE, IMAGE, RUNTIMES, check_untouched, require_crictl
from test_pods import CONTAINER, lenient, run_pod, start_container

NAME = "at-risk"
#: Commands of a container outside of pods: run it, print its PID, and remove it.
COMMANDS = {
    "containerd": (
        f"ctr --namespace k8s.io images import {ARCHIVES}/busybox.tar && "
        f"ctr --namespace k8s.io run --detach {IMAGE} {NAME} sleep 3600",
        f"ctr --namespace k8s.io tasks list | awk '$1 == \"{NAME}\" {{print $2}}'",
        f"ctr --namespace k8s.io tasks rm --force {NAME}; "
        f"ctr --namespace k8s.io containers rm {NAME}",
    ),
    "docker": (
        f"docker load --input {ARCHIVES}/busybox.tar && "
        f"docker run --detach --name {NAME} {IMAGE} sleep 3600",
        f"docker inspect --format '{{{{.State.Pid}}}}' {NAME}",
        f"docker rm --force {NAME}",
    ),
}
#: Options that need a restart, and options that need a reload.
RESTART = {"metrics": "127.0.0.1:9323"}
RELOADS = {"docker": {"extra_config": {"debug": True}}, "crio": {"log_level": "debug"}}
DRIVERS = [
    "systemd",
    pytest.param("cgroupfs", marks=pytest.mark.long),
]


@dataclasses.dataclass
class Running:
    """A container that runs, and the runs of cruntime_enable."""

    node: object
    runtime: object
    options: dict
    run_module: object
    pid: str = ""

    def run(self, **changes):
        """Run the task with changed options, in check mode first. Return the result.

        The results of both runs must be the same.
        """
        options = {**self.options, **changes}
        predicted, result = (
            self.run_module(self.node, ENABLE, check=check, diff=True, **options)
            for check in (True, False)
        )
        for key in ("failed", "reason", "containers_at_risk", "restart_pending", "diff"):
            assert predicted.get(key) == result.get(key), key
        return result

    def restart(self):
        """Return the process of the runtime."""
        show = "systemctl show --property=MainPID --value %s"
        return self.node.check_output(show, self.runtime.service)

    @property
    def is_alive(self):
        return bool(self.pid) and self.node.run(f"test -d /proc/{self.pid}").succeeded

    def check_kept(self, result, restarted):
        """Check that a run succeeded, and that it ended no container."""
        assert not result.get("failed"), result
        assert (result["containers_at_risk"], result["restart_pending"]) == ([], [])
        assert (self.runtime.service in units_of(result, "restarted")) is restarted, result
        assert self.is_alive

    def check_refused(self, result, outcome="ended"):
        """Check that a run was refused before it changed anything."""
        check_untouched(result, "containers_running", NAME, "running_containers: defer")
        assert outcomes(result) == [(NAME, outcome)]
        assert self.is_alive

    def check_waiting(self, result, cause):
        """Check that the runtime was not restarted, because of its running container."""
        assert not result.get("failed"), result
        (pending,) = result["restart_pending"]
        assert pending["unit"] == self.runtime.service
        assert cause in pending["cause"]
        assert outcomes(result) == [(NAME, "ended")]
        assert result["units"] == []
        assert any("Restart pending" in text for text in result["warnings"])
        assert self.is_alive


def units_of(result, verb):
    """Return the names of the units that were restarted or reloaded, from the diff of a run."""
    text = "".join(
        diff["after"] for diff in result["diff"] if diff["after_header"] == "systemd units"
    )
    return [line.partition(":")[0] for line in text.splitlines() if verb in line]


def outcomes(result):
    return [(each["name"], each["outcome"]) for each in result["containers_at_risk"]]


@pytest.fixture
def start(node, spec, runtime, run_module):
    """Yield a function that configures the runtime with some options, and runs a container."""

    def begin(**options):
        running = Running(node, runtime, {**spec, **options}, run_module)
        result = run_module(node, ENABLE, **running.options)
        assert not result.get("failed"), result
        if runtime.name == "crio":
            start_pod(running)
        else:
            run, pid, _remove = COMMANDS[runtime.name]
            node.check_output(run)
            running.pid = node.check_output(pid)
        assert running.is_alive
        return running

    yield begin
    # A stopped runtime cannot remove the container before it is started again.
    remove = COMMANDS[runtime.name][2] if runtime.name in COMMANDS else "crictl rmp --force --all"
    node.run(remove)
    result = run_module(node, ENABLE, **{**spec, "running_containers": "stop"})
    node.run(remove)
    assert not result.get("failed"), result


def start_pod(running):
    """Run a pod under CRI-O."""
    node = running.node
    require_crictl(node)

    def crictl(arguments):
        return node.check_output(f"crictl --timeout 60s {arguments}")

    for name in ("pause", "busybox"):
        archive, image = f"{ARCHIVES}/{name}.tar", f"localhost/cruntime-test/{name}:1"
        node.check_output(f"skopeo copy docker-archive:{archive} containers-storage:{image}")
    container = {**CONTAINER, "metadata": {"name": NAME}, "command": ["/bin/sleep", "3600"]}
    parent = "kubepods.slice" if running.options["cgroup_driver"] == "systemd" else "/kubepods"
    pod = run_pod(
        node,
        crictl,
        container,
        {
            "metadata": {"name": "pod", "namespace": "default", "uid": "1", "attempt": 1},
            "log_directory": "/tmp",
            "linux": {
                "cgroup_parent": parent,
                "security_context": {"namespace_options": {"network": 2}},
            },
        },
    )
    found = start_container(crictl, pod)
    running.pid = crictl(f"inspect --output go-template --template {{{{.info.pid}}}} {found}")


@pytest.fixture
def options(node, runtime):
    """Return the options with which a runtime can run containers on a test node."""
    return {"extra_config": lenient("crio", node)} if runtime.name == "crio" else {}


@pytest.mark.parametrize("driver", DRIVERS)
def test_change_of_only_the_text_restarts_nothing(node, runtime, start, options, driver):
    running = start(cgroup_driver=driver, **options)
    process = running.restart()
    comment = {"docker": "s/^{/{  /", "containerd": "1i # By hand", "crio": "1i # By hand"}
    node.check_output(f"sed -i '{comment[runtime.name]}' {runtime.config}")
    # The process has read this text. A file that is newer than the process needs a restart.
    node.check_output(f"touch --date='1 hour ago' {runtime.config}")
    result = running.run()
    assert result["changed"] is True
    running.check_kept(result, restarted=False)
    assert running.restart() == process
    assert running.run()["changed"] is False


@pytest.mark.long
@pytest.mark.runtime("crio", "docker")
@pytest.mark.parametrize("driver", DRIVERS)
def test_reload_ends_no_container(runtime, start, options, driver):
    running = start(cgroup_driver=driver, **options)
    process = running.restart()
    reloaded = RELOADS[runtime.name]
    # A removed key would need a restart.
    merged = {**running.options.get("extra_config", {}), **reloaded.get("extra_config", {})}
    running.check_kept(running.run(**{**reloaded, "extra_config": merged}), restarted=False)
    assert running.restart() == process


@pytest.mark.runtime("containerd", "crio")
@pytest.mark.parametrize("driver", DRIVERS)
def test_restart_of_containerd_and_crio_ends_no_container(runtime, start, options, driver):
    running = start(cgroup_driver=driver, **options)
    process = running.restart()
    running.check_kept(running.run(**RESTART), restarted=True)
    assert running.restart() != process
    running.check_kept(running.run(**RESTART, state="restarted"), restarted=True)


@pytest.mark.runtime("docker")
@pytest.mark.parametrize("driver", DRIVERS)
def test_restart_of_docker_is_refused_or_waits(start, driver):
    running = start(cgroup_driver=driver)
    running.check_refused(running.run(**RESTART))
    change = "daemon.json changed"
    running.check_waiting(running.run(**RESTART, running_containers="defer"), change)
    # The file was written, so the restart is pending now, and a run with the default waits too.
    newer = "is newer than the running process"
    running.check_waiting(running.run(**RESTART), newer)
    # With live-restore, the container survives the restart that was pending.
    result = running.run(**RESTART, live_restore=True)
    running.check_kept(result, restarted=True)
    running.check_kept(running.run(**RESTART, live_restore=True, state="restarted"), True)
    # Without it, the container ends at the next start.
    running.check_refused(running.run(**RESTART))
    result = running.run(**RESTART, running_containers="stop")
    assert outcomes(result) == [(NAME, "ended")]
    assert not running.is_alive
    assert any(NAME in warning for warning in result["warnings"])


@pytest.mark.parametrize("driver", DRIVERS)
def test_switch_is_refused(runtime, other, start, options, driver):
    running = start(cgroup_driver=driver, **options)
    switched = {"runtime": other.name, "extra_config": {}}
    outcome = "ended" if runtime.name == "docker" else "left"
    running.check_refused(running.run(**switched), outcome)
    running.check_refused(running.run(state="disabled"), outcome)
    check_untouched(running.run(state="absent"), "containers_running")
    assert running.is_alive
    assert running.node.service(runtime.service).is_running


@pytest.mark.long
@pytest.mark.runtime("docker")
def test_switch_with_live_restore_leaves_the_container(start, other):
    running = start(live_restore=True)
    running.check_refused(running.run(runtime=other.name, extra_config={}), "left")


@pytest.mark.runtime("docker")
def test_switch_can_wait_for_the_old_runtime(node, start, other):
    running = start()
    switched = {"runtime": other.name, "extra_config": {}, "running_containers": "defer"}
    result = running.run(**switched)
    assert {each["unit"] for each in result["restart_pending"]} == {
        "docker.socket",
        "docker.service",
    }
    assert running.is_alive
    for name in ("docker", other.name):
        assert node.service(RUNTIMES[name].service).is_running
    assert running.run(**switched)["changed"] is False
    # The old runtime is stopped when its last container has ended.
    node.check_output(COMMANDS["docker"][2])
    result = running.run(**switched)
    assert result["restart_pending"] == []
    assert not node.service("docker.service").is_running


@pytest.mark.long
@pytest.mark.parametrize("driver", DRIVERS)
def test_upgrade_of_the_binary(node, runtime, start, options, driver):
    running = start(cgroup_driver=driver, **options)
    replace_binary(running)
    result = running.run()
    if runtime.name == "docker":
        running.check_waiting(result, "the binary of docker.service was replaced")
    else:
        running.check_kept(result, restarted=True)


@pytest.mark.long
@pytest.mark.runtime("docker")
def test_upgrade_of_the_binary_with_live_restore(start):
    running = start(live_restore=True)
    process = running.restart()
    replace_binary(running)
    running.check_kept(running.run(), restarted=True)
    assert running.restart() != process


def replace_binary(running):
    """Replace the binary of the runtime as a package upgrade does."""
    pid = running.restart()
    running.node.check_output(
        f"path=$(readlink /proc/{pid}/exe) && cp $path $path.new && mv $path.new $path"
    )


@pytest.mark.long
def test_removed_drop_in_of_the_unit(node, runtime, start, options):
    """The process still has the value of a drop-in that a person has removed."""
    running = start(proxy={"http": "http://proxy.test:3128"}, **options)
    path = f"/etc/systemd/system/{runtime.service}.d/60-person.conf"
    node.check_output(
        f"mkdir -p $(dirname {path}) && echo http_proxy=http://person.test:3128 > /etc/person.env"
        f" && printf '[Service]\\nEnvironmentFile=/etc/person.env\\n' > {path}"
        f" && systemctl daemon-reload && systemctl restart {runtime.service}"
        f" && rm {path} /etc/person.env && systemctl daemon-reload"
    )
    if runtime.name == "docker":
        # The restart has ended the container.
        node.check_output(f"docker start {NAME}")
        running.pid = node.check_output(COMMANDS["docker"][1])
        running.check_waiting(running.run(), "environment.http_proxy")
    else:
        running.check_kept(running.run(), restarted=True)


#: A key that a person sets, and the file.
BY_HAND = {
    "containerd": ("/etc/containerd/conf.d/90-person.toml", "oom_score = -7\n"),
    "crio": ("/etc/crio/crio.conf.d/90-person.conf", '[crio.runtime]\nlog_level = "debug"\n'),
    "docker": ("/etc/docker/daemon.json", None),
}


@pytest.mark.long
@pytest.mark.parametrize("driver", DRIVERS)
def test_file_of_a_person(node, runtime, start, options, driver):
    running = start(cgroup_driver=driver, **options)
    path, text = BY_HAND[runtime.name]
    if text is None:
        node.check_output("sed -i 's/^{/{\"max-download-attempts\": 9,/' %s", path)
        running.check_waiting(running.run(), "is newer than the running process")
        # Removed again.
        node.check_output("sed -i 's/\"max-download-attempts\": 9,//' %s", path)
        running.check_waiting(running.run(), "is newer than the running process")
        return
    node.check_output("mkdir -p $(dirname %s) && printf %%s %s > %s", path, text, path)
    try:
        result = running.run()
        assert not result.get("failed"), result
        assert running.is_alive
    finally:
        node.check_output("rm %s", path)
    assert not running.run().get("failed")
    assert running.is_alive


#: Keys that `dockerd --validate` accepts, and the error of a start.
START_ERRORS = [
    ({"default-address-pools": [{"base": "10.0.0.0/16", "size": 8}]}, "pool"),
    ({"bip": "10.9.0.0/24"}, "10.9.0.0"),
    ({"log-driver": "journald", "log-opts": {"max-size": "1m"}}, "max-size"),
]


@pytest.mark.runtime("docker")
def test_error_that_only_a_start_finds_is_found_before(start):
    running = start()
    process = running.restart()
    for keys, error in START_ERRORS:
        result = running.run(extra_config=keys, running_containers="stop")
        check_untouched(result, "configuration_refused", error)
        assert running.restart() == process
    assert running.is_alive


@pytest.mark.runtime("containerd", "docker")
def test_unit_without_kill_mode_ends_the_containers(node, runtime, start):
    """Without KillMode=process, systemd ends the shims with containerd."""
    running = start()
    directory = "/run/systemd/system/containerd.service.d"
    node.check_output(f"mkdir -p {directory}")
    node.check_output(f"printf '[Service]\\nKillMode=control-group\\n' > {directory}/kill.conf")
    node.check_output("systemctl daemon-reload")
    try:
        changed = {"runtime": "containerd", "disable_others": False, "extra_config": {}}
        running.check_refused(running.run(**changed, **RESTART))
    finally:
        node.check_output(f"rm -r {directory} && systemctl daemon-reload")
