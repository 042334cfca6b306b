"""Write archives of small images into the given directory, valid and invalid archives.

Each image has one layer with its own name in it, so all images differ.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

sys.path.insert(0, "/usr/local/libexec/cruntime-test")
import image_archive

NAMES = {"docker": ["manifest.json"], "oci": ["oci-layout", "index.json"]}


def layer_of(name: str) -> bytes:
    """Return a layer with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        image_archive.add(layer, "name", name.encode())
    return buffer.getvalue()


def members(path: pathlib.Path) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def write(path: pathlib.Path, files: dict[str, bytes]) -> None:
    """Write an archive of files."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            image_archive.add(archive, name, content)


def only(files: dict[str, bytes], kind: str) -> dict[str, bytes]:
    """Return the files that one format of archive needs."""
    other = {name for each, names in NAMES.items() if each != kind for name in names}
    return {name: content for name, content in files.items() if name not in other}


def add_document(files: dict[str, bytes], document: dict) -> dict:
    content = json.dumps(document).encode()
    digest = hashlib.sha256(content).hexdigest()
    files[f"blobs/sha256/{digest}"] = content
    kind = "application/vnd.oci.image.manifest.v1+json"
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def add_platforms(
    files: dict[str, bytes], oci: dict[str, bytes], image: dict, manifest: dict
) -> dict:
    """Add an image index of an image and of the same image for another platform."""
    config = json.loads(oci[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    described = add_document(files, {**config, "architecture": "s390x"})
    described["mediaType"] = manifest["config"]["mediaType"]
    other = add_document(files, {**manifest, "config": described})
    ours = {key: value for key, value in image.items() if key != "annotations"}
    machine = {"os": config["os"], "architecture": config["architecture"]}
    entries = [
        {**ours, "platform": machine},
        {**other, "platform": {**machine, "architecture": "s390x"}},
    ]
    index = add_document(files, {"schemaVersion": 2, "manifests": entries})
    return {**index, "mediaType": "application/vnd.oci.image.index.v1+json"}


def write_unusual(
    directory: pathlib.Path, docker: dict[str, bytes], oci: dict[str, bytes]
) -> None:
    """Write archives that tools write, and that a runtime loads differently or not at all."""
    # A layer that is a hard link.
    (entry,) = json.loads(docker["manifest.json"])
    linked = [{**entry, "Layers": ["link.tar"]}]
    path = directory / "linked.tar"
    write(path, {**docker, "manifest.json": json.dumps(linked).encode()})
    with tarfile.open(path, "a") as archive:
        image_archive.add(archive, "link.tar", type=tarfile.LNKTYPE, linkname=entry["Layers"][0])

    index = json.loads(oci["index.json"])
    (image,) = index["manifests"]

    def write_index(name: str, files: dict[str, bytes], *entries: dict) -> None:
        document = json.dumps({**index, "manifests": list(entries)}).encode()
        write(directory / f"{name}.tar", {**oci, **files, "index.json": document})

    # A chart and an attestation next to the image.
    files: dict[str, bytes] = {}
    config = {**add_document(files, {"name": "chart"}), "mediaType": "application/vnd.cncf.helm"}
    chart = add_document(files, {"schemaVersion": 2, "config": config, "layers": []})
    chart["annotations"] = {"io.containerd.image.name": "localhost/cruntime-test/chart:1"}
    attested = {**image, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    write_index("mixed", files, chart, image, attested)
    # A name that is only a tag.
    bare = {**image, "annotations": {"org.opencontainers.image.ref.name": "v9"}}
    write_index("bare", {}, bare)
    # A name that is a digest.
    named = f"localhost/cruntime-test/digest@{image['digest']}"
    write_index("digest", {}, {**image, "annotations": {"io.containerd.image.name": named}})
    # A compressed layer that is missing, but that containerd has unpacked with the image.
    manifest = json.loads(oci[f"blobs/{image['digest'].replace(':', '/')}"])
    packed = gzip.compress(docker[entry["Layers"][0]], mtime=0)
    digest = f"sha256:{hashlib.sha256(packed).hexdigest()}"
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    layers = [{"mediaType": kind, "digest": digest, "size": len(packed)}]
    files = {}
    incomplete = add_document(files, {**manifest, "layers": layers})
    incomplete["annotations"] = {"io.containerd.image.name": "localhost/cruntime-test/name:1"}
    write_index("incomplete", files, incomplete)
    # An image for the node and for another platform.
    files = {}
    several = add_platforms(files, oci, image, manifest)
    several["annotations"] = {"io.containerd.image.name": "localhost/cruntime-test/several:1"}
    write_index("several", files, several)
    # An image for another platform.
    config = {**json.loads(docker[entry["Config"]]), "architecture": "s390x"}
    content = json.dumps(config).encode()
    foreign = [{**entry, "Config": "foreign.json"}]
    files = {"foreign.json": content, "manifest.json": json.dumps(foreign).encode()}
    write(directory / "platform.tar", {**docker, **files})


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("both", "docker", "oci", "other"):
        path = directory / f"{name}.tar"
        image_archive.write_archive(
            path, f"localhost/cruntime-test/{name}:1", ["/name"], layer_of(name)
        )
        if name in NAMES:
            write(path, only(members(path), name))
    # Another image with a name that is used already.
    image_archive.write_archive(
        directory / "changed.tar", "localhost/cruntime-test/both:1", ["/name"], layer_of("changed")
    )

    both, docker, oci = (members(directory / f"{name}.tar") for name in ("both", "docker", "oci"))
    index = json.loads(oci["index.json"])
    del index["manifests"][0]["annotations"]
    write(directory / "unnamed-oci.tar", {**oci, "index.json": json.dumps(index).encode()})
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "v9"}
    write(directory / "tag-oci.tar", {**oci, "index.json": json.dumps(index).encode()})
    manifest = json.loads(docker["manifest.json"])
    manifest[0]["RepoTags"] = None
    unnamed = {**docker, "manifest.json": json.dumps(manifest).encode()}
    write(directory / "unnamed-docker.tar", unnamed)
    manifest[0]["RepoTags"] = [f"localhost/cruntime-test/hundred:{n}" for n in range(100)]
    write(directory / "hundred.tar", {**docker, "manifest.json": json.dumps(manifest).encode()})
    write_unusual(directory, docker, oci)
    other = members(directory / "other.tar")
    manifest = json.loads(both["manifest.json"]) + json.loads(other["manifest.json"])
    two = only({**both, **other, "manifest.json": json.dumps(manifest).encode()}, "docker")
    write(directory / "two.tar", two)

    whole = (directory / "both.tar").read_bytes()
    for tool, suffix in (("gzip", "gz"), ("zstd", "zst"), ("lz4", "lz4")):
        packed = subprocess.run([tool, "-c"], input=whole, stdout=subprocess.PIPE, check=True)
        (directory / f"both.tar.{suffix}").write_bytes(packed.stdout)
        (directory / f"truncated.tar.{suffix}").write_bytes(packed.stdout[:-600])
    (directory / "truncated.tar").write_bytes(whole[: len(whole) // 2])
    (directory / "lacking.tar").write_bytes(b"")
    layer = max(both, key=lambda name: len(both[name]))
    write(directory / "lacking.tar", {name: both[name] for name in both if name != layer})
    write(directory / "outside.tar", {**both, "../../etc/outside": b"x"})
    write(directory / "twice.tar", only(both, "docker"))
    with tarfile.open(directory / "twice.tar", "a") as archive:
        image_archive.add(archive, "manifest.json", b"[]")
    write(directory / "leading.tar", both)
    with tarfile.open(directory / "leading.tar", "a") as archive:
        image_archive.add(archive, "link", type=tarfile.SYMTYPE, linkname="/etc/shadow")
    write(directory / "foreign.tar", {"etc/passwd": b"root:x:0:0:root:/:/bin/sh\n"})
    (directory / "text.tar").write_text("no archive\n")


if __name__ == "__main__":
    main()
