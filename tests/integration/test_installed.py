"""First steps of a user: install the archive in an empty environment, and follow the README."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import venv

import ansible
import pytest
import testinfra
import yaml

import ansible_collections.community.docker as connection

ROOT = pathlib.Path(__file__).parents[2]
# Connection to a test node, instead of SSH.
CONNECTION = "ansible_connection=community.docker.docker ansible_user=root"
INTERPRETER = "ansible_python_interpreter=/usr/bin/python3"

# Objects that the examples of the modules refer to, if a node can have them.
PREPARED = """
mkdir -p /srv/images /srv/app
zstd --quiet --force /usr/local/share/cruntime-test/busybox.tar -o /srv/images/app.tar.zst
ctr --namespace k8s.io images import /usr/local/share/cruntime-test/busybox.tar >/dev/null
for tag in 1.3 1.4 1.5; do
    ctr --namespace k8s.io images tag --force localhost/cruntime-test/busybox:1 \\
        registry.example.com/app:$tag >/dev/null
done
printf 'FROM scratch\\nCOPY Dockerfile.release /\\n' >/srv/app/Dockerfile.release
"""
# Examples that need software that the node does not have, and the reasons why they fail.
LACKING = {
    "Build an image and push it": "tool_not_found",
    "Configure CRI-O to pull images of quay.io from another registry": "runtime_not_installed",
    "Configure containerd with Kata Containers as an additional OCI runtime": "option_unsupported",
    "Configure containerd with a mirror and credentials for registries": "file_unreadable",
    "List the containers of one pod by name, label and ID": "container_not_found",
    "Run Docker and cri-dockerd for a kubelet": "runtime_not_installed",
    "Unpause a container that is selected by its ID": "container_not_found",
}

# Run these tests in one process, because they share a node. The first test installs its runtime.
pytestmark = [pytest.mark.scenario("containerd"), pytest.mark.xdist_group("installed")]


def run(*command, **env):
    """Run a command in an environment without this checkout, and return its output."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        env={**kept, **env},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return an environment with ansible-core and the archive, and a function to run playbooks."""
    directory = tmp_path_factory.mktemp("user")
    collections = directory / "collections"
    home = {"HOME": str(directory)}
    venv.create(directory / "venv", with_pip=True)
    tools = directory / "venv" / "bin"
    pip = ("install", "--quiet", "--disable-pip-version-check")
    run(tools / "pip", *pip, f"ansible-core=={ansible.__version__}", **home)
    galaxy = pathlib.Path(sys.executable).with_name("ansible-galaxy")
    run(galaxy, "collection", "build", ROOT, "--output-path", directory, **home)
    (archive,) = directory.glob("cruntime-node-*.tar.gz")
    galaxy = (tools / "ansible-galaxy", "collection", "install")
    run(*galaxy, archive, "--collections-path", collections, **home)
    root = collections / "ansible_collections" / "cruntime" / "node"
    run(tools / "pip", *pip, "--requirement", root / "requirements.txt", **home)
    # Users do not need the connection plugin of test nodes.
    others = pathlib.Path(connection.__path__[0]).parents[2]

    def play(playbook, node, *flags):
        output = run(
            *(tools / "ansible-playbook", playbook, "--inventory", f"{node},", *flags),
            *("--extra-vars", CONNECTION, "--extra-vars", INTERPRETER),
            **home,
            ANSIBLE_COLLECTIONS_PATH=f"{collections}:{others}",
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
        )
        played = json.loads(output)
        results = {
            task["task"]["name"]: task["hosts"][node] for task in played["plays"][0]["tasks"]
        }
        return played["stats"][node], results

    return root, play


@pytest.fixture(scope="module")
def bare(start_nodes):
    """Return a node on which no runtime runs."""
    (name,) = start_nodes("trixie")
    return name


def test_playbook_of_the_readme_works(installed, bare, tmp_path):
    root, play = installed
    block = re.search(r"^```yaml\n(.*?)^```", (root / "README.md").read_text(), re.M | re.S)
    playbook = tmp_path / "site.yml"
    playbook.write_text(block[1])
    stats, results = play(playbook, bare)
    assert stats["changed"] == 1
    enabled = results["Run containerd as the only container runtime"]
    assert enabled["cri_endpoint"] == "unix:///run/containerd/containerd.sock"
    assert play(playbook, bare)[0]["changed"] == 0


@pytest.mark.long
def test_examples_of_the_modules_run(installed, bare, tmp_path):
    """Run the examples in check mode, because most of them name registries that do not exist."""
    root, play = installed
    node = testinfra.get_host(f"docker://{bare}")
    node.check_output(PREPARED)
    examples = [
        {**task, "ignore_errors": True}
        for path in sorted((root / "plugins" / "modules").glob("*.py"))
        for task in yaml.safe_load(re.search(r'EXAMPLES = r"""(.*?)"""', path.read_text(), re.S)[1])
    ]
    playbook = tmp_path / "examples.yml"
    variables = {"registry_password": "secret"}
    playbook.write_text(
        json.dumps([{"hosts": "all", "vars": variables, "tasks": examples}], indent=1)
    )
    lacking = dict(LACKING)
    if node.exists("nerdctl") or node.exists("buildctl"):
        del lacking["Build an image and push it"]
    _stats, results = play(playbook, bare, "--check")
    failed = {name: result for name, result in results.items() if result.get("failed")}
    assert {name: result.get("reason") for name, result in failed.items()} == lacking, failed


def test_example_works(installed, bare, tmp_path):
    root, play = installed
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"cruntime_spec": {"runtime": "docker"}}))
    playbook = root / "examples" / "site.yml"
    stats, results = play(playbook, bare, "--extra-vars", f"@{spec}")
    assert (stats["changed"], results["Enable the runtime"]["runtime"]) == (1, "docker")
    assert play(playbook, bare, "--extra-vars", f"@{spec}")[0]["changed"] == 0
