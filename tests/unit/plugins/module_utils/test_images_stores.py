# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of image tools is parsed, and passwords are passed to the tools secretly."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import docker_streams
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    Archived,
    fingerprint,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import (
    auth_file,
    containerd,
    cri,
    crio,
    docker,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Build,
    Credentials,
    Image,
    parse_time,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.catalog import store_of
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

MIRRORED = "registry.test:5000/library/mirrored"
DIGEST = "sha256:3f285354d1cafb9c6c69162883013e4e6ace72456b8c256bb73aeda00602a886"
BUILT = "sha256:86aedb203c25d3a5ad741e9e5015ade584e0f60d2ea124a353adcd946be89d69"


def test_images_of_containerd(transcript):
    (image,) = cri.parse_images(transcript("containerd-1.7.24-crictl-images.json"))
    assert image.id == "sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502"
    assert f"{MIRRORED}:1" in image.repo_tags
    assert f"{MIRRORED}@{DIGEST}" in image.repo_digests
    assert (image.size, image.pinned) == (2171545, True)


def test_ids_of_crio_images_have_the_same_form(transcript):
    images = cri.parse_images(transcript("crio-1.37-crictl-images.json"))
    assert [image.repo_tags for image in images] == [(), ("docker.io/library/built:1",)]
    assert images[1].id == BUILT


def test_details_of_an_image(transcript):
    text = transcript("crio-1.37-crictl-inspecti.json")
    details = cri.parse_details(text)
    assert details[BUILT].labels["v"] == "1"
    assert details[BUILT].created == 1795475640
    # For several images, crictl prints a list, or several documents in older versions.
    assert cri.parse_details(f"[{text}]") == cri.parse_details(f"{text}\n{text}\n") == details


def test_containers_of_each_image():
    text = json.dumps(
        {
            "containers": [
                {
                    "id": "0123456789abcdef",
                    "metadata": {"name": "app"},
                    "image": {"image": "r.test/app:1"},
                    "imageRef": BUILT[7:],
                }
            ]
        }
    )
    assert cri.parse_users(text) == {BUILT: ["app (0123456789ab)"]}
    assert cri.parse_users('{"containers": []}') == {}


def test_the_cause_of_a_failure_is_reported_once(transcript):
    words = " ".join(transcript("containerd-2.1.9-crictl-pull-refused.txt").split())
    assert cri.parse_failure(words) == (
        'failed to pull and unpack image "registry.test:5000/library/nope:1": '
        "failed to resolve image: registry.test:5000/library/nope:1: not found"
    )
    assert cri.parse_failure("FATA[0000] pulling image: no") == "no"
    assert containerd.parse_failure("elapsed: 0.1 s ctr: no such file") == "no such file"
    assert crio.parse_failure("time=x level=warning Error: no") == "no"


def test_the_digest_of_a_push_is_parsed(transcript):
    table = transcript("containerd-1.7.24-ctr-images-list.txt")
    assert containerd.parse_target(table, f"{MIRRORED}:1")[1] == DIGEST
    with fails("image_not_found", "nothing:1"):
        containerd.parse_target(table, "nothing:1")


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        ("26.1.5", "30cb1ee910b44a2448e601282578ffc2544fd56fe3d73e459d3fe24c3964bc29"),
        ("29.8.1", "96380f35634e60e66db044dbf1ec156a6b03c2a80e9262e1d2bef43e236b1042"),
    ],
)
def test_the_digest_of_a_push_of_docker_is_parsed(transcript, version, digest):
    pieces = [transcript(f"docker-{version}-push.jsonl").encode()]
    documents = docker_streams.read_documents(pieces)
    messages = [text for each in documents for text in docker_streams.find_message(each)]
    assert docker.parse_pushed(messages, "x:1") == f"sha256:{digest}"
    with fails("output_unreadable", "x:1"):
        docker.parse_pushed(messages[:1], "x:1")


