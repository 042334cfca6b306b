"""Images are loaded, pulled, built, tagged, saved, pushed, pinned, pruned and removed for real."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from conftest import ARCHIVES, ENABLE, check_failed, skip_unless_required

IMAGE = "cruntime_image"
ON_NODE = pathlib.Path(__file__).parent / "on_node"
DIRECTORY = "/root/images"
OURS = "localhost/cruntime-test"
NAMES = [
    f"{OURS}/{name}:1" for name in ("both", "docker", "oci", "other", "unnamed", "name", "built")
]
BOTH, DOCKER, OCI, OTHER, UNNAMED, NAME, BUILT = NAMES
# Remove these images, and the images that lost their names to other images.
CLEAN = [
    [IMAGE, {"name": NAMES, "state": "absent", "all_tags": True, "force": True}],
    [IMAGE, {"prune": {"untagged": True}}],
]
BUSYBOX = f"{OURS}/busybox:1"
CA = "/etc/ssl/registry-test.pem"
MIRRORED = "library/mirrored:1"
CREDENTIALS = {"username": "user", "password": "open-sesame"}


class Registries(NamedTuple):
    """One registry at several addresses: TLS, plain HTTP, with a password, and not running.

    A further registry fails in a different way for each repository.
    """

    tls: str
    plain: str
    password: str
    bad: str
    down: str


@pytest.fixture(scope="module", autouse=True)
def without_crictl(host):
    """Hide crictl on the node: the modules do not need it."""
    paths = host.run("command -v crictl").stdout.split()
    for path in paths:
        host.check_output(f"mv {path} {path}.away")
    yield
    for path in paths:
        host.check_output(f"mv {path}.away {path}")


@pytest.fixture
def image(call):
    """Return a function that runs cruntime_image in check mode, for real and again.

    The function checks that the three results agree, and returns the second one.
    """

    def run(**options):
        predicted, result, again = call(
            [IMAGE, {**options, "_ansible_check_mode": True}],
            [IMAGE, {**options, "_ansible_diff": True}],
            [IMAGE, options],
        )
        if result.get("failed"):
            return result
        assert predicted["changed"] is result["changed"], (predicted, result)
        assert again["changed"] is False, again
        return result

    return run


@pytest.fixture
def listed(call):
    """Return a function that returns all images of the node, by each of their names."""

    def look():
        (result,) = call(["cruntime_info", {"gather_subset": ["images"]}])
        assert not result.get("failed"), result
        return {name: image for image in result["images"] for name in image["repo_tags"]}

    return look


@pytest.fixture
def directory(node, call):
    """Yield a directory of archives on the node. None of their images is present."""
    script = (ON_NODE / "archives.py").read_text()
    node.check_output(f"test -d {DIRECTORY} || /usr/bin/python3 -c %s {DIRECTORY}", script)
    call(*CLEAN)
    yield DIRECTORY
    call(*CLEAN)


@pytest.fixture
def registries(node, registry, spec, run_module):
    """Yield the addresses of a registry that the runtime is configured for."""
    address, certificate = registry
    found = Registries(*(f"{address}:{port}" for port in (5000, 5001, 5002, 5003, 5009)))
    node.check_output("echo %s > %s", certificate, CA)
    entries = [
        {"registry": found.tls, "ca_file": CA},
        {"registry": found.plain, "insecure": True},
        {"registry": found.password, "ca_file": CA},
        {"registry": found.bad, "ca_file": CA},
        {"registry": found.down, "ca_file": CA},
    ]
    result = run_module(node, ENABLE, **{**spec, "registries": entries})
    assert not result.get("failed"), result
    yield found
    run_module(node, ENABLE, **spec)


def done(result, *actions):
    """Check that the actions are exactly these."""
    assert not result.get("failed"), result["msg"]
    assert [action["action"] for action in result["actions"]] == list(actions), result
    assert result["changed"] is bool(actions)
    return result


def test_archives_of_every_format_are_loaded_once(directory, image, listed):
    archives = [f"{directory}/{name}" for name in ("both.tar.gz", "docker.tar", "oci.tar")]
    done(image(archive=archives), "loaded", "loaded", "loaded")
    before = listed()
    assert {BOTH, DOCKER, OCI} <= set(before)
    assert {type(before[BOTH][key]) for key in ("id", "size", "pinned")} == {str, int, bool}
    # The compression does not matter.
    done(image(archive=[*archives, f"{directory}/both.tar.zst", f"{directory}/both.tar.lz4"]))
    result = done(image(name=BOTH, archive=f"{directory}/changed.tar"), "loaded")
    after = listed()
    assert f"{BOTH}: {before[BOTH]['id']}" in result["diff"]["before"]
    assert f"{BOTH}: {after[BOTH]['id']}" in result["diff"]["after"]
    assert after[BOTH]["id"] != before[BOTH]["id"]
    # One of the two images in this archive is missing.
    done(image(archive=f"{directory}/two.tar"), "loaded")
    assert {BOTH, DOCKER, OCI, OTHER} <= set(listed())


def test_checking_a_hundred_images_starts_no_process(directory, image, call):
    names = [f"{OURS}/hundred:{number}" for number in range(100)]
    done(image(archive=f"{directory}/hundred.tar"), "loaded")
    (result,) = call([IMAGE, {"name": names}])
    assert not result["changed"]
    assert len(result["images"]) == 100
    assert result["processes"] == 0
    done(image(name=names[0], state="absent", all_tags=True), "removed")


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_image_without_a_name_is_tagged(directory, image, listed, kind):
    done(image(name=UNNAMED, archive=f"{directory}/unnamed-{kind}.tar"), "loaded")
    assert not [name for name in listed() if "import" in name]


@pytest.mark.runtime("containerd")
def test_incomplete_name_of_containerd_gets_its_full_form(node, directory, image, listed):
    """containerd has names that the CRI lists, but does not find."""
    ctr = "ctr --namespace k8s.io images"
    image(archive=f"{directory}/both.tar")
    node.check_output(f"{ctr} tag {BOTH} short:1 && {ctr} tag {BOTH} index.docker.io/x/hub:1")
    assert {"short:1", "index.docker.io/x/hub:1"} <= set(listed())
    done(image(name=NAME, source_image="short:1"), "tagged")
    actions = [*["tagged"] * 2, *["pinned"] * 2]
    done(image(name=["short:1", "x/hub:1"], pull="never", pin=True), *actions)
    assert {"docker.io/library/short:1", "docker.io/x/hub:1", "short:1"} <= set(listed())
    done(image(name=["short:1", "x/hub:1"], pin=False), "unpinned", "unpinned")
    done(image(name=["short:1", "x/hub:1"], state="absent"), *["untagged"] * 4)
    assert "short" not in node.check_output(f"{ctr} list --quiet")


@pytest.mark.runtime("containerd")
def test_image_with_missing_layers(node, directory, image, call, listed):
    path = f"{directory}/export.tar"
    image(archive=[f"{directory}/oci.tar", f"{directory}/both.tar"])
    # The layers of this name are missing, but those of the other name are not.
    node.check_output(f"ctr --namespace k8s.io images import {directory}/incomplete.tar")
    assert listed()[NAME]["id"] == listed()[OCI]["id"]
    done(image(name=[NAME, BOTH], export_path=path), "saved")
    image(name=[NAME, BOTH], state="absent")
    done(image(archive=path), "loaded")
    # No name has the layers.
    node.check_output(
        f"ctr --namespace k8s.io images import {directory}/incomplete.tar; "
        f"ctr --namespace k8s.io images rm --sync {OCI}"
    )
    task = {"name": [NAME, BOTH], "export_path": f"{path}.new"}
    (result,) = call([IMAGE, task])
    check_failed(result, "image_incomplete", NAME)
    assert result["incomplete"] == [NAME]


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_image_without_a_name_is_loaded_once(directory, image, kind):
    result = done(image(archive=f"{directory}/unnamed-{kind}.tar"), "loaded")
    assert [(each["repo_tags"], each["name"]) for each in result["images"]] == [
        ([], result["images"][0]["id"])
    ]
    done(image(name=result["images"][0]["id"], state="absent"), "removed")


def test_unusual_archives_are_loaded_once(directory, image, listed):
    done(image(archive=f"{directory}/linked.tar"), "loaded")
    assert DOCKER in listed()
    image(name=DOCKER, state="absent")
    # A chart and an attestation next to an image are not images.
    result = done(image(archive=f"{directory}/mixed.tar"), "loaded")
    assert [each["name"] for each in result["images"]] == [OCI]
    assert not [name for name in listed() if "chart" in name]
    image(name=OCI, state="absent")
    # A tag without a repository is not a name.
    done(image(archive=f"{directory}/bare.tar", name=UNNAMED), "loaded")
    assert not [name for name in listed() if "v9" in name]


def test_image_for_another_platform(runtime, directory, image, call, listed):
    if runtime.name != "containerd":
        done(image(archive=f"{directory}/platform.tar"), "loaded")
        return
    before = listed()
    (result,) = call([IMAGE, {"archive": f"{directory}/platform.tar"}])
    check_failed(result, "archive_invalid", f"{directory}/platform.tar", DOCKER, "linux/s390x")
    assert listed() == before


def test_all_platforms_of_an_archive_are_kept(node, runtime, directory, image):
    """containerd 1.x would keep only the platform of the node."""
    skip_without_containerd_store(node, runtime)
    name, path = f"{OURS}/several:1", "/root/other.tar"
    node.check_output(f"rm -f {path}")
    image(name=name, state="absent", all_tags=True)
    done(image(archive=f"{directory}/several.tar"), "loaded")
    done(image(archive=f"{directory}/several.tar"))
    done(image(name=name, platform="linux/s390x", export_path=path), "saved")
    assert "s390x" in node.check_output(f"tar --extract --file {path} --to-stdout --wildcards '*'")
    node.check_output(f"rm {path}")
    image(name=name, state="absent", all_tags=True)


def keeps_manifests(node, runtime):
    """Return whether the store keeps the manifests of images unchanged."""
    if runtime.name != "docker":
        return runtime.name == "containerd"
    driver = node.check_output("docker info --format '{{.DriverStatus}}'")
    return "io.containerd.snapshotter" in driver


def skip_without_containerd_store(node, runtime):
    if not keeps_manifests(node, runtime):
        pytest.skip("only a store in containerd has several platforms of an image")


def test_digests_of_an_archive_are_kept(node, runtime, directory, image, call):
    """A pod can refer to an image by its digest alone."""

    def list_digests():
        (result,) = call(["cruntime_info", {"gather_subset": ["images"]}])
        names = [name for image in result["images"] for name in image["repo_digests"]]
        return [name for name in names if name.startswith(f"{OURS}/digest@")]

    path, archive = "/root/digests.tar", f"{directory}/digest.tar"
    node.check_output(f"rm -f {path}")
    result = image(archive=archive)
    if not keeps_manifests(node, runtime):
        assert f"{archive}: {OURS}/digest@sha256:" in str(result["warnings"])
        assert list_digests() == []
        done(image(name=result["images"][0]["id"], state="absent"), "removed")
        return
    done(result, "loaded")
    (digest,) = list_digests()
    done(image(archive=f"{directory}/oci.tar"), "tagged")
    done(image(name=[OCI, digest], export_path=path), "saved")
    call([IMAGE, {"name": [OCI, digest], "state": "absent", "all_tags": True}])
    assert list_digests() == []
    done(image(archive=path), "loaded")
    assert list_digests() == [digest]
    done(image(name=digest, state="absent", all_tags=True), "removed")
    node.check_output(f"rm {path}")


def test_image_for_another_platform_only_is_pulled_for_the_node(
    node, runtime, registries, image, listed
):
    skip_without_containerd_store(node, runtime)
    several = f"{registries.tls}/library/several:1"
    # Other images have the same content for the platform of the node.
    same = [name for name in listed() if name.endswith((MIRRORED, "/one:1"))]
    image(name=[several, *same], state="absent", all_tags=True)
    done(image(name=several, platform="linux/s390x"), "pulled")
    done(image(name=several, platform="linux/s390x"))
    done(image(name=several), "pulled")
    done(image(name=several))
    image(name=several, state="absent", all_tags=True)
    # It can be removed while only the other platform is present.
    done(image(name=several, platform="linux/s390x"), "pulled")
    image(name=several, state="absent", all_tags=True)
    assert several not in listed()


@pytest.mark.runtime("docker")
def test_docker_manages_images_without_a_name(directory, image, call):
    def unnamed():
        (result,) = call(["cruntime_info", {"gather_subset": ["images"]}])
        return {each["id"] for each in result["images"] if not each["repo_tags"]}

    before = unnamed()
    for kind in ("unnamed-docker", "unnamed-oci", "tag-oci"):
        (found,) = done(image(archive=f"{directory}/{kind}.tar"), "loaded")["images"]
        assert found["repo_tags"] == []
        assert unnamed() == before | {found["id"]}
        done(image(name=found["id"], pull="never"))
        done(image(name=found["id"], state="absent"), "removed")
        assert unnamed() == before
    # A tag alone is not a name.
    done(image(name=UNNAMED, archive=f"{directory}/tag-oci.tar"), "loaded")
    done(image(name=UNNAMED, state="absent"), "removed")
    # The image from before loses its name.
    done(image(archive=f"{directory}/both.tar"), "loaded")
    done(image(archive=f"{directory}/changed.tar"), "loaded")
    assert len(unnamed() - before) == 1
    image(prune={"untagged": True})
    assert unnamed() == set()


@pytest.mark.runtime("docker")
def test_docker_is_managed_without_its_client(
    node, *, registries, directory, image, build, call, listed, hidden
):
    path = f"{directory}/saved.tar"
    pushed = f"{registries.password}/{node.check_output('hostname')}-api/both:1"
    name, user = f"{registries.tls}/{MIRRORED}", "cruntime-test"
    image(archive=f"{ARCHIVES}/busybox.tar")
    node.check_output(f"rm -f {path}; docker run --detach --name {user} {BUSYBOX} sleep 600")
    try:
        with hidden("docker"):
            done(image(archive=f"{directory}/both.tar.gz"), "loaded")
            done(image(name=name), "pulled")
            done(image(name=NAME, source_image=BOTH), "tagged")
            done(image(name=[BOTH, NAME], export_path=path), "saved")
            assert node.check_output(f"stat -c %a {path}") == "600"
            task = {"name": pushed, "source_image": BOTH, "push": True}
            done(image(**task, **CREDENTIALS), "tagged", "pushed")
            check_failed(image(name=BUSYBOX, state="absent", all_tags=True), "image_in_use", user)
            done(image(name=[pushed, NAME], state="absent"), "untagged", "untagged")
            assert image(name=[name, BOTH], state="absent")["changed"]
            done(image(archive=path), "loaded")
            check_failed(image(name=BUILT, build=build), "tool_not_found", "docker-ce-cli")
            (found,) = call(["cruntime_info", {"gather_subset": ["containers"]}])
            (identity,) = (each["id"] for each in found["containers"] if each["name"] == user)
            for state in ("paused", "running", "stopped", "absent"):
                (result,) = call(["cruntime_containers", {"ids": [identity], "state": state}])
                assert result["changed"], result
                states = [each["state"] for each in result["containers"]]
                assert states == {"stopped": ["exited"], "absent": []}.get(state, [state])
            # Docker 29 does not pull layers that it has unpacked from an archive.
            assert image(name=BUSYBOX, state="absent", all_tags=True)["changed"]
    finally:
        node.check_output(f"docker rm --force {user}; rm -f {path}")


@pytest.mark.runtime("docker")
def test_the_credentials_of_docker_login_are_used(registries, node, image, hidden):
    name = f"{registries.password}/{MIRRORED}"
    image(name=name, state="absent")
    check_failed(image(name=name), "transfer_failed", name)
    user, password = CREDENTIALS.values()
    login = f"docker login --username {user} --password-stdin {registries.password}"
    node.check_output(f"printf %s {password} | {login}")
    try:
        with hidden("docker"):
            done(image(name=name), "pulled")
    finally:
        node.check_output(f"docker logout {registries.password}")
    image(name=name, state="absent")


def test_invalid_archives_are_rejected(directory, call, listed):
    bad = {
        "truncated.tar": ["archive_invalid"],
        "truncated.tar.gz": ["archive_invalid"],
        "truncated.tar.zst": ["archive_invalid"],
        "truncated.tar.lz4": ["archive_invalid"],
        "lacking.tar": ["archive_invalid"],
        "outside.tar": ["archive_invalid"],
        "leading.tar": ["archive_invalid", "/etc/shadow"],
        "twice.tar": ["archive_invalid", "manifest.json"],
        "foreign.tar": ["archive_invalid"],
        "text.tar": ["archive_invalid"],
        "nowhere.tar": ["file_not_found"],
        ".": ["archive_invalid"],
    }
    before = listed()
    results = call(*([IMAGE, {"archive": f"{directory}/{path}"}] for path in bad))
    for (path, (reason, *facts)), result in zip(bad.items(), results, strict=True):
        check_failed(result, reason, f"{directory}/{path}", *facts)
    assert listed() == before


def test_missing_tool_is_reported(directory, call, hidden):
    with hidden("lz4"):
        (result,) = call([IMAGE, {"archive": f"{directory}/both.tar.lz4"}])
    check_failed(result, "tool_not_found", "lz4")


def test_tagging_and_untagging(directory, image, listed):
    done(image(archive=f"{directory}/both.tar"), "loaded")
    done(image(name=NAME, source_image=BOTH), "tagged")
    assert listed()[NAME]["id"] == listed()[BOTH]["id"]
    done(image(name=BOTH, state="absent"), "untagged")
    assert NAME in listed()
    # Removal by ID removes the image with all of its tags.
    done(image(name=listed()[NAME]["id"], state="absent"), "removed")
    assert NAME not in listed()
    check_failed(image(name=NAME, source_image=BOTH), "image_not_found", BOTH)


def test_image_is_saved_once(node, directory, image, listed):
    path = f"{directory}/saved.tar"
    node.check_output(f"rm -f {path}")
    done(image(archive=[f"{directory}/both.tar", f"{directory}/other.tar"]), "loaded", "loaded")
    done(image(name=[BOTH, OTHER], export_path=path), "saved")
    # An archive of an image ID has no image names.
    done(image(name=listed()[BOTH]["id"], export_path=path), "saved")
    done(image(name=[BOTH, OTHER], export_path=path), "saved")
    inode = node.check_output(f"stat -c %i {path}")
    done(image(name=[BOTH, OTHER], export_path=path))
    assert node.check_output(f"stat -c %i {path}") == inode
    node.check_output(f"chmod 640 {path} && chown 4711:4712 {path} && touch -d @1 {path}")
    # The saved archive can be loaded again.
    done(image(name=[BOTH, OTHER], state="absent"), "removed", "removed")
    done(image(archive=path), "loaded")
    done(image(archive=f"{directory}/changed.tar"), "loaded")
    done(image(name=[BOTH, OTHER], export_path=path), "saved")
    # The file keeps its owner and mode, and has a current mtime.
    access, modified = node.check_output(f"stat -c '%a:%u:%g %Y' {path}").split()
    assert access == "640:4711:4712"
    assert int(modified) > 1
    assert node.run(f"ls -A {directory} | grep cruntime").failed
    done(image(name=[BOTH, OTHER], export_path=path, export_mode="0644"), "saved")
    done(image(name=[BOTH, OTHER], export_path=path, export_mode="0644"))
    assert node.check_output(f"stat -c %a {path}") == "644"
    node.check_output(f"rm {path}")


# For containerd and CRI-O, see test_pods.py.
@pytest.mark.runtime("docker")
def test_image_in_use_is_removed_only_by_force(node, image, listed):
    task = {"name": BUSYBOX, "state": "absent", "all_tags": True}
    image(archive=f"{ARCHIVES}/busybox.tar")
    node.check_output(f"docker create --name user {BUSYBOX} sleep 600")
    try:
        check_failed(image(**task), "image_in_use", BUSYBOX, "user")
        assert BUSYBOX in listed()
        done(image(**task, force=True), "removed")
    finally:
        node.check_output("docker rm --force user")


def test_images_are_pulled(registries, image, call, listed, node):
    tls, plain = names = [f"{host}/{MIRRORED}" for host in registries[:2]]
    secret = f"{registries.password}/{MIRRORED}"
    call([IMAGE, {"name": [*names, secret], "state": "absent"}])
    done(image(name=names), "pulled", "pulled")
    done(image(name=secret, **CREDENTIALS), "pulled")
    found = listed()
    # In CRI-O, an image that was loaded before has does not match the digest too.
    digests = [name for name in found[tls]["repo_digests"] if name.startswith(registries.tls)]
    digest = digests[0]
    done(image(name=[digest, f"{tls}@{digest.partition('@')[2]}", found[secret]["id"]]))
    other = f"{registries.tls}/library/mirrored@sha256:{'1' * 64}"
    nowhere = f"{registries.tls}/library/nowhere:1"
    absent, down = f"{registries.plain}/x:1", f"{registries.down}/x:1"
    call([IMAGE, {"name": secret, "state": "absent"}])
    predicted, always, failed, unauthorized = call(
        [IMAGE, {"name": tls, "pull": "always", "_ansible_check_mode": True}],
        [IMAGE, {"name": tls, "pull": "always"}],
        [IMAGE, {"name": [plain, other, nowhere, absent, down], "retries": 1}],
        [IMAGE, {"name": secret, "username": "user", "password": "wrong"}],
    )
    assert predicted["changed"] is always["changed"] is False
    attempts = {each["name"]: each["attempts"] for each in failed["failures"]}
    assert attempts.keys() == {other, nowhere, absent, down}
    assert (attempts[nowhere], attempts[down]) == (1, 2)
    causes = {each["name"]: each["cause"] for each in failed["failures"]}
    assert "TLS" not in causes[absent]
    check_failed(failed, "transfer_failed", *(each["cause"] for each in failed["failures"]))
    check_failed(unauthorized, "transfer_failed", secret)
    assert [each["attempts"] for each in unauthorized["failures"]] == [1]
    assert secret not in listed()
    # No file contains the password.
    assert node.run("grep -rls 'dXNlcjpvcGVuLXNlc2FtZQ' /tmp /root/.docker /run/containers").failed
    image(name=names, state="absent")


# Add the images of the second OCI layout to the first one.
MIX = """
import io, json, sys, tarfile
first, second = (tarfile.open(path) for path in sys.argv[1:3])
files = {}
manifests = []
for archive in (first, second):
    found = {m.name.lstrip("./"): archive.extractfile(m).read() for m in archive if m.isfile()}
    manifests += json.loads(found["index.json"])["manifests"]
    files.update(found)
