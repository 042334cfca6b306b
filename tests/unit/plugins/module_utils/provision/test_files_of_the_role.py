# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of repositories and crictl, in a directory in place of /."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.provision import crictl, repositories

SOURCES = "etc/apt/sources.list.d/docker.sources"
PRIORITIES = "etc/apt/preferences.d/docker.pref"
APT_KEY = "etc/apt/keyrings/docker.asc"
REPO, DNF_KEY = "etc/yum.repos.d/docker.repo", "etc/pki/rpm-gpg/docker.asc"
CHECKSUM = f"sha256:{hashlib.sha256(b'key').hexdigest()}"
REPOSITORY = {
    "name": "docker",
    "url": "https://packages.example.com/docker",
    "key": "https://packages.example.com/docker/gpg",
    "key_checksum": CHECKSUM,
    "pin": 90,
    "apt_files": {f"/{SOURCES}": "Types: deb\n", f"/{PRIORITIES}": "Package: *\n"},
}
# As yum_repository of ansible-core writes it.
WRITTEN = """\
[docker]
name = docker
baseurl = https://packages.example.com/docker
gpgcheck = 1
gpgkey = file:///etc/pki/rpm-gpg/docker.asc
priority = 90

"""


@pytest.fixture
def write(tmp_path):
    def run(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)

    return run


@pytest.fixture
def is_due(tmp_path):
    def run(family, **changes):
        return repositories.is_due([{**REPOSITORY, **changes}], family, f"{tmp_path}/")

    return run


@pytest.fixture
def apt(write, is_due):
    write(SOURCES, "Types: deb\n")
    write(PRIORITIES, "Package: *\n")
    write(APT_KEY, "key")
    return is_due


def test_apt_files_that_are_written(apt):
    assert not apt("debian")
    assert not apt("debian", key_checksum=CHECKSUM.upper().replace("SHA", "sha"))


@pytest.mark.parametrize("name", [SOURCES, PRIORITIES, APT_KEY])
def test_an_apt_file_that_differs(apt, write, tmp_path, name):
    write(name, "other")
    assert apt("debian")
    (tmp_path / name).unlink()
    assert apt("debian")


def test_a_key_of_apt_that_is_not_downloaded(apt, tmp_path):
    (tmp_path / APT_KEY).unlink()
    for key in ("/srv/key.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nhttps://\n", None):
        assert not apt("debian", key=key, key_checksum=None)


def test_a_key_without_a_digest(apt):
    # Without a checksum, the key is downloaded once. What a URL has can only be downloaded.
    assert not apt("debian", key="file:///srv/key.asc", key_checksum=None)
    assert apt("debian", key_checksum="sha256:https://packages.example.com/gpg.sha256")


def test_dnf_files(write, is_due):
    assert is_due("redhat")
    write(REPO, WRITTEN)
    assert is_due("redhat")
    write(DNF_KEY, "key")
    assert not is_due("redhat")
    for changes in ({"pin": 91}, {"url": "file:///srv"}, {"pin": None}, {"name": "other"}):
        assert is_due("redhat", **changes)
    for text in (f"{WRITTEN}enabled = 0\n", WRITTEN.replace("= 1", "= 0"), "[docker\n", ""):
        write(REPO, text)
        assert is_due("redhat")


def test_dnf_repository_of_the_node_itself(write, is_due):
    local = {"url": "file:/srv", "key": None, "key_checksum": None, "pin": None}
    write(REPO, "[docker]\nname = docker\nbaseurl = file:/srv\ngpgcheck = 0\n")
    assert not is_due("redhat", **local)


@pytest.fixture
def archive(tmp_path):
    """Return an archive as cri-tools releases it, its checksum, and the extracted binary."""
    path, binary = tmp_path / "crictl.tar.gz", tmp_path / "crictl"
    with tarfile.open(path, "w:gz") as opened:
        member = tarfile.TarInfo("crictl")
        member.size, member.mtime, member.mode = 6, 1_700_000_000, 0o755
        opened.addfile(member, io.BytesIO(b"binary"))
    binary.write_bytes(b"binary")
    binary.chmod(0o755)
    os.utime(binary, (member.mtime, member.mtime))
    checksum = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return path, checksum, binary


@pytest.fixture
def as_root(monkeypatch):
    """Let files of this user count as files of root."""
    real = os.lstat

    def lstat(path):
        found = list(real(path))
        return os.stat_result([*found[:4], 0, 0, *found[6:]])

    monkeypatch.setattr(crictl.os, "lstat", lstat)


def is_crictl_due(archive, checksum=None):
    path, real_checksum, binary = archive
    return crictl.is_due(real_checksum if checksum is None else checksum, str(path), str(binary))


@pytest.mark.usefixtures("as_root")
def test_crictl_that_is_extracted(archive):
    assert not is_crictl_due(archive)
    # The checksum is unknown, of another archive, or in a file of checksums.
    for checksum in ("", f"sha256:{'0' * 64}", "sha256:https://packages.example.com/sums", "md0:0"):
        assert is_crictl_due(archive, checksum)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("change", ["size", "time", "mode", "link", "missing", "archive"])
def test_crictl_that_differs(archive, change):
    path, _checksum, binary = archive
    if change == "size":
        binary.write_bytes(b"other binary")
        os.utime(binary, (1_700_000_000, 1_700_000_000))
    elif change == "time":
        binary.write_bytes(b"6bytes")
    elif change == "mode":
        binary.chmod(0o700)
    elif change == "link":
        binary.rename(binary.with_name("real"))
        binary.symlink_to("real")
    elif change == "missing":
        binary.unlink()
    else:
        path.unlink()
    assert is_crictl_due(archive)
