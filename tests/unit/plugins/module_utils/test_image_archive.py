# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are read without unpacking them, and invalid archives are rejected."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import (
    image_archive,
    image_manifests,
    tar_documents,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

NAME = "registry.test/app:1"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob(content):
    return "blobs/" + digest(content).replace(":", "/")


LAYER = b"layer" * 1000
CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]},
    }
).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "config": {"digest": digest(CONFIG), "size": len(CONFIG)},
        "layers": [{"digest": digest(LAYER), "size": len(LAYER)}],
    }
).encode()
BLOBS = {blob(content): content for content in (LAYER, CONFIG, MANIFEST)}


def index(**entry):
    entry = {"digest": digest(MANIFEST), "size": len(MANIFEST), **entry}
    return json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()


def oci(annotations=None, **entry):
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": index(annotations=annotations or {}, **entry),
        **BLOBS,
    }


def docker(names=(NAME,), config=""):
    config = config or blob(CONFIG)
    entry = {"Config": config, "RepoTags": list(names), "Layers": [blob(LAYER)]}
    return {"manifest.json": json.dumps([entry]).encode(), **BLOBS, config: CONFIG}


def tar(members, *further):
    """Return an archive of files and further members: links, or files with repeated names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (*members.items(), *further):
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def hard_linked(target):
    """Return a complete archive that also contains a hard link."""
    buffer = io.BytesIO(tar(docker()))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.LNKTYPE, target
        archive.addfile(member)
    return buffer.getvalue()


def long_header(size):
    """Return an archive whose first member has a name of this length."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, size
    return gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(size))


@pytest.fixture
def read(tmp_path):
    """Return a function that writes bytes or members to a file and reads it as an archive."""

    def run(content):
        path = tmp_path / "archive.tar"
        path.write_bytes(tar(content) if isinstance(content, dict) else content)
        return image_archive.read(Runner(), str(path))

    return run


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("members", "names", "target"),
    [
        (docker(), (NAME,), ""),
        (docker(config=digest(CONFIG)[7:] + ".json"), (NAME,), ""),
        (docker(names=["busybox:1"]), ("docker.io/library/busybox:1",), ""),
        (docker(names=[]), (), ""),
        (oci({"io.containerd.image.name": NAME}), (NAME,), digest(MANIFEST)),
        (oci({"org.opencontainers.image.ref.name": NAME}), (NAME,), digest(MANIFEST)),
        # A tag alone is not a name.
        (oci({"org.opencontainers.image.ref.name": "1"}), (), digest(MANIFEST)),
        ({**docker(), **oci({"io.containerd.image.name": NAME})}, (NAME,), digest(MANIFEST)),
    ],
)
def test_images_of_an_archive(read, members, names, target, pack):
    (image,) = read(pack(tar(members))).images
    assert (image.names, image.config, image.target) == (names, digest(CONFIG), target)


def test_the_image_for_this_node_is_selected_from_several_platforms(read):
    machine = image_manifests.this_platform().partition("/")[2]
    entries = [
        {"digest": digest(b"?"), "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": digest(MANIFEST), "platform": {"os": "linux", "architecture": machine}},
    ]
    inner = json.dumps({"manifests": entries}).encode()
    layout = oci(digest=digest(inner), mediaType="application/vnd.oci.image.index.v1+json")
    (image,) = read({**layout, blob(inner): inner}).images
    assert (image.config, image.target) == (digest(CONFIG), digest(inner))
    other = json.dumps({"manifests": entries[:1]}).encode()
    layout = oci(digest=digest(other), mediaType="application/vnd.oci.image.index.v1+json")
    with fails("archive_invalid", "linux"):
        read({**layout, blob(other): other})


