# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses of the CRI and of image tools are parsed, and passwords are passed secretly."""

from __future__ import annotations

import base64
import functools
import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import cri as cri_calls
from ansible_collections.cruntime.node.plugins.module_utils import docker_streams, protobuf
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    Archived,
    fingerprint,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import (
    auth_file,
    builders,
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
from ansible_collections.cruntime.node.plugins.module_utils.images.transfers import transfer_all
from ansible_collections.cruntime.node.plugins.module_utils.protobuf import Field
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import NOT_FOUND
from ansible_collections.cruntime.node.tests.unit.plugins import cri_replay
from ansible_collections.cruntime.node.tests.unit.plugins.cri_replay import Cri
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

MIRRORED = "registry.test:5000/library/mirrored"
DIGEST = "sha256:3f285354d1cafb9c6c69162883013e4e6ace72456b8c256bb73aeda00602a886"
BUILT = "sha256:86aedb203c25d3a5ad741e9e5015ade584e0f60d2ea124a353adcd946be89d69"


VERSIONS = ["1.7.24", "2.4.2"]
BUSYBOX = "sha256:4780c39ba0f325b0eb80ffaad2a8ac06b74fd705709b4217a648e53d856e8502"
PASSWORD = "open-sesame"


@pytest.fixture
def cri_store(monkeypatch):
    """Return a function that returns a store, and the CRI that it calls. No process can start."""

    def refuse(_self, *argv, **options):
        pytest.fail(f"a process was started: {argv}")

    def make(name, **answers):
        for method in ("run", "output", "opened", "started"):
            monkeypatch.setattr(Runner, method, refuse)
        runner = Runner()
        return store_of(runner, runtimes(runner)[name], "/nowhere", 900), Cri(
            monkeypatch, **answers
        )

    return make


def decoded(table, calls):
    """Return the requests of calls."""
    return [protobuf.decode(table, message) for _name, message in calls.calls]


@pytest.mark.parametrize("version", VERSIONS)
def test_real_responses_of_containerd_are_parsed_without_a_process(cri_store, transcript, version):
    answers = cri_replay.recorded(transcript(f"containerd-{version}-cri.json"))
    answers["List"] = cri_replay.complete_names(answers["ListImages"])
    store, calls = cri_store("containerd", **answers)
    store.check(set())
    image = next(each for each in store.images() if each.id == BUSYBOX)
    assert "localhost/cruntime-test/busybox:1" in image.repo_tags
    assert image.size > 2_000_000
    assert image.pinned is False
    details = store.details([BUSYBOX])
    assert details.keys() == {BUSYBOX}
    assert details[BUSYBOX].created > 0
    # One of the containers was created from the ID of the image.
    (users,) = store.users().values()
    assert sorted(user.partition(" ")[0] for user in users) == ["api", "by-id"]
    assert list(store.users()) == [BUSYBOX]
    assert decoded(cri_calls._IMAGE_REQUEST, calls)[2]["image"]["image"] == BUSYBOX[7:]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_that_is_gone_has_no_details_and_counts_as_removed(cri_store, transcript, version):
    answers = cri_replay.recorded(transcript(f"containerd-{version}-cri.json"))
    store, calls = cri_store(
        "containerd",
        ImageStatus=answers["ImageStatus of no image"],
        RemoveImage=answers["RemoveImage of no image"],
    )
    assert store.details([BUSYBOX]) == {}
    store.remove(Image(BUSYBOX), False)
    # A removal has the time of the task.
    assert calls.timeouts == {"ImageStatus": 60, "RemoveImage": 900}


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (NOT_FOUND, "an error occurred when try to find image"),
        # Older versions of CRI-O report an error without a code of its own.
        (2, "could not find image: image not known"),
    ],
)
def test_an_image_that_another_process_removes_counts_as_removed(cri_store, code, detail):
    store, _calls = cri_store("crio", RemoveImage=cri_replay.failed(code, detail))
    store.remove(Image(BUSYBOX), False)


def test_another_failure_of_a_removal_is_an_error(cri_store):
    detail = "delete image: image is in use by a container"
    store, _calls = cri_store("containerd", RemoveImage=cri_replay.failed(2, detail))
    with fails("request_failed", detail):
        store.remove(Image(BUSYBOX), False)


def test_images_of_containerd(transcript):
    listed = cri_replay.images(transcript("containerd-1.7.24-crictl-images.json"))
    (image,) = cri.parse_images(decode_images(listed))
    assert image.id == BUSYBOX
    assert f"{MIRRORED}:1" in image.repo_tags
    assert f"{MIRRORED}@{DIGEST}" in image.repo_digests
    assert (image.size, image.pinned) == (2171545, True)