@pytest.mark.parametrize("version", ["26.1.5", "29.8.1"])
def test_an_error_in_the_response_of_a_pull_is_found(transcript, version):
    pieces = [transcript(f"docker-{version}-pull-damaged.jsonl").encode()]
    errors = map(docker_streams.find_error, docker_streams.read_documents(pieces))
    assert len(list(filter(None, errors))) == 1


def inspected(**changes):
    return {
        "Id": BUILT,
        "RepoTags": ["busybox:1"],
        "RepoDigests": [],
        "Size": 7,
        "Created": "2024-01-01T00:00:00Z",
        "Architecture": "amd64",
        "Os": "linux",
        "Config": {"Cmd": ["/bin/sh"], "Labels": None},
        "RootFS": {"Layers": [DIGEST]},
        **changes,
    }


@pytest.mark.parametrize(("version", "in_containerd"), [("26.1.5", False), ("29.8.1", True)])
def test_images_of_docker(transcript, version, in_containerd):
    item = json.loads(transcript(f"docker-{version}-image.json"))
    (image,) = docker.parse_images([item], in_containerd)
    assert image.id == item["Id"]
    assert "localhost/cruntime-test/busybox:1" in image.repo_tags
    assert image.size > 0
    # If the ID is the digest of a manifest, the parts of the image are compared.
    assert bool(image.fingerprint) is in_containerd
    details = docker.parse_details([item])
    assert details[item["Id"]].created == 1704067200


def test_an_image_of_docker_without_a_name_is_compared_by_its_parts():
    """An image without a name has no digest from which its store could be guessed."""
    item = inspected(RepoTags=[], RepoDigests=[])
    (image,) = docker.parse_images([item], True)
    config = {**item, "config": item["Config"], "rootfs": {"diff_ids": [DIGEST]}}
    archived = Archived((), DIGEST, "", fingerprint(config, [DIGEST]), "c.json", ())
    assert image.is_same(archived)
    # An artifact, such as a Helm chart, has no layers of an image.
    (image,) = docker.parse_images([inspected(RootFS={}, Config=None, RepoTags=None)], True)
    assert image.repo_tags == ()


def test_containers_of_each_image_of_docker():
    items = [
        {"Id": "0123456789abcdef", "Names": ["/other/alias", "/app"], "ImageID": BUILT},
        {"Id": "0" * 64, "Names": None, "ImageID": BUILT},
    ]
    users = docker.parse_users(items)
    assert users == {BUILT: ["app (0123456789ab)", f"{'0' * 64} (000000000000)"]}
    with fails("output_unreadable", "GET /containers/json"):
        docker.parse_users([{}])


def test_only_a_build_with_docker_needs_its_client(monkeypatch, store):
    checked, _ran = store("docker", {})
    monkeypatch.setattr(Runner, "which", lambda _self, _tool: None)
    checked.check({"pull", "load", "save", "push", "tag", "untag", "remove", "preload"})
    with fails("tool_not_found", "docker-ce-cli", "docker.io"):
        checked.check({"build"})


def test_a_tarball_of_docker_without_images_is_refused(tmp_path, store):
    opened, _ran = store("docker", {})
    (tmp_path / "docker/image").mkdir(parents=True)
    with fails("archive_invalid", "/var/lib/containerd"):
        opened.open_source(str(tmp_path / "docker"))


@pytest.fixture
def store(monkeypatch):
    """Return a function that returns a store on a node with these tools, and their commands."""

    def make(name, answers):
        ran = []

        def run(_self, *argv, **options):
            ran.append(" ".join(argv))
            return Result(
                0, next((out for part, out in answers.items() if part in ran[-1]), ""), ""
            )

        monkeypatch.setattr(Runner, "run", run)
        monkeypatch.setattr(Runner, "which", lambda _self, tool: f"/usr/bin/{tool}")
        runner = Runner()
        return store_of(runner, runtimes(runner)[name], "/nowhere"), ran

    return make


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crio", "CRI-O cannot pin or unpin a single image"),
        ("docker", "Docker cannot pin or unpin images"),
        ("containerd", "1.7.2 is older than 1.7.3"),
    ],
)
@pytest.mark.parametrize("verb", ["pin", "unpin"])
def test_a_store_that_cannot_pin_rejects_the_request_first(store, name, words, verb):
    checked, _ran = store(name, {"containerd --version": "containerd x 1.7.2 y"})
    checked.check({"load"})
    with pytest.raises(CruntimeError, match=words):
        checked.check({verb})