@pytest.mark.parametrize("missing", ["", "manifest", "config", "layer"])
def test_archive_with_all_platforms_of_an_image(read, missing):
    machine = image_manifests.this_platform().partition("/")[2]
    foreign_config = CONFIG.replace(b"amd64", b"s390x")
    layer = b"only the other platform has it"
    parts = json.loads(MANIFEST)
    parts["config"] = {"digest": digest(foreign_config), "size": len(foreign_config)}
    parts["layers"] = [{"digest": digest(layer), "size": len(layer)}]
    foreign = json.dumps(parts).encode()
    entries = [
        {"digest": digest(MANIFEST), "platform": {"os": "linux", "architecture": machine}},
        {"digest": digest(foreign), "platform": {"os": "linux", "architecture": "s390x"}},
    ]
    inner = json.dumps({"manifests": entries}).encode()
    layout = oci(digest=digest(inner), mediaType="application/vnd.oci.image.index.v1+json")
    files = {"manifest": foreign, "config": foreign_config, "layer": layer}
    present = {blob(content): content for kind, content in files.items() if kind != missing}
    (image,) = read({**layout, blob(inner): inner, **present}).images
    assert image.config == digest(CONFIG)
    assert image.has_all_platforms is (not missing)


EMPTY = b"{}"
CHART = json.dumps(
    {
        "schemaVersion": 2,
        "artifactType": "application/vnd.cncf.helm.config.v1+json",
        "config": {"mediaType": "application/vnd.cncf.helm", "digest": digest(EMPTY)},
        "layers": [],
    }
).encode()
ARM = CONFIG.replace(b"amd64", b"arm64")
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def oci_of(*entries):
    """Return an OCI layout with these entries in its index: manifests with further fields."""
    manifests = [{"digest": digest(content), **fields} for content, fields in entries]
    blobs = {blob(content): content for content in (EMPTY, *(entry[0] for entry in entries))}
    index_json = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    return {**oci(), **blobs, "index.json": index_json}


def test_artifacts_and_attestations_next_to_an_image_are_skipped(read):
    named = {"annotations": {"io.containerd.image.name": NAME}}
    statement = MANIFEST.replace(b'"schemaVersion": 2', b'"schemaVersion": 3')
    content = oci_of((CHART, {}), (MANIFEST, named), (statement, {"annotations": ATTESTATION}))
    (image,) = read(content).images
    assert (image.names, image.target) == ((NAME,), digest(MANIFEST))


def test_archive_of_artifacts_has_no_image(read):
    with fails("archive_invalid", "contains no image for linux/amd64, but only artifacts"):
        read(oci_of((CHART, {})))


@pytest.mark.parametrize(
    ("config", "platform"), [(CONFIG, "linux/amd64"), (ARM, "linux/arm64"), (EMPTY, "")]
)
def test_platform_of_an_image(read, config, platform):
    content = docker(config="c.json")
    content["c.json"] = config.replace(b"{}", b'{"rootfs": {"diff_ids": []}}')
    assert [image.platform for image in read(content).images] == [platform]


def test_image_that_runs_on_this_node_is_preferred(monkeypatch):
    monkeypatch.setattr(image_manifests.platform, "machine", lambda: "x86_64")

    def select(*architectures):
        entries = [{"platform": {"os": "linux", "architecture": each}} for each in architectures]
        found = image_manifests.for_this_node({"manifests": entries})
        return found and found["platform"]["architecture"]

    assert select("386", "amd64") == "amd64"
    assert select("arm64", "386") == "386"
    assert select("arm64", "arm") is None


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_zstd_with_a_long_window(tmp_path):
    path = tmp_path / "archive.tar.zst"
    compress = ["zstd", "--quiet", "--ultra", "-20", "--long=30", "-o", str(path)]
    # zstd limits the window to the size of the input, except if it does not know the size.
    subprocess.run(compress, input=tar(docker()), check=True)
    assert [image.names for image in image_archive.read(Runner(), str(path)).images] == [(NAME,)]


def test_an_oci_layout_becomes_a_docker_archive(read, tmp_path):
    archive = read(oci({"io.containerd.image.name": NAME}))
    with image_archive.plain(Runner(), archive.path, archive.compression) as plain:
        stream = archive.as_docker(plain)
        made = b"".join(iter(lambda: stream.read(4096), b""))
    (tmp_path / "archive.tar").write_bytes(made)
    with tarfile.open(tmp_path / "archive.tar") as made:
        manifest = json.loads(made.extractfile("manifest.json").read())
        assert made.extractfile(manifest[0]["Config"]).read() == CONFIG
        assert [made.extractfile(path).read() for path in manifest[0]["Layers"]] == [LAYER]
    assert manifest[0]["RepoTags"] == [NAME]


