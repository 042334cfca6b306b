# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are converted while they are read, and keep their images."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_image_archive import (
    ATTESTATION,
    CHART,
    CONFIG,
    LAYER,
    MANIFEST,
    NAME,
    digest,
    docker,
    oci,
    oci_of,
    tar,
)

from ansible_collections.cruntime.node.plugins.module_utils import archive_stream, image_archive
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner

OTHER = "registry.test/other:2"
OF_MANIFEST, ALSO = (f"registry.test/{name}@{digest(MANIFEST)}" for name in ("app", "other"))


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the bytes of an archive."""

    def run(content):
        path = tmp_path / "archive.tar"
        path.write_bytes(content)
        return image_archive.read(Runner(), str(path)).images

    return run


def convert(content, read, convert_to, names=(NAME, OTHER)):
    stream = convert_to(io.BytesIO(content), read(content), lambda image: names)
    return b"".join(iter(lambda: stream.read(1000), b""))


ARCHIVES = {
    "docker": docker(names=["short:1"]),
    "unnamed": docker(names=[]),
    "oci": oci({"org.opencontainers.image.ref.name": "v9"}),
    "both": {**docker(), **oci()},
    "mixed": oci_of((CHART, {}), (MANIFEST, {}), (MANIFEST + b" ", {"annotations": ATTESTATION})),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("names", [(), (NAME,), (NAME, OTHER)])
def test_docker_archive(read, name, names):
    converted = convert(tar(ARCHIVES[name]), read, archive_stream.as_docker_archive, names)
    (image,) = read(converted)
    assert (image.names, image.config, image.target) == (names, digest(CONFIG), "")
    with tarfile.open(fileobj=io.BytesIO(converted)) as archive:
        assert not {"index.json", "oci-layout"} & set(archive.getnames())


@pytest.mark.parametrize("name", ["oci", "both", "mixed"])
@pytest.mark.parametrize("names", [(), (NAME,), (NAME, OTHER)])
def test_oci_layout(read, name, names):
    converted = convert(tar(ARCHIVES[name]), read, archive_stream.as_oci_layout, names)
    (image,) = read(converted)
    assert (image.names, image.target) == (names, digest(MANIFEST))
    with tarfile.open(fileobj=io.BytesIO(converted)) as archive:
        index = json.load(archive.extractfile("index.json"))
        assert "manifest.json" not in archive.getnames()
    assert {entry["digest"] for entry in index["manifests"]} == {digest(MANIFEST)}


@pytest.mark.parametrize(
    ("named", "digests", "names"),
    [
        # Docker writes an entry without a name for a digest.
        ([""], (OF_MANIFEST,), (OF_MANIFEST,)),
        ([NAME, ""], (OF_MANIFEST,), (OF_MANIFEST, NAME)),
        ([""], (OF_MANIFEST, ALSO), (OF_MANIFEST, ALSO)),
        # The archive does not have this image.
        ([NAME], (f"registry.test/app@{digest(LAYER)}",), (NAME,)),
    ],
)
def test_images_of_digests_are_named(read, named, digests, names):
    source = {"containerd.io/distribution.source.registry.test": "app"}
    entries = [{"io.containerd.image.name": name} if name else source for name in named]
    layout = oci_of(*((MANIFEST, {"annotations": entry}) for entry in entries))
    stream = archive_stream.name_digests(io.BytesIO(tar(layout)), digests)
    (image,) = read(b"".join(iter(lambda: stream.read(1000), b"")))
    assert image.names == names


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_layer_that_is_a_link_is_named_by_its_file(read, kind):
    buffer = io.BytesIO()
    entry = {"Config": "c.json", "RepoTags": [NAME], "Layers": ["b/layer.tar"]}
    members = {
        "c.json": CONFIG,
        "a/layer.tar": LAYER,
        "manifest.json": json.dumps([entry]).encode(),
    }
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("b/layer.tar")
        link.type = kind
        link.linkname = "a/layer.tar" if kind == tarfile.LNKTYPE else "../a/layer.tar"
        archive.addfile(link)
    converted = convert(buffer.getvalue(), read, archive_stream.as_docker_archive)
    with tarfile.open(fileobj=io.BytesIO(converted)) as archive:
        (written,) = json.load(archive.extractfile("manifest.json"))
    assert written["Layers"] == ["a/layer.tar"]


@given(
    members=st.dictionaries(
        st.text("abcdé/.", min_size=1, max_size=150).map(lambda text: f"x{text}y"),
        st.binary(max_size=2000),
        max_size=4,
    ),
    size=st.sampled_from([-1, 1, 512, 100_000]),
)
def test_other_members_are_copied(members, size):
    stream = archive_stream.as_docker_archive(io.BytesIO(tar(members)), [], lambda image: ())
    converted = b"".join(iter(lambda: stream.read(size), b""))
    with tarfile.open(fileobj=io.BytesIO(converted)) as archive:
        copied = {each.name: archive.extractfile(each).read() for each in archive.getmembers()}
    assert copied.pop("manifest.json") == b"[]"
    assert list(copied.values()) == list(members.values())


def test_memory_is_bounded():
    class Zeros:
        """Archive with one member of 1 GiB."""

        def __init__(self):
            member = tarfile.TarInfo("layer.tar")
            member.size = 1 << 30
            self.head, self.left = member.tobuf(), member.size + 1024

        def read(self, size=-1):
            data, self.head = (self.head[:size], self.head[size:]) if self.head else (b"", b"")
            if not data:
                data = bytes(min(size, self.left))
                self.left -= len(data)
            return data

    stream = archive_stream.as_docker_archive(Zeros(), [], lambda image: ())
    total = 0
    for part in iter(lambda: stream.read(1 << 20), b""):
        assert len(part) <= 1 << 20
        total += len(part)
    assert total > 1 << 30