files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
with tarfile.open(sys.argv[3], "w") as mixed:
    for name, content in files.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        mixed.addfile(member, io.BytesIO(content))
"""


@pytest.fixture
def cosign(node, registry_node, tmp_path):
    """Install cosign on the node. Return a function that runs it on the node of the registry."""
    name = registry_node("hostname").strip()
    source, target = f"{name}:/usr/bin/cosign", node.check_output("hostname")
    if node.run("python3 -c 'import sys; sys.exit(sys.version_info < (3, 13))'").failed:
        pytest.skip("cosign needs the C library of Debian 13")
    subprocess.run(["docker", "cp", source, tmp_path / "cosign"], check=True, capture_output=True)
    copy = ["docker", "cp", tmp_path / "cosign", f"{target}:/usr/local/bin/cosign"]
    subprocess.run(copy, check=True, capture_output=True)
    environment = ["COSIGN_PASSWORD=", "SSL_CERT_FILE=/srv/registry/ca.pem", "HOME=/root"]
    prefix = ["env", "--chdir=/srv/registry", *environment, "cosign"]
    yield lambda *words: registry_node(*prefix, *words)
    node.check_output("rm /usr/local/bin/cosign")


def test_signed_images(
    node, *, registries, registry_node, cosign, directory, image, call, listed
):
    signed, unsigned = f"{registries.tls}/library/signed:1", f"{registries.tls}/{MIRRORED}"
    key, other, archive = (f"{directory}/{name}" for name in ("key.pub", "other.pub", "signed.tar"))
    done(image(archive=f"{directory}/both.tar"), "loaded")
    done(image(name=signed, source_image=BOTH, push=True), "tagged", "pushed")
    for path in (other, key):
        registry_node("rm", "-f", "/srv/registry/cosign.key", "/srv/registry/cosign.pub")
        cosign("generate-key-pair")
        public = registry_node("cat", "/srv/registry/cosign.pub")
        node.check_output("echo %s > %s", public, path)
    cosign("sign", "--yes", "--tlog-upload=false", "--key=cosign.key", signed)
    cosign("save", "--dir=saved", signed)
    packed = registry_node("sh", "-c", "tar -C /srv/registry/saved -c . | base64")
    node.check_output("echo %s | base64 -d > %s", packed, archive)
    absent = {"name": [signed, BOTH, NAME], "state": "absent"}
    call([IMAGE, absent])
    for keys, name in (([other], signed), ([key], unsigned)):
        (result,) = call([IMAGE, {"name": name, "verify_keys": keys}])
        check_failed(result, "transfer_failed", name)
        assert name not in listed()
    done(image(name=signed, verify_keys=[other, key]), "pulled")
    done(image(name=signed, verify_keys=[key], pull="always"))
    call([IMAGE, absent])
    # The signature is in the archive.
    task = {"name": NAME, "archive": archive}
    results = call(
        [IMAGE, {**task, "verify_keys": [other]}],
        [IMAGE, {"archive": f"{directory}/both.tar", "verify_keys": [key]}],
    )
    for result, path in zip(results, (archive, f"{directory}/both.tar"), strict=True):
        check_failed(result, "signature_invalid", path)
    assert not {NAME, BOTH} & set(listed())
    done(image(**task, verify_keys=[key]), "loaded")
    # The archive also contains an image without a signature.
    mix = "cd %s && /usr/bin/python3 -c %s signed.tar oci.tar unsigned.tar"
    node.check_output(mix, directory, MIX)
    (result,) = call([IMAGE, {"archive": f"{directory}/unsigned.tar", "verify_keys": [key]}])
    check_failed(result, "signature_invalid", f"{directory}/unsigned.tar")
    assert OCI not in listed()
    call([IMAGE, absent])


def test_missing_cosign_is_reported(registries, call, node):
    task = {"name": f"{registries.tls}/{MIRRORED}", "verify_keys": ["/root/key.pub"]}
    call([IMAGE, {"name": task["name"], "state": "absent"}])
    (result,) = call([IMAGE, {**task, "_ansible_check_mode": True}])
    check_failed(result, "tool_not_found", "cosign")


# Failures of a registry, and the number of attempts if one retry is allowed.
ATTEMPTS = {
    **dict.fromkeys(("html", "truncated", "swapped", "private", "forbidden", "missing"), 1),
    "busy": 2,
    "limited": 2,
}


def test_failures_of_a_registry_change_nothing(registries, directory, image, call, listed):
    tries = {f"{registries.bad}/{kind}/x:1": number for kind, number in ATTEMPTS.items()}
    tries[f"{registries.down}/x:1"] = 2
    swapped = f"{registries.bad}/swapped/x@sha256:{'1' * 64}"
    image(archive=f"{directory}/both.tar")
    before = listed()
    task = {"retries": 1, "parallel": 8}
    pulled, tagged = call(
        [IMAGE, {"name": [*tries, swapped], **task}],
        [IMAGE, {"name": list(tries), "source_image": BOTH}],
    )
    pushed, untagged = call(
        [IMAGE, {"name": list(tries), "push": True, **task}],
        [IMAGE, {"name": list(tries), "state": "absent"}],
    )
    assert not tagged.get("failed"), tagged
    assert not untagged.get("failed"), untagged
    for result, expected in ((pulled, {**tries, swapped: 1}), (pushed, tries)):
        failures = result["failures"]
        assert {each["name"]: each["attempts"] for each in failures} == expected, failures
        check_failed(result, "transfer_failed", *(each["cause"] for each in failures))
        assert result["changed"] is False, result
    assert listed() == before


def test_password_is_in_no_process_list_and_no_file(registries, node, call):
    """Check this while a pull hangs, and after the module was killed."""
    task = {"name": f"{registries.bad}/hanging/x:1", **CREDENTIALS}
    with ThreadPoolExecutor() as pool:
        run = pool.submit(call, [IMAGE, task])
        node.check_output(
            "timeout 60 sh -c 'until ss -Htn dport = 5003 | grep .; do sleep 1; done'"
        )
        seen = node.check_output("ps -eo args | grep -v ' -m call '")
        # The child processes of a killed module keep running, as after a lost connection.
        node.check_output("pkill -KILL -f '[-]m call '")
        with pytest.raises(AssertionError):
            run.result()
    secrets = "open-sesame|dXNlcjpvcGVuLXNlc2FtZQ"
    assert not re.search(secrets, seen)
    assert not node.run(f"grep -rlsE '{secrets}' /tmp /run /root /etc /var/tmp").stdout
    node.run("pkill -x 'docker|podman'")


def test_images_are_pushed(registries, node, directory, image, call):
    done(image(archive=f"{directory}/both.tar"), "loaded")
    node_name = node.check_output("hostname")
    pushes = {
        f"{registries.tls}/{node_name}/both:1": {},
        f"{registries.password}/{node_name}-auth/both:1": CREDENTIALS,
        f"{registries.plain}/{node_name}-plain/both:1": {"insecure": True},
    }
    for name, options in pushes.items():
        result = done(image(name=name, source_image=BOTH, push=True, **options), "tagged", "pushed")
        # The pushed image can be pulled by the returned digest.
        digest = f"{name.rpartition(':')[0]}@{result['digests'][name]}"
        credentials = {key: value for key, value in options.items() if key in CREDENTIALS}
        gone, pulled, again = call(
            [IMAGE, {"name": BOTH, "state": "absent", "all_tags": True}],
            [IMAGE, {"name": digest, **credentials}],
            [IMAGE, {"name": BOTH, "source_image": digest}],
        )
        assert [action["action"] for action in gone["actions"]] == ["removed"]
        assert not pulled.get("failed"), pulled["msg"]
        assert pulled["images"][0]["name"] == digest
        assert not again.get("failed"), again["msg"]
    # Only one image of a multi-platform image is pushed, and the source image stays complete.
    several, copied = f"{registries.tls}/library/several:1", f"{registries.tls}/{node_name}/one:1"
    done(image(name=several), "pulled")
    done(image(name=several, push=True))
    done(image(name=copied, source_image=several, push=True), "tagged", "pushed")
    image(name=several, state="absent", all_tags=True)
    locked = f"{registries.password}/x:1"
    image(name=locked, source_image=BOTH)
    (refused,) = call([IMAGE, {"name": locked, "push": True}])
    assert refused["failed"]
    image(name=locked, state="absent")


def test_all_platforms_are_pushed_if_the_store_has_them(
    node, runtime, registries, directory, image
):
    skip_without_containerd_store(node, runtime)
    local, path = f"{OURS}/several:1", "/root/pushed.tar"
    node.check_output(f"rm -f {path}")
    image(name=local, state="absent", all_tags=True)
    done(image(archive=f"{directory}/several.tar"), "loaded")
    pushed = f"{registries.tls}/{node.check_output('hostname')}-all/several:1"
    result = done(image(name=pushed, source_image=local, push=True), "tagged", "pushed")
    done(image(name=pushed, push=True))
    image(name=local, state="absent", all_tags=True)
    # The registry has the image for the other platform, by the same digest.
    archive = f"{directory}/several.tar"
    index = json.loads(node.check_output(f"tar --extract --to-stdout --file {archive} index.json"))
    assert [result["digests"][pushed]] == [each["digest"] for each in index["manifests"]]
    digest = f"{pushed.rpartition(':')[0]}@{result['digests'][pushed]}"
    for platform in ("linux/s390x", None):
        options = {"platform": platform} if platform else {}
        done(image(name=digest, **options), "pulled")
        done(image(name=digest, export_path=path, **options), "saved")
        image(name=digest, state="absent", all_tags=True)
        node.check_output(f"rm {path}")


@pytest.fixture
def build(node):
    """Yield the build options: a context on the node."""
    node.check_output(
        "mkdir -p /root/context && cd /root/context && "
        "printf 'FROM scratch\\nARG WHO=you\\nLABEL who=$WHO\\nCOPY hello /\\n' > Dockerfile && "
        "printf 'FROM scratch\\nCOPY nothing /\\n' > Broken"
    )
    yield {"context": "/root/context"}
    node.check_output("rm -rf /root/context")


@pytest.fixture
def hidden(node):
    """Return a function that hides tools on a node for a while, if the node has them."""

    @contextlib.contextmanager
    def hide(*names):
        found = (node.run(f"command -v {name}").stdout.strip() for name in names)
        paths = " ".join(filter(None, found))
        node.check_output(f"for path in {paths}; do mv $path $path.away; done")
        try:
            yield
        finally:
            node.check_output(f"for path in {paths}; do mv $path.away $path; done")

    return hide


@pytest.fixture
def check_builds(node, image, build, call, listed):
    """Return a function that builds once, and again after each change of the context."""

    def run():
        node.check_output("echo hello > /root/context/hello")
        task = {"name": [BUILT, NAME], "build": dict(build)}
        done(image(**task), "built", "built")
        first = listed()
        assert first[BUILT] == first[NAME]
        # An argument PATH of the build does not change the PATH of the tool.
        task["build"]["args"] = {"WHO": "me, 'you' and $HOME", "PATH": "/nowhere"}
        done(image(**task), "built", "built")
        node.check_output("echo hi > /root/context/hello")
        done(image(**task), "built", "built")
        before = listed()
        assert before[BUILT]["id"] != first[BUILT]["id"]
        forced, broken, nowhere = call(
            [IMAGE, {**task, "force": True}],
            [IMAGE, {**task, "build": {**build, "dockerfile": "Broken"}}],
            [IMAGE, {**task, "build": {"context": "/root/nowhere"}}],
        )
        assert [action["action"] for action in forced["actions"]] == ["built", "built"]
        check_failed(broken, "command_failed", "nothing")
        assert not broken["actions"]
        check_failed(nowhere, "file_not_found", "/root/nowhere")
        assert before.keys() == listed().keys()
        call(*CLEAN)

    return run


@pytest.mark.runtime("docker", "crio")
def test_image_is_built_once(runtime, directory, hidden, check_builds):
    check_builds()
    if runtime.name == "crio":
        with hidden("podman"):
            check_builds()


@pytest.mark.runtime("containerd")
def test_build_on_containerd_needs_a_builder(directory, build, call, hidden):
    with hidden("nerdctl", "buildctl"):
        (result,) = call([IMAGE, {"name": BUILT, "build": build}])
    check_failed(result, "tool_not_found", "nerdctl", "buildctl")


@pytest.mark.runtime("containerd")
@pytest.mark.once
def test_containerd_builds_with_each_builder(node, directory, hidden, check_builds):
    if not node.exists("buildkitd"):
        reason = "no nerdctl, buildctl and buildkitd: set CRUNTIME_TEST_BIN to their directory"
        skip_unless_required("buildkitd", reason)
    node.check_output("systemd-run --unit buildkit --collect buildkitd")
    try:
        node.check_output("timeout 60 sh -c 'until buildctl debug workers; do sleep 1; done'")
        check_builds()
        with hidden("nerdctl"):
            check_builds()
    finally:
        node.check_output("systemctl stop buildkit")


def test_images_are_pinned_and_unpinned(node, *, runtime, spec, directory, image, call, listed):
    image(archive=f"{directory}/both.tar")
    result = image(name=BOTH, pin=True)
    if runtime.name == "docker":
        check_failed(result, "option_unsupported", "Docker")
        done(image(name=BOTH, pin=False))
    elif runtime.name == "crio":
        check_failed(result, "option_unsupported", "pinned_images")
        # Only a change of the CRI-O configuration can unpin this image.
        image(archive=f"{ARCHIVES}/pause.tar")
        pause = spec["sandbox_image"]
        assert listed()[pause]["pinned"] is True
        task = {"name": pause, "pin": False}
        for each in call([IMAGE, task], [IMAGE, {**task, "_ansible_check_mode": True}]):
            check_failed(each, "option_unsupported", "CRI-O")
        done(image(name=NAME, source_image=pause), "tagged")
        done(image(name=NAME, source_image=BOTH), "tagged")
        assert listed()[NAME]["pinned"] is False
    elif "1.6.20" in node.check_output("containerd --version"):
        check_failed(result, "option_unsupported", "1.6.20")
    else:
        done(result, "pinned")
        assert listed()[BOTH]["pinned"] is True
        # If the name moves to another image, that image is pinned instead.
        done(image(archive=f"{directory}/changed.tar"), "loaded")
        assert listed()[BOTH]["pinned"] is True
        # Pinned images are not pruned.
        done(image(prune={"include": [BOTH]}))
        done(image(name=BOTH, pin=False), "unpinned")


def test_prune_removes_unused_images(runtime, spec, directory, image, listed):
    image(archive=[f"{directory}/{name}.tar" for name in ("both", "docker", "oci", "other")])
    done(image(prune={"include": [f"{OURS}/*"], "older_than": "24000d"}))
    if runtime.name != "docker":
        image(archive=f"{ARCHIVES}/pause.tar")
        done(image(prune={"include": [spec["sandbox_image"]]}))
    include, exclude = [f"{OURS}/[bdo]*:1"], [f"{OURS}/busybox:1", BOTH]
    prune = {"include": include, "exclude": exclude, "older_than": "1h"}
    # A label that no image has.
    done(image(name=OCI, prune={**prune, "labels": ["cruntime.test=none"]}))
    done(image(name=OCI, prune=prune), "removed", "removed")
    assert {BOTH, OCI} <= set(listed())
    assert not {DOCKER, OTHER} & set(listed())
    # Prune keeps images that the task itself has loaded, named or not.
    image(name=NAME, source_image=OCI)
    image(name=[BOTH, OCI], state="absent")
    prune = {"include": [BOTH, NAME]}
    done(image(archive=f"{directory}/both.tar", prune=prune), "loaded", "removed")
    assert BOTH in listed()
    assert NAME not in listed()


# Docker 29 keeps its images in the directory of containerd.
@pytest.mark.runtime("crio")
def test_container_of_podman_uses_its_image(node, directory, image):
    image(archive=f"{directory}/both.tar")
    node.check_output(f"podman create --name user {BOTH}")
    try:
        done(image(prune={"include": [BOTH]}))
        check_failed(image(name=BOTH, state="absent"), "image_in_use", BOTH, "user (")
    finally:
        node.check_output("podman rm user")
    done(image(prune={"include": [BOTH]}), "removed")


STORES = {
    "containerd": ["lib/containerd"],
    "crio": ["lib/containers/storage"],
    "docker": ["lib/docker", "lib/containerd"],
}


def test_store_and_directory_are_preloaded(node, runtime, directory, image, listed):
    node.check_output(
        f"cd {directory} && mkdir -p preload && cp other.tar oci.tar preload/"
    )
    image(archive=f"{directory}/both.tar")
    units = {"containerd": "containerd", "crio": "crio", "docker": "docker.socket docker"}
    # Stop the runtime first, so the tarball has a consistent store.
    node.check_output(
        f"systemctl stop {units[runtime.name]} && cd /var && "
        f"tar --use-compress-program lz4 --create --file {directory}/store.lz4 "
        f"{' '.join(STORES[runtime.name])}; systemctl start {units[runtime.name]}"
    )
    outside = f"systemctl show --property MainPID {runtime.service}; ls /sys/class/net"
    before = node.check_output(outside)
    done(image(name=BOTH, state="absent"), "removed")
    image(archive=f"{directory}/docker.tar")
    result = image(name=[BOTH, f"{OURS}/nowhere:1"], preload=f"{directory}/store.lz4")
    check_failed(result, "image_not_found", f"{OURS}/nowhere:1")
    assert BOTH not in listed()
    done(image(name=BOTH, preload=f"{directory}/store.lz4"), "preloaded")
    # The images from before are still present, and the runtime was not stopped.
    assert {BOTH, DOCKER} <= set(listed())
    assert node.check_output(outside) == before
    path = f"{directory}/both.tar.lz4"
    check_failed(image(name=OTHER, preload=path), "archive_invalid", path, "lib/")
    done(image(name=[OTHER], preload=f"{directory}/preload"), "loaded")
    done(image(preload=f"{directory}/preload"), "loaded")
    assert node.run("grep cruntime- /proc/mounts").failed
    assert node.run(f"ls -A /var/{STORES[runtime.name][0]} | grep cruntime").failed
    node.check_output(f"rm -r {directory}/preload {directory}/store.lz4")


@pytest.mark.runtime("crio")
def test_crio_without_podman_can_pull_and_remove(
    registries, *, directory, image, build, call, listed, hidden
):
    name, other = (f"{host}/{MIRRORED}" for host in registries[:2])
    call([IMAGE, {"name": [name, other], "state": "absent"}])
    cannot = [
        {"archive": f"{directory}/both.tar"},
        {"name": NAME, "source_image": name},
        {"name": name, "export_path": "/root/saved.tar"},
        # The image is not pulled before the failed push either.
        {"name": other, "push": True},
        {"name": other, "platform": "linux/arm64"},
        {"name": BUILT, "build": build},
    ]
    with hidden("podman", "buildah"):
        done(image(name=name), "pulled")
        before = listed()
        assert name in before
        results = call(*([IMAGE, options] for options in cannot))
        assert listed() == before
        done(image(name=name, state="absent", all_tags=True), "removed")
    for result in results:
        check_failed(result, "tool_not_found", "podman")


@pytest.mark.runtime("crio")
def test_images_in_another_root_of_crio_are_managed(
    node, *, directory, spec, run_module, image, listed, empty_store
):
    """By default, podman does not use this root."""
    root, path = "/var/lib/containers/elsewhere", f"{directory}/saved.tar"
    storage = {"root": root, "driver": "vfs"}
    node.check_output(f"rm -f {path}")
    empty_store()
    result = run_module(node, ENABLE, **{**spec, "storage": storage})
    assert not result.get("failed"), result
    try:
        done(image(archive=f"{directory}/both.tar"), "loaded")
        done(image(name=NAME, source_image=BOTH), "tagged")
        done(image(name=NAME, export_path=path), "saved")
        done(image(name=NAME, state="absent"), "untagged")
        assert BOTH in listed()
        assert node.file(f"{root}/vfs-images").is_directory
        done(image(name=BOTH, state="absent"), "removed")
    finally:
        result = run_module(node, ENABLE, **spec)
        node.check_output(f"rm -rf {root} {path}")
    assert not result.get("failed"), result


@pytest.fixture
def dockers_spec(node, spec, run_module):
    """Return a function that applies the spec of Docker with further keys."""

    def run(**keys):
        extra = {**spec.get("extra_config", {}), **keys}
        result = run_module(node, ENABLE, **{**spec, "extra_config": extra})
        assert not result.get("failed"), result

    return run


@pytest.mark.runtime("docker")
def test_image_store_of_docker_in_containerd(
    node, *, directory, image, call, listed, dockers_spec, empty_store
):
    version = node.check_output("docker version --format '{{.Server.Version}}'")
    if int(version.partition(".")[0]) < 28:
        pytest.skip("before Docker 28, the option is experimental")
    empty_store()
    dockers_spec(features={"containerd-snapshotter": True})
    node.check_output("rm -f /root/saved.tar")
    # This store is separate, so remove the images from it too.
    call(*CLEAN)
    try:
        for name in ("both", "docker", "oci"):
            done(image(archive=f"{directory}/{name}.tar"), "loaded")
        done(image(archive=f"{directory}/changed.tar"), "loaded")
        done(image(name=[BOTH, DOCKER], export_path="/root/saved.tar"), "saved")
        done(image(name=NAME, source_image=BOTH), "tagged")
        before = listed()
        done(image(name=[BOTH, NAME], state="absent", all_tags=True), "removed")
        done(image(archive="/root/saved.tar"), "loaded")
        assert listed()[BOTH]["id"] == before[BOTH]["id"]
        call(*CLEAN)
    finally:
        empty_store()
        dockers_spec()
        node.check_output("rm -f /root/saved.tar")


def test_all_invalid_references_are_rejected(call):
    wrong = ["-rf", "a b", "Busybox", f"a@sha256:{'0' * 64}@sha256:{'0' * 64}", "a\n"]
    results = call(*([IMAGE, {"name": [name]}] for name in wrong))
    for name, result in zip(wrong, results, strict=True):
        check_failed(result, "option_invalid", repr(name)[1:-1])