def decode_images(message):
    table = {1: Field("images", cri_calls._IMAGE, is_repeated=True)}
    return protobuf.decode(table, message)["images"]


def test_ids_of_crio_images_have_the_same_form(transcript):
    listed = cri_replay.images(transcript("crio-1.37-crictl-images.json"))
    images = cri.parse_images(decode_images(listed))
    assert [image.repo_tags for image in images] == [(), ("docker.io/library/built:1",)]
    assert images[1].id == BUILT


def test_details_of_an_image(cri_store, transcript):
    inspected = transcript("crio-1.37-crictl-inspecti.json")
    known = cri_replay.statuses(cri_calls._IMAGE_STATUS, inspected)
    store, calls = cri_store("crio", ImageStatus=known[BUILT[7:]])
    details = store.details([BUILT])
    assert details[BUILT].labels["v"] == "1"
    assert details[BUILT].created == 1795475640
    # CRI-O parses an ID with its algorithm as a name.
    (request,) = decoded(cri_calls._IMAGE_REQUEST, calls)
    assert (request["image"]["image"], request["verbose"]) == (BUILT[7:], True)


@pytest.mark.parametrize(
    "container",
    [
        {"image_ref": BUILT},
        # CRI-O 1.31 and newer.
        {"image_ref": f"r.test/app@{DIGEST}", "image_id": BUILT[7:]},
        {"image": {"image": BUILT[7:]}},
    ],
)
def test_containers_of_each_image(container):
    known = {"id": "0123456789abcdef", "metadata": {"name": "app"}, **container}
    message = protobuf.encode(cri_calls._CONTAINER, known)
    found = protobuf.decode(cri_calls._CONTAINER, message)
    assert cri.parse_users([found]) == {BUILT: ["app (0123456789ab)"]}
    assert cri.parse_users([]) == {}


@pytest.mark.parametrize("name", ["containerd", "crio"])
def test_a_password_is_only_in_the_request(cri_store, name):
    store, calls = cri_store(name, PullImage=b"")
    store.pull("r.test/a:1", Credentials("user", PASSWORD), None)
    store.pull("r.test/b:1", None, None)
    first, second = decoded(cri_calls._PULL_REQUEST, calls)
    assert first["auth"] == {"username": "user", "password": PASSWORD}
    assert second["auth"] is None
    assert [each["image"]["image"] for each in (first, second)] == ["r.test/a:1", "r.test/b:1"]
    # A pull has the time of the task.
    assert calls.timeouts == {"PullImage": 900}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cause_of_a_failed_pull_is_the_message_of_the_daemon(cri_store, transcript, version):
    answers = cri_replay.recorded(transcript(f"containerd-{version}-cri.json"))
    down = answers["PullImage of a registry that is down"]
    store, calls = cri_store("containerd", PullImage=down)
    pull = functools.partial(store.pull, credentials=None, platform=None)
    given = {"retries": 2, "await_registry": print, "sleep": lambda _pause: None}
    (failure,) = transfer_all(pull, ["127.0.0.1:9/a/b:1"], parallel=1, **given)
    assert failure.cause.startswith('failed to pull and unpack image "127.0.0.1:9/a/b:1": ')
    assert failure.cause.endswith("dial tcp 127.0.0.1:9: connect: connection refused")
    assert "rpc error" not in failure.cause
    assert failure.cause.count("connection refused") == 1
    assert (failure.attempts, len(calls.calls)) == (3, 3)


def test_the_cause_of_a_failure_is_reported_once():
    assert containerd.parse_failure("elapsed: 0.1 s ctr: no such file") == "no such file"
    assert crio.parse_failure("time=x level=warning Error: no") == "no"