def test_podman_uses_the_store_of_crio(monkeypatch, store, transcript):
    config = transcript("crio-1.37.0-status-config.toml")
    for old, new in (
        ('root = "/var/lib/containers/storage"', 'root = "/srv/crio"'),
        (
            '  storage_driver = "overlay"',
            '  storage_driver = "vfs"\n  storage_option = ["vfs.a=b"]',
        ),
    ):
        assert old in config
        config = config.replace(old, new)
    queries = []
    monkeypatch.setattr(Crio, "running_config", lambda _self: queries.append(1) or config)
    moved, ran = store("crio", {})
    assert moved.root == "/srv/crio"
    image = Image(BUILT)
    moved.tag(image, "r.test/a:1")
    moved.save(["r.test/a:1"], "/a.tar")
    flags = "--root /srv/crio --runroot /run/containers/storage --storage-driver vfs"
    podman = f"podman {flags} --storage-opt vfs.a=b"
    assert ran == [
        f"{podman} tag {BUILT} r.test/a:1",
        f"{podman} save --quiet --format docker-archive --multi-image-archive "
        "--output /a.tar r.test/a:1",
    ]
    # The storage is queried once.
    assert len(queries) == 1
    # A read-only store has its own path and driver.
    with moved.open_source("/srv/crio/x/store") as source:
        source.save(["r.test/a:1"], "/a.tar")
    assert "--root /srv/crio/x/store --runroot /srv/crio/x/run --storage-driver overlay" in ran[-1]
    assert "vfs" not in ran[-1]


def test_paths_of_the_other_image_stores(store, transcript):
    elsewhere, _ran = store(
        "containerd", {"info": transcript("containerd-1.7.24-crictl-info.json")}
    )
    assert elsewhere.root == "/var/lib/containerd"


def test_removing_an_image_has_a_long_timeout(store):
    slow, ran = store("containerd", {})
    slow.remove(Image(BUILT), False)
    slow._crictl("images")
    assert "--timeout 590s rmi" in ran[0]
    assert "--timeout 10s images" in ran[1]


def test_an_unknown_time_is_ignored():
    assert parse_time(None) == parse_time("") == 0


def test_a_password_is_in_no_file(tmp_path):
    with auth_file.written(str(tmp_path), "r:5000", Credentials("user", "secret")) as file:
        # The tool can read the password repeatedly, and no other process can follow the link.
        for _time in range(2):
            read = Runner().run("cat", file.path, descriptors=(file.descriptor,))
            auth = json.loads(read.out)["auths"]["r:5000"]["auth"]
            assert base64.b64decode(auth) == b"user:secret"
        assert Runner().run("cat", file.path).rc != 0
        assert [path.lstat().st_size < 30 for path in tmp_path.rglob("*.json")] == [True]
    assert list(tmp_path.iterdir()) == []


def test_build_arguments_do_not_replace_variables_of_the_builder():
    args = {"TOKEN": "t", "PATH": "/nowhere", "https_proxy": "http://p", "DOCKER_HOST": "tcp://d"}
    args |= {"GODEBUG": "g", "GOAL": "x"}
    build = Build("/c", "/c/Dockerfile", ("a:1",), args, {}, ())
    words, variables = build.pass_args()
    # Other users can read the words.
    assert variables == {"TOKEN": "t", "GOAL": "x"}
    assert words == [
        *("--build-arg", "TOKEN", "--build-arg", "PATH=/nowhere"),
        *("--build-arg", "https_proxy=http://p", "--build-arg", "DOCKER_HOST=tcp://d"),
        *("--build-arg", "GODEBUG=g", "--build-arg", "GOAL"),
    ]
