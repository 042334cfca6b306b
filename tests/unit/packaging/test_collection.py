# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of the collection, and an execution environment that is built from it."""

from __future__ import annotations

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


def run(*command, **env):
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Return the archive as built by `ansible-galaxy collection build`."""
    directory = tmp_path_factory.mktemp("built")
    home = str(tmp_path_factory.mktemp("home"))
    run(
        *(BIN / "ansible-galaxy", "collection", "build", ROOT, "--output-path", directory),
        ANSIBLE_HOME=home,
    )
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
