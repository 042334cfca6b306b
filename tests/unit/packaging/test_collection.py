# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of the collection, and an execution environment that is built from it."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(sys.executable).parent
# Files at the top of the archive. Everything in the listed directories belongs to it too.
FILES = {
    *("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "FILES.json", "LICENSE"),
    *("MANIFEST.json", "README.md", "SECURITY.md", "bindep.txt", "requirements.txt"),
}
TREES = {"changelogs", "docs", "examples", "meta", "playbooks", "plugins", "roles", "templates"}
ENVIRONMENT = """
version: 3
images:
  base_image: {name: "quay.io/fedora/fedora:latest"}
dependencies:
  ansible_core: {package_pip: ansible-core}
  ansible_runner: {package_pip: ansible-runner}
  galaxy:
    collections:
      - name: ARCHIVE
        type: file
"""


specification = importlib.util.spec_from_file_location("archive", ROOT / "tests" / "archive.py")
build_archive = importlib.util.module_from_spec(specification)
specification.loader.exec_module(build_archive)


def run(*command, **env):
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Return the archive of a release."""
    directory = tmp_path_factory.mktemp("built")
    home = str(tmp_path_factory.mktemp("home"))
    run(sys.executable, ROOT / "tests" / "archive.py", directory, ANSIBLE_HOME=home)
    (path,) = directory.glob("cruntime-node-*.tar.gz")
    return path


@pytest.fixture(scope="module")
def names(archive):
    with tarfile.open(archive) as tar:
        return [member.name for member in tar if member.isfile()]


def test_the_archive_has_the_files_for_users_and_no_others(names):
    assert {name for name in names if "/" not in name} <= FILES
    assert {name.partition("/")[0] for name in names if "/" in name} <= TREES
    hidden = [name for name in names if any(part[0] == "." for part in name.split("/"))]
    assert hidden == []
    assert [name for name in names if name.endswith((".pyc", ".orig", ".rej", ".log"))] == []
    assert [name for name in names if name.startswith("changelogs/fragments")] == []
    # Files that belong only to a checkout.
    assert [name for name in names if name in ("docs/conf.py", "examples/demo.py")] == []


def test_the_archive_has_every_file_that_is_used(names):
    tracked = subprocess.check_output(["git", "ls-files", *TREES], cwd=ROOT, text=True)
    left_out = {name for name in tracked.splitlines() if name not in names}
    fragments = {name for name in left_out if name.startswith("changelogs/fragments/")}
    ours = {"changelogs/config.yaml", "docs/conf.py", "examples/demo.py"}
    assert left_out - fragments == ours


def reordered(content, time):
    """Return an archive with the same files, in another order and with another time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = [(each, tar.extractfile(each).read() if each.isfile() else b"") for each in tar]
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, text in reversed(files):
            listed = json.loads(text) if member.name == "FILES.json" else {}
            listed.get("files", []).reverse()
            new = json.dumps(listed, indent=True).encode() if listed else text
            member.mtime, member.size = time, len(new)
            tar.addfile(member, io.BytesIO(new))
    return packed.getvalue()


def test_a_commit_always_gives_the_same_archive(archive):
    content = archive.read_bytes()
    repacked = [build_archive.repack(reordered(content, time), 1) for time in (5, 6)]
    assert repacked[0] == repacked[1] == build_archive.repack(content, 1)


def test_the_archive_can_be_installed_and_verified(archive, tmp_path):
    command = (BIN / "ansible-galaxy", "collection", "install", archive)
    run(
        *(*command, "--offline", "--force", "--collections-path", tmp_path),
        ANSIBLE_HOME=str(tmp_path / "home"),
    )
    installed = tmp_path / "ansible_collections" / "cruntime" / "node"
    for file in json.loads((installed / "FILES.json").read_text())["files"]:
        if file["ftype"] == "file":
            content = (installed / file["name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["chksum_sha256"], file["name"]


def test_an_execution_environment_can_be_built(archive, tmp_path):
    definition = tmp_path / "execution-environment.yml"
    definition.write_text(ENVIRONMENT.replace("ARCHIVE", str(archive)))
    context = tmp_path / "context"
    create = ("create", "--file", definition, "--context", context)
    run(BIN / "ansible-builder", *create, "--output-filename", "Containerfile")
    assert archive.name in (context / "_build" / "requirements.yml").read_text()
    assert "assemble" in (context / "Containerfile").read_text()

    # The build finds these requirements in the collection, and installs them.
    installed = tmp_path / "collections" / "ansible_collections" / "cruntime" / "node"
    with tarfile.open(archive) as tar:
        tar.extractall(installed)
    found = yaml.safe_load(run(BIN / "ansible-builder", "introspect", tmp_path / "collections"))
    assert {re.split("[ <>=]", line)[0] for line in found["python"]} == {"semver", "tomlkit"}
    assert any(line.startswith("openssh-client ") for line in found["system"])
