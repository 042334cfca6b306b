"""Build the archive of the collection. The same commit always gives the same bytes.

Usage: archive.py [DIRECTORY]. The command `ansible-galaxy collection build` lists the files in the
order of the file system, and stores the times of the checkout. Here, the files are in the order of
their names, and have the time of the commit.
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
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def build(directory: pathlib.Path) -> pathlib.Path:
    """Build the archive in a directory, and return its path."""
    with tempfile.TemporaryDirectory() as scratch:
        galaxy = pathlib.Path(sys.executable).with_name("ansible-galaxy")
        command = [galaxy, "collection", "build", ROOT, "--output-path", scratch]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (found,) = pathlib.Path(scratch).glob("*.tar.gz")
        time = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True)
        content = repack(found.read_bytes(), int(time))
    path = directory / found.name
    path.write_bytes(content)
    return path


def repack(archive: bytes, time: int) -> bytes:
    """Return an archive with sorted files, all of which have the same time.

    :param time: seconds since the epoch.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {each.name: each for each in tar}
        contents = {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}
    files = json.loads(contents["FILES.json"])
    files["files"].sort(key=lambda file: file["name"])
    contents["FILES.json"] = json.dumps(files, indent=True).encode()
    manifest = json.loads(contents["MANIFEST.json"])
    digest = hashlib.sha256(contents["FILES.json"]).hexdigest()
    manifest["file_manifest_file"]["chksum_sha256"] = digest
    contents["MANIFEST.json"] = json.dumps(manifest, indent=True).encode()
    packed = io.BytesIO()
    first = ["MANIFEST.json", "FILES.json"]
    stream = gzip.GzipFile(fileobj=packed, mode="wb", mtime=0)
    with stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for name in first + sorted(members.keys() - first):
            member, content = members[name], contents.get(name, b"")
            member.mtime, member.size, member.pax_headers = time, len(content), {}
            tar.addfile(member, io.BytesIO(content) if member.isfile() else None)
    return packed.getvalue()


if __name__ == "__main__":
    built = build(pathlib.Path(*sys.argv[1:]))
    print(hashlib.sha256(built.read_bytes()).hexdigest(), built, sep="  ")