def test_names_of_containerd_replace_the_names_that_the_cri_lists():
    """The names are those of containerd 2.4.2 after ctr images import and ctr images rm."""
    first, second, third, gone = (f"sha256:{digit * 64}" for digit in "1234")
    listed = [
        Image(first, ("docker.io/library/sbx:1", "docker.io/library/import-2026-11-30:v9")),
        Image(second, ("docker.io/hnew/idx:1",), (f"docker.io/hnew/idx@{DIGEST}",)),
        Image(third, ("docker.io/hnew/untagged:1",)),
        Image(gone, ("docker.io/hnew/gone:1",)),
    ]
    names = {
        *("sbx:1", "docker.io/library/sbx:1", "import-2026-11-30:v9", first),
        *("index.docker.io/hnew/idx:1", f"docker.io/hnew/idx@{DIGEST}"),
        third,
    }
    records = [{"name": name, "target": {"digest": DIGEST}} for name in names]
    one, digests = (DIGEST,), (f"docker.io/hnew/idx@{DIGEST}",)
    assert containerd.match_names(listed, records) == [
        Image(first, ("docker.io/library/sbx:1", "sbx:1", "import-2026-11-30:v9"), targets=one),
        Image(second, ("index.docker.io/hnew/idx:1",), digests, targets=one),
        Image(third),
    ]


def test_names_that_the_cri_does_not_list_are_for_another_platform():
    here = [Image(f"sha256:{'1' * 64}", ("docker.io/library/a:1",))]
    foreign = f"sha256:{'2' * 64}"
    records = [
        {"name": name, "target": {"digest": foreign}}
        for name in ("docker.io/library/b:1", f"docker.io/library/b@{foreign}", foreign)
    ]
    records.append({"name": "docker.io/library/a:1", "target": {"digest": DIGEST}})
    assert containerd.group_others(here, records) == [
        Image(
            foreign,
            ("docker.io/library/b:1",),
            (f"docker.io/library/b@{foreign}",),
            is_foreign=True,
        )
    ]


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        ("26.1.5", "30cb1ee910b44a2448e601282578ffc2544fd56fe3d73e459d3fe24c3964bc29"),
        ("29.8.1", "96380f35634e60e66db044dbf1ec156a6b03c2a80e9262e1d2bef43e236b1042"),
    ],
)
def test_the_digest_of_a_push_of_docker_is_parsed(transcript, version, digest):
    pieces = [transcript(f"docker-{version}-push.bin").encode()]
    documents = docker_streams.read_documents(pieces)
    messages = [text for each in documents for text in docker_streams.find_message(each)]
    assert docker.parse_pushed(messages, "x:1") == f"sha256:{digest}"
    with fails("output_unreadable", "x:1"):
        docker.parse_pushed(messages[:1], "x:1")


@pytest.mark.parametrize("version", ["26.1.5", "29.8.1"])
def test_an_error_in_the_response_of_a_pull_is_found(transcript, version):
    pieces = [transcript(f"docker-{version}-pull-damaged.bin").encode()]
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
    archived = Archived((), DIGEST, "", fingerprint(config, [DIGEST]), "", "c.json", ())
    assert image.is_same(archived)
    # An artifact, such as a Helm chart, has no layers of an image.
    (image,) = docker.parse_images([inspected(RootFS={}, Config=None, RepoTags=None)], True)
    assert image.repo_tags == ()


def test_platforms_of_an_image_of_docker():
    manifests = [{"ID": DIGEST, "Available": True}, {"ID": BUILT, "Available": False}]
    (image,) = docker.parse_images([inspected(Manifests=manifests)], True)
    assert image.targets == (DIGEST,)
    # An archive of this platform alone.
    assert image.is_same(Archived((), "", DIGEST, "", "", "c.json", ()))
    assert not image.is_same(Archived((), "", f"sha256:{'9' * 64}", "", "", "c.json", ()))


@pytest.mark.parametrize(
    ("platform", "is_foreign"),
    [(("linux", "amd64"), False), (("linux", "s390x"), True), (("", ""), True)],
)
def test_image_of_docker_for_another_platform(monkeypatch, platform, is_foreign):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    item = inspected(**dict(zip(("Os", "Architecture"), platform)))
    (image,) = docker.parse_images([item], True)
    assert image.is_foreign is is_foreign


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


def test_the_directory_of_containerd_is_in_the_status_of_its_cri(cri_store, transcript):
    config = json.loads(transcript("containerd-1.7.24-crictl-info.json"))["config"]
    status = protobuf.encode(cri_calls._STATUS, {"info": {"config": json.dumps(config)}})
    elsewhere, _calls = cri_store("containerd", Status=status)
    assert elsewhere.root == "/var/lib/containerd"


@pytest.mark.parametrize(
    ("name", "verb", "words"),
    [("containerd", "load", "loading images"), ("crio", "untag", "removing a name")],
)
def test_a_tool_is_required_only_for_its_changes(cri_store, monkeypatch, name, verb, words):
    checked, _calls = cri_store(name)
    monkeypatch.setattr(Runner, "which", lambda _self, tool: None)
    checked.check({"pull", "remove"})
    with fails("tool_not_found", {"containerd": "ctr", "crio": "podman"}[name], words):
        checked.check({verb})


