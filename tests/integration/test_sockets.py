"""Responses of real daemons to the collection's own clients are those that their commands print."""

from __future__ import annotations

import json
import re

import pytest
import test_pods

#: Fixture that configures a runtime for pods.
cri = test_pods.cri
SOCKETS = {
    "containerd": "/run/containerd/containerd.sock",
    "crio": "/var/run/crio/crio.sock",
    "docker": "/run/docker.sock",
}


def camel(value):
    """Return a response as crictl prints it: other names, and numbers of 64 bits as text."""
    if isinstance(value, dict):
        words = {re.sub("_([a-z])", lambda match: match[1].upper(), name): name for name in value}
        return {new: camel(value[name]) for new, name in words.items()}
    if isinstance(value, list):
        return [camel(each) for each in value]
    return value if isinstance(value, (bool, str)) or value is None else str(value)


def common(ours, theirs):
    """Return the values of theirs that ours has too. Absent values are empty."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        empty = {str: "", bool: False, dict: {}, list: []}
        return {
            name: common(value, theirs.get(name, empty.get(type(value))))
            for name, value in ours.items()
        }
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [common(*pair) for pair in zip(ours, theirs)]
    return camel(theirs)


def check_same(ours, theirs):
    """Check that all values of a response are those that a command printed."""
    ours = camel(ours)
    assert ours == common(ours, theirs)


def by_id(items):
    return sorted(items, key=lambda item: item["id"])


@pytest.fixture
def ask(run_on_node, runtime):
    """Return a function that asks a daemon of the runtime on the node."""
    return lambda kind: run_on_node("ask_daemons", {kind: SOCKETS[runtime.name]})[kind]


@pytest.mark.runtime("containerd", "crio")
@pytest.mark.usefixtures("cri")
def test_a_cri_responds_as_to_crictl(node, crictl, ask):
    pod = test_pods.run_pod(node, crictl, test_pods.CONTAINER)
    try:
        container = test_pods.start_container(crictl, pod)
        response = ask("cri")
        listed = {
            "list_containers": ("containers", "ps --all --output json"),
            "list_pod_sandboxes": ("items", "pods --output json"),
            "list_images": ("images", "images --output json"),
        }
        for name, (key, command) in listed.items():
            theirs = json.loads(crictl(command))[key]
            assert len(theirs) > 0
            check_same(by_id(response[name]), by_id(theirs))
        assert container in [each["id"] for each in response["list_containers"]]
    finally:
        crictl(f"rmp --force {pod}")

    version = response["version"]
    printed = dict(re.findall(r"^(\w+): +(.*)$", crictl("version"), re.MULTILINE))
    assert printed["RuntimeName"] == version["runtime_name"]
    assert printed["RuntimeVersion"] == version["runtime_version"]
    assert printed["RuntimeApiVersion"] == version["runtime_api_version"]

    systems = json.loads(crictl("imagefsinfo"))["status"]["imageFilesystems"]
    mounts = [each["fsId"]["mountpoint"] for each in systems]
    found = response["image_fs_info"]["image_filesystems"]
    assert [each["fs_id"]["mountpoint"] for each in found] == mounts
    assert all(each["timestamp"] > 0 for each in found)


@pytest.mark.runtime("containerd", "crio")
def test_a_cri_reports_the_status_that_crictl_prints(node, crictl, ask):
    response = ask("cri")
    printed = json.loads(crictl("info"))
    check_same(response["status"]["status"], printed["status"])
    for name, text in response["status"]["info"].items():
        if name in ("config", "sandboxImage"):
            assert printed[name] == json.loads(text)
    done = node.run("crictl runtime-config")
    driver = re.search(r"cgroup driver: +(\w+)", done.stdout)
    assert response["cgroup_driver"] == (driver[1].lower() if driver else None)
    assert driver or "Unimplemented" in done.stderr


@pytest.mark.runtime("containerd", "crio")
def test_an_error_of_a_cri_is_that_of_crictl(node, ask):
    error = ask("cri")["find_container"]
    printed = node.run("crictl inspect %s", "gone-é").stderr
    assert (error["code"], error["reason"]) == (5, "request_failed")
    assert "é" in error["detail"]
    assert error["detail"] in printed.replace('\\"', '"')


@pytest.mark.runtime("containerd")
def test_the_plugins_of_containerd_are_those_that_ctr_prints(node, ask):
    response = ask("containerd")
    lines = node.check_output("ctr plugins ls").splitlines()[1:]
    plugins = {(line.split()[0], line.split()[1]): line.split()[-1] == "ok" for line in lines}
    assert plugins == {
        (plugin["type"], plugin["id"]): plugin["init_err"] is None
        for plugin in response["list_plugins"]
    }
    assert len(response["server"]["uuid"]) == 36
    major, minor = map(
        int, re.findall(r"\d+", node.check_output("containerd --version").split()[2])[:2]
    )
    process = node.check_output("systemctl show --property=MainPID --value containerd")
    assert response["server"]["pid"] == (int(process) if (major, minor) >= (1, 7) else 0)


@pytest.mark.runtime("crio")
def test_crio_responds_as_to_its_command(node, ask):
    response = ask("crio")
    assert response["config"].strip() == node.check_output("crio status config").strip()
    printed = node.check_output("crio status info")
    assert f"storage driver: {response['info']['storage_driver']}" in printed
    assert f"storage graph root: {response['info']['storage_root']}" in printed


@pytest.mark.runtime("docker")
@pytest.mark.usefixtures("image")
def test_docker_responds_as_to_its_command(node, runtime, ask):
    names = ("asked-stopped", "asked-running")
    try:
        for verb, name in zip(("create", "run --detach"), names):
            node.check_output(
                f"docker {verb} --name {name} {test_pods.CONTAINER['image']['image']} sleep 600"
            )
        response = ask("docker")
        everything = node.check_output("docker ps --all --quiet --no-trunc").split()
        running = node.check_output("docker ps --quiet --no-trunc").split()
        info = json.loads(node.check_output("docker info --format '{{json .}}'"))
        version = json.loads(node.check_output("docker version --format '{{json .Server}}'"))
    finally:
        node.run(f"docker rm --force {' '.join(names)}")
    assert sorted(each["Id"] for each in response["containers"]) == sorted(everything)
    assert sorted(each["Id"] for each in response["running"]) == sorted(running)
    assert len(running) < len(everything)
    volatile = {"SystemTime", "NGoroutines", "NFd"}
    same = (response["info"].keys() & info.keys()) - volatile
    assert {"CgroupDriver", "Driver", "DockerRootDir", "ServerVersion", "Runtimes"} <= same
    assert {key: response["info"][key] for key in same} == {key: info[key] for key in same}
    for key in ("Version", "ApiVersion", "MinAPIVersion", "Os", "Arch"):
        assert response["version"][key] == version[key]


@pytest.fixture
def without_command(node, runtime):
    """Remove the command that queries the runtime until the test ends."""
    path = node.check_output("command -v " + ("docker" if runtime.name == "docker" else "crictl"))
    node.check_output(f"chmod a-x {path}")
    yield
    node.check_output(f"chmod a+x {path}")


@pytest.mark.usefixtures("without_command")
def test_a_runtime_is_managed_without_the_command_of_a_client(node, spec, enable, run_module):
    found = run_module(node, "cruntime.node.cruntime_info")["runtimes"][spec["runtime"]]
    assert found["cgroup_driver"] == spec["cgroup_driver"]
    changes = [{"log_level": "debug"}]
    if spec["runtime"] == "docker":
        # Docker reloads this key, and restarts for the other one.
        changes.append({"extra_config": {"max-concurrent-downloads": 5}})
    for change in changes:
        result = enable(**change)
        assert not result.get("failed"), result
        assert result["changed"] is True, result