def test_a_layer_can_be_a_link_to_another_layer(read):
    """docker save wrote such links for images that share layers."""
    entry = {"Config": blob(CONFIG), "RepoTags": [NAME], "Layers": ["1/layer.tar", "2/layer.tar"]}
    members = {
        **docker(),
        "manifest.json": json.dumps([entry]).encode(),
        "1/layer.tar": LAYER,
        "2/layer.tar": "../1/layer.tar",
    }
    assert read(members).images[0].names == (NAME,)
    with fails("archive_invalid", "2/layer.tar"):
        read({**members, "2/layer.tar": "../3/layer.tar"})


def test_a_repeated_identical_entry_is_accepted(read):
    same = ("manifest.json", docker()["manifest.json"])
    assert read(tar({"./": "", **docker()}, ("./", ""), same)).images[0].names == (NAME,)


def without(members, part):
    return {name: content for name, content in members.items() if part not in name}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a complete tar archive"),
        (b"no tar\n" * 1000, "not a complete tar archive"),
        ({"etc/passwd": b"x"}, "contains no images"),
        ({**docker(), "../../etc/passwd": b"x"}, "outside of it"),
        ({**docker(), "/etc/passwd": b"x"}, "outside of it"),
        (without(docker(), blob(LAYER)), "is incomplete"),
        (without(oci(), blob(LAYER)), "is incomplete"),
        (without(oci(), blob(MANIFEST)), "is incomplete"),
        ({**oci(), blob(LAYER): b"short"}, "is incomplete"),
        ({**oci(), blob(CONFIG): b"{}"}, "does not match the digest"),
        ({**docker(), "manifest.json": b"[{}]"}, "invalid image metadata"),
        ({**docker(), "manifest.json": b"nothing"}, "invalid image metadata"),
        ({**docker(), "manifest.json": b"7"}, "invalid image metadata"),
        ({**docker(), "manifest.json": b"[]"}, "contains no images"),
        ({**oci(), "index.json": b'{"manifests": []}'}, "contains no image for linux"),
        # Loaders differ in which of the two entries they use.
        (tar(docker(), ("manifest.json", b"[]")), "two different files manifest.json"),
        (
            tar(oci(), ("./index.json", index(annotations={"a": "b"}))),
            "two different files index.json",
        ),
        ({**docker(), "manifest.json": "other.json", "other.json": b"[]"}, "contains no images"),
        ({**docker(), "x": "/etc/shadow"}, "'x', a link to '/etc/shadow' outside of it"),
        ({**docker(), "a/x": "../../y"}, "'a/x', a link to '../../y' outside of it"),
        (hard_linked("../y"), "'link', a link to '../y' outside of it"),
        ({**docker(), "manifest.json": bytes(9 << 20)}, "manifest.json of 9437184 bytes"),
        # The member is small when compressed, but would fill the memory when decompressed.
        (gzip.compress(tar({f"blobs/{n}": b"{" * (1 << 20) for n in range(70)})), "more than 64"),
        (long_header(64 << 20), "not a complete tar archive: a name of 67108864 bytes"),
        (tar(docker())[:2000], "not a complete tar archive"),
        (gzip.compress(tar(docker()))[:-20], "archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_archives_are_rejected(read, content, message):
    with pytest.raises(CruntimeError, match=message) as failure:
        read(content)
    assert "archive.tar" in str(failure.value)


@pytest.mark.parametrize("path", ["relative.tar", "/nowhere.tar", "/"])
def test_invalid_paths_are_rejected(path):
    with pytest.raises(CruntimeError, match=path):
        image_archive.read(Runner(), path)


def test_a_pipe_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with fails("archive_invalid", "pipe"):
        image_archive.read(Runner(), str(tmp_path / "pipe"))


def test_too_many_members_are_rejected(read, monkeypatch):
    monkeypatch.setattr(tar_documents, "_MAX_MEMBERS", 5)
    with fails("archive_invalid", "5"):
        read({f"{number}": b"" for number in range(6)})


def test_damaged_references_are_rejected(read):
    with fails("archive_invalid", "blobs/nothing"):
        read(oci(digest="nothing"))
    # The index lists itself, so its digest cannot be verified.
    itself = f"sha512:{'0' * 128}"
    kind = "application/vnd.oci.image.index.v1+json"
    system, machine = image_manifests.this_platform().split("/")
    entry = {
        "digest": itself,
        "mediaType": kind,
        "platform": {"os": system, "architecture": machine},
    }
    listing = json.dumps({"manifests": [entry]}).encode()
    with fails("archive_invalid"):
        read({**oci(digest=itself, mediaType=kind), f"blobs/sha512/{'0' * 128}": listing})
    with fails("archive_invalid"):
        read({**docker(), "manifest.json": b"[" * 100_000})


@pytest.mark.parametrize("name", [digest(CONFIG), f"r.test/app@{digest(CONFIG)}"])
def test_only_references_are_names(read, name):
    # containerd names an image that it exports by ID in this way.
    (image,) = read(oci({"io.containerd.image.name": name})).images
    assert image.names == (() if name == digest(CONFIG) else (name,))


WHOLE = {**docker(), **oci({"io.containerd.image.name": NAME})}


@given(st.integers(0, len(tar(WHOLE)) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_truncated_archive_is_rejected_or_complete(read, length):
    try:
        (image,) = read(tar(WHOLE)[:length]).images
    except CruntimeError:
        return
    # The archive was truncated after all parts of the image.
    assert image.config == digest(CONFIG)


@given(st.integers(0, len(gzip.compress(tar(WHOLE))) - 1))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_a_truncated_compressed_archive_is_rejected(read, length):
    with fails("archive_invalid", "archive.tar"):
        read(gzip.compress(tar(WHOLE))[:length])


@given(st.dictionaries(st.text(min_size=1, max_size=30), st.binary(max_size=50), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_foreign_members_never_break_the_reader(read, members):
    try:
        content = tar({name.replace("\0", "x"): data for name, data in members.items()})
    except UnicodeEncodeError:
        return
    with pytest.raises(CruntimeError):
        read(content)


def test_layers_are_not_read(tmp_path):
    path = tmp_path / "large.tar"
    size = 300 * 1024 * 1024
    config = json.dumps({"rootfs": {"diff_ids": []}}).encode()
    entry = [{"Config": "c.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        large = tarfile.TarInfo("layer.tar")
        large.size = size
        archive.addfile(large, Zeros(size))
        for name, content in (("c.json", config), ("manifest.json", json.dumps(entry).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    before = bytes_read()
    image_archive.read(Runner(), str(path))
    assert bytes_read() - before < 1024 * 1024


class Zeros(io.RawIOBase):
    def __init__(self, size):
        self._left = size

    def read(self, size=-1):
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


def bytes_read():
    text = pathlib.Path(f"/proc/{os.getpid()}/io").read_text(encoding="ascii")
    return int(dict(line.split(": ") for line in text.splitlines())["rchar"])


def test_the_members_are_read_without_the_layers():
    buffer = io.BytesIO(tar({**docker(), "note.txt": b"x"}))
    with tarfile.open(fileobj=buffer, tarinfo=tar_documents.LimitedMember) as opened:
        documents = tar_documents.read_documents(opened)
    assert documents.sizes[blob(LAYER)] == len(LAYER)
    assert "note.txt" in documents.sizes
    assert set(documents.contents) == {"manifest.json", blob(CONFIG), blob(MANIFEST)}


@pytest.mark.parametrize("files", [docker(), oci()], ids=["docker", "oci"])
def test_the_manifests_of_an_image_name_its_parts(files):
    sizes = {name: len(content) for name, content in files.items()}
    documents = tar_documents.Documents(files, sizes, {})
    (image,) = image_manifests.parse_images(documents, ["linux/amd64"])
    assert image.config == digest(CONFIG)
    assert image.config_path == blob(CONFIG)
    assert image.layer_paths == (blob(LAYER),)
