"""The role runtime adds repositories and installs packages, on separate bare nodes."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import testinfra

# Run the tests on one worker, because each worker would start its own nodes.
pytestmark = [pytest.mark.scenario("bare"), pytest.mark.xdist_group("packages")]

REACHED = {
    "ansible_connection": "community.docker.docker",
    "ansible_user": "root",
    "ansible_python_interpreter": "/usr/bin/python3",
    # The other module may be built into the kernel of the test host, or may be missing.
    "runtime_kernel_modules": ["overlay"],
}
KEY = "/srv/packages.asc"
REPOSITORY = {
    "name": "packages",
    "url": "file:/srv/packages",
    "suite": "./",
    "key": f"file://{KEY}",
}
CONTAINERD = {"runtime": "containerd", "cgroup_driver": "cgroupfs"}
DOCKER = {"runtime": "docker", "cgroup_driver": "cgroupfs"}
# A foreign file with the same repository and another key.
OTHERS = {
    "/etc/apt/sources.list": "deb [arch=amd64 signed-by=/k.gpg] file:/srv/packages/ ./\n",
    "/etc/apt/sources.list.d/docker.sources": """\
Types: deb deb-src
URIs: file:/srv/elsewhere file:/srv/packages
Suites: ./ sub/
Signed-By: /k.gpg
""",
}
# The same repository in a form that apt accepts twice.
ACCEPTED = {
    "/etc/apt/sources.list": "# deb [signed-by=/k.gpg] file:/srv/packages ./\n",
    "/etc/apt/sources.list.d/none.list": "deb file:/srv/packages ./\n",
    "/etc/apt/sources.list.d/off.sources": """\
