"""Write the test images, busybox.tar and pause.tar, into the given directory.

Each archive is a docker-archive and an OCI layout at once: both indexes refer to the same blobs.
Therefore Docker of any version, containerd, CRI-O, skopeo and podman can load it.
"""

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

BUSYBOX = "/bin/busybox"
IMAGES = {
    "busybox": ["/bin/sh"],
    # The first process of a pod: waits for its children, and exits on SIGTERM.
    "pause": ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"],
}


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **attributes) -> None:
    """Add a member without owner and time, so equal content gives an equal archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(content))


def root_file_system() -> bytes:
    """Return the only layer: busybox, and a link for each of its applets."""
    applets = subprocess.check_output([BUSYBOX, "--list"], text=True).split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for directory in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            mode = 0o1777 if directory == "tmp" else 0o755
            add(layer, directory, type=tarfile.DIRTYPE, mode=mode)
        add(layer, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        add(layer, "bin/busybox", pathlib.Path(BUSYBOX).read_bytes(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                add(layer, f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")
    return buffer.getvalue()


def architecture() -> str:
    """Return this machine's architecture: Debian and Go use the same names for common ones."""
    return subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()


def as_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def write_archive(path: pathlib.Path, reference: str, command: list[str], layer: bytes) -> None:
    """Write one image as docker-archive and OCI layout in the same tar."""
    blobs = {}

    def blob(data: bytes) -> tuple[str, int]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return digest, len(data)

    def descriptor(kind: str, digest: str, size: int) -> dict:
        kind = f"application/vnd.oci.image.{kind}"
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}

    layer_blob = blob(layer)
    config = {
        "architecture": architecture(),
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_blob[0]}"]},
    }
    config_blob = blob(as_json(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", *config_blob),
        "layers": [descriptor("layer.v1.tar", *layer_blob)],
    }
    entry = descriptor("manifest.v1+json", *blob(as_json(manifest)))
    entry["annotations"] = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    docker_entry = {
        "Config": f"blobs/sha256/{config_blob[0]}",
        "RepoTags": [reference],
        "Layers": [f"blobs/sha256/{layer_blob[0]}"],
    }
    with tarfile.open(path, mode="w") as archive:
        add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(archive, "index.json", as_json({"schemaVersion": 2, "manifests": [entry]}))
        add(archive, "manifest.json", as_json([docker_entry]))
        for name, data in blobs.items():
            add(archive, name, data)


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    layer = root_file_system()
    for name, command in IMAGES.items():
        image = f"localhost/cruntime-test/{name}:1"
        write_archive(directory / f"{name}.tar", image, command, layer)


if __name__ == "__main__":
    main()