@pytest.mark.parametrize(
    ("tags", "dockerfile", "hosts"),
    [
        (("r.test/a:1",), "FROM other.test/base:1\n", ["r.test"]),
        (("docker.io/library/a:1",), "FROM other.test/base:1\n", ["docker.io"]),
        (
            ("localhost/a:1",),
            "# FROM x.test/y\nFROM --platform=linux/arm64 r.test:5000/b AS c\n",
            ["r.test:5000"],
        ),
        (("localhost/a:1",), "from r.test/b\nFROM scratch\nFROM r.test/c\n", ["r.test"]),
        # The credentials of one registry are not sent to another one.
        (("localhost/a:1",), "FROM r.test/b\nFROM other.test/c\n", []),
        (("localhost/a:1",), "FROM busybox\nFROM r.test/c\n", []),
        (("localhost/a:1",), "ARG BASE\nFROM $BASE\n", []),
    ],
)
def test_credentials_of_a_build_are_for_one_registry(tags, dockerfile, hosts):
    assert builders.find_registries(tags, dockerfile) == hosts


def test_failed_build_shows_the_end_of_both_outputs(tmp_path):
    build = Build(str(tmp_path), "/none", ("a:1",), {}, {}, ())
    script = "seq 40; echo the reason; echo exit status 1 >&2; exit 1"
    with pytest.raises(CommandError, match="sh build") as caught:
        builders.run(
            Runner(), "sh", "-c", script, build=build, scratch_dir=str(tmp_path), timeout=60
        )
    lines = str(caught.value).splitlines()
    assert lines[-2:] == ["the reason", "exit status 1"]
    assert len(lines) == 20


def test_build_gets_the_credentials_of_the_task(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM r.test/base:1\n")
    credentials = Credentials("user", "password")
    tags = ("localhost/a:1",)
    build = Build(str(tmp_path), str(tmp_path / "Dockerfile"), tags, {}, {}, (), credentials)
    out = tmp_path / "out"
    script = f'cat "$DOCKER_CONFIG/config.json" > {out}'
    builders.run(Runner(), "sh", "-c", script, build=build, scratch_dir=str(tmp_path), timeout=60)
    assert list(json.loads(out.read_text())["auths"]) == ["r.test"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Dockerfile", "out"]


def test_containers_of_podman():
    listed = [
        {"Id": "0123456789abcdef", "Names": ["user"], "ImageID": BUILT[7:]},
        {"Id": "f" * 64, "Names": None, "ImageID": BUILT[7:]},
    ]
    assert crio.parse_users(json.dumps(listed)) == {
        BUILT: ["user (0123456789ab)", " (ffffffffffff)"]
    }
    with fails("output_unreadable", "podman ps"):
        crio.parse_users("[{}]")


def test_pod_removed_after_the_list_has_no_sandbox_image(cri_store, transcript, monkeypatch):
    monkeypatch.setattr(Containerd, "settings", lambda _self: {})
    gone = cri_replay.failed(NOT_FOUND, "an error occurred when try to find sandbox: not found")
    info = {"info": json.dumps({"image": "registry.k8s.io/pause:3.9"})}
    status = protobuf.encode(cri_calls._SANDBOX_STATUS, {"info": info})
    pods = cri_replay.pods(transcript("containerd-2.1.9-crictl-pods.json"))
    store, _calls = cri_store("containerd", ListPodSandbox=pods, PodSandboxStatus=[gone, status])
    assert store.sandbox_images() == {"registry.k8s.io/pause:3.9"}
    denied = cri_replay.failed(7, "permission denied")
    store, _calls = cri_store("containerd", ListPodSandbox=pods, PodSandboxStatus=denied)
    with fails("request_failed", "permission denied"):
        store.sandbox_images()


def test_sandbox_images_of_pods(transcript):
    documents = json.loads(transcript("crio-1.37.0-crictl-inspectp.json"))
    statuses = [{"info": {"info": json.dumps(each["info"])}} for each in documents]
    # A runtime can report no details.
    found = cri.parse_sandbox_images([*statuses, {"info": {}}])
    assert found == {"localhost/cruntime-test/pause:1"}


def test_an_unknown_time_is_ignored():
    assert parse_time(None) == parse_time("") == 0


def test_a_password_is_in_no_file(tmp_path):
    with auth_file.written(str(tmp_path), ["r:5000"], Credentials("user", "secret")) as file:
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