Enabled: no
Types: deb
URIs: file:/srv/packages
Suites: ./
Signed-By: /k.gpg
""",
}


# Hold a POSIX lock on each path for some seconds.
HOLD = """
import fcntl, sys, time
files = [open(path, "a") for path in sys.argv[2:]]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(float(sys.argv[1]))
"""
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock")


class Bare:
    """Bare node, and the playbook that provisions it."""

    def __init__(self, name, inventory):
        self.name = name
        self.inventory = inventory
        self.host = testinfra.get_host(f"docker://{name}")

    def start(self, check=False, **variables):
        """Start the playbook."""
        variables = {"runtime_repositories": [REPOSITORY], **variables}
        return subprocess.Popen(
            [
                *("ansible-playbook", "cruntime.node.provision", "--inventory", self.inventory),
                *("--limit", self.name),
                *("--extra-vars", json.dumps(variables), *["--check"] * check),
            ],
            env={
                **os.environ,
                "ANSIBLE_PIPELINING": "true",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, process):
        """Return how many tasks changed something."""
        output = process.communicate()[0]
        assert process.returncode == 0, output[-4000:]
        return json.loads(output[output.index("{") :])["stats"][self.name]["changed"]

    def provision(self, **variables):
        return self.finish(self.start(**variables))

    def refuse(self, **variables):
        """Return the output of a run that fails."""
        process = self.start(**variables)
        output = process.communicate()[0]
        assert process.returncode != 0, output[-4000:]
        return output

    def write(self, path, text):
        self.host.check_output("printf %s >%s", text, path)

    def apt_files(self):
        return self.host.check_output("find /etc/apt -type f -exec md5sum {} + | sort")

    def versions(self, *packages):
        """Return the selection and the version of each package."""
        form = "--showformat=${Package} ${db:Status-Want} ${Version}\\n"
        lines = self.host.check_output(f"dpkg-query --show '{form}' {' '.join(packages)}")
        return {name: (want, version) for name, want, version in map(str.split, lines.splitlines())}


@pytest.fixture(scope="module")
def nodes(start_nodes, tmp_path_factory):
    """Return two bare nodes: one for all tests in order, and one for two simultaneous runs."""
    names = start_nodes("bare", "bare")
    inventory = tmp_path_factory.mktemp("packages") / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": dict.fromkeys(names, REACHED)}}))
    return [Bare(name, str(inventory)) for name in names]


@pytest.fixture
def bare(nodes):
    return nodes[0]


def test_repository_with_another_key_is_rejected_before_it_is_written(bare):
    for path, text in OTHERS.items():
        bare.write(path, text)
        before = bare.apt_files()
        for check in (True, False):
            output = bare.refuse(check=check, runtime_spec=CONTAINERD)
            facts = f"could not read these repositories together with {path}: E: Conflicting"
            assert facts in output
            assert "Remove the repository from that file, set the same key here" in output
            assert bare.apt_files() == before
        bare.host.check_output(f"rm {path}")
    assert not bare.host.exists("containerd")


def test_repository_that_apt_accepts_twice_is_written(bare):
    for path, text in ACCEPTED.items():
        bare.write(path, text)
    assert bare.provision(check=True, runtime_spec=CONTAINERD) > 0
    bare.host.check_output(f"rm {' '.join(ACCEPTED)}")


def test_repositories_that_apt_cannot_read_are_rejected(bare):
    before = bare.apt_files()
    twice = [{**REPOSITORY, "name": name, "key": f"/{name}.asc"} for name in ("one", "other")]
    output = bare.refuse(check=True, runtime_spec=CONTAINERD, runtime_repositories=twice)
    assert "could not read these repositories: E: Conflicting values" in output
    output = bare.refuse(runtime_spec=CONTAINERD, runtime_repositories=[{**REPOSITORY, "pin": 0}])
    assert "could not read these repositories: E: No priority" in output
    assert bare.apt_files() == before


def test_repositories_that_apt_cannot_use_are_removed_again(bare):
    # This file is not a key, which apt reports only when it updates.
    wrong = [{**REPOSITORY, "key": "file:///etc/hostname", "pin": 900}]
    before = bare.apt_files()
    output = bare.refuse(runtime_spec=CONTAINERD, runtime_repositories=wrong)
    assert "apt could not use these repositories: " in output
    assert "All files in /etc/apt were restored" in output
    assert bare.apt_files() == before
    bare.host.check_output("apt-get update")
    # The files of an earlier run are restored.
    bare.provision(runtime_spec=CONTAINERD)
    before = bare.apt_files()
    bare.refuse(runtime_spec=CONTAINERD, runtime_repositories=wrong)
    assert bare.apt_files() == before
    bare.host.check_output("apt-get update")


@pytest.mark.long
def test_extra_package_has_its_own_version(bare):
    packages = {"runtime_spec": DOCKER, "runtime_extra_packages": ["containerd=1.7.24*", "runc"]}
    wrong = {**packages, "runtime_extra_packages": ["=1", "containerd=", "a b"]}
    output = bare.refuse(check=True, **wrong)
    assert "Must be NAME or NAME=VERSION" in output
    assert bare.provision(check=True, **packages) > 0
    assert bare.provision(**packages) > 0
    versions = bare.versions("docker.io", "containerd", "runc")
    assert {want for want, _version in versions.values()} == {"hold"}
    assert versions["containerd"][1].startswith("1.7.24")
    assert bare.provision(**packages) == 0
    # Docker is started once, by cruntime_enable, and not by its package.
    started = bare.host.check_output("journalctl --unit docker --output cat | grep -c ^Starting")
    assert started == "1"
    assert not bare.host.file("/usr/sbin/policy-rc.d").exists
    # Upgrade one package and downgrade the other. Docker keeps its version.
    packages["runtime_extra_packages"] = ["containerd=2.1.*", "runc=1.1*"]
    assert bare.provision(**packages) > 0
    changed = bare.versions("docker.io", "containerd", "runc")
    assert changed["docker.io"] == versions["docker.io"]
    assert changed["containerd"][1].startswith("2.1.")
    assert changed["runc"][1].startswith("1.1.")
    assert {want for want, _version in changed.values()} == {"hold"}
    assert bare.provision(**packages) == 0


def test_run_waits_for_foreign_locks(bare):
    bare.provision(runtime_spec=CONTAINERD)
    # apt ignores a link without a target, so the link must not cause a failure.
    bare.host.check_output("ln -sf /nowhere /etc/apt/sources.list.d/old.list")
    for variables in (
        {"runtime_hold": False},
        {"runtime_repositories": [{**REPOSITORY, "pin": 901}]},
    ):
        command = ["docker", "exec", bare.name, "python3", "-c", HOLD, "8", *LOCKS]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout.readline() == "locked\n"
            process = bare.start(runtime_spec=CONTAINERD, **variables)
            holder.wait()
            # The lock was held until here, and the run did not finish or fail before.
            assert process.poll() is None
            assert bare.finish(process) > 0
    bare.host.check_output("rm /etc/apt/sources.list.d/old.list")
    assert bare.versions("containerd")["containerd"][0] == "hold"


def test_two_simultaneous_runs_provision_a_node(nodes):
    bare = nodes[1]
    variables = {"runtime_spec": CONTAINERD, "runtime_version": "1.7.*"}
    variables |= {
        "runtime_crictl_archive": "file:///srv/crictl.tar.gz",
        "runtime_crictl_checksum": "sha256:file:///srv/crictl.tar.gz.sha256",
    }
    for process in [bare.start(**variables) for _run in range(2)]:
        bare.finish(process)
    assert bare.host.service("containerd").is_running
    assert bare.host.check_output("dpkg --audit") == ""
    # This file would prevent packages from starting services.
    assert not bare.host.file("/usr/sbin/policy-rc.d").exists
    assert bare.provision(**variables) == 0
