"""Images are loaded, pulled, built, tagged, saved, pushed, pinned, pruned and removed for real."""

from __future__ import annotations

import json
import pathlib

import pytest

IMAGE = "cruntime.node.cruntime_image"
ENABLE = "cruntime.node.cruntime_enable"
ON_NODE = pathlib.Path(__file__).parent / "on_node"
FOLDER = "/root/images"
OURS = "localhost/cruntime-test"
CA = "/etc/ssl/registry-test.pem"
TLS, PLAIN, PASSWORD = (f"registry.test:{port}" for port in (5000, 5001, 5002))
MIRRORED = "library/mirrored:1"
REGISTRIES = [
    {"registry": TLS, "ca_file": CA},
    {"registry": PLAIN, "insecure": True},
    {"registry": PASSWORD, "ca_file": CA},
]


@pytest.fixture
def image(node, run_module, crictl_where_needed):
    """A function that runs cruntime_image on the node, and its check mode before it."""

    def run(**options):
        foreseen = run_module(node, IMAGE, check=True, **options)
        result = run_module(node, IMAGE, diff=True, **options)
        assert foreseen.get("failed") or foreseen["changed"] is result["changed"], (
            foreseen,
            result,
        )
        return result

    return run


@pytest.fixture
def crictl_where_needed(request, runtime):
    if runtime.name != "docker":
        request.getfixturevalue("crictl")


@pytest.fixture
def listed(node, run_module):
    """A function that returns all images of the node, by each of their names."""

    def look():
        result = run_module(node, "cruntime.node.cruntime_info", gather_subset=["images"])
        assert not result.get("failed"), result
        return {name: image for image in result["images"] for name in image["repo_tags"]}

    return look


@pytest.fixture
def folder(node, image):
    """A folder of archives on the node, none of whose images is there."""
    script = (ON_NODE / "archives.py").read_text()
    node.check_output(f"test -d {FOLDER} || /usr/bin/python3 -c %s {FOLDER}", script)
    yield FOLDER
    names = ("both", "docker", "oci", "other", "unnamed", "built", "name")
    image(name=[f"{OURS}/{name}:1" for name in names], state="absent", force=True)


def ok(result, changed=True):
    assert not result.get("failed"), result
    assert result["changed"] is changed, result
    return result


def test_archives_of_every_kind_are_loaded_once(folder, image, listed):
    archives = [f"{folder}/{name}" for name in ("both.tar.gz", "docker.tar", "oci.tar")]
    result = ok(image(archive=archives))
    assert len(result["actions"]) == 3
    names = [f"{OURS}/{name}:1" for name in ("both", "docker", "oci")]
    assert set(names) <= set(listed())
    # Compressed in whatever way, it is the same.
    ok(image(archive=[*archives, f"{folder}/both.tar.zst", f"{folder}/both.tar.lz4"]), False)
    before = listed()
    result = ok(image(name=f"{OURS}/both:1", archive=f"{folder}/changed.tar"))
    after = listed()
    assert after[names[0]]["id"] != before[names[0]]["id"]
    assert before[names[0]]["id"] in json.dumps(result["diff"])
    assert after[names[0]]["id"] in json.dumps(result["diff"])
    # Of two images in one archive, one is missing.
    ok(image(archive=f"{folder}/two.tar"))
    ok(image(archive=f"{folder}/two.tar"), False)
    assert set(names) <= set(listed())


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_an_archive_without_a_name_gets_one(folder, image, listed, kind):
    task = {"name": f"{OURS}/unnamed:1", "archive": f"{folder}/unnamed-{kind}.tar"}
    ok(image(**task))
    ok(image(**task), False)
    assert not [name for name in listed() if "import" in name]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("truncated.tar", "no whole tar"),
        ("truncated.tar.gz", ""),
        ("truncated.tar.zst", ""),
        ("truncated.tar.lz4", ""),
        ("lacking.tar", "lacks"),
        ("outside.tar", "outside"),
        ("foreign.tar", "holds no images"),
        ("text.tar", "no whole tar"),
        ("", "folder"),
        ("nowhere.tar", "there is no archive"),
    ],
)
@pytest.mark.once
def test_what_is_no_whole_archive_is_refused(node, folder, run_module, listed, path, words):
    before = listed()
    result = run_module(node, IMAGE, archive=f"{folder}/{path}")
    assert result["failed"]
    assert words in result["msg"]
    assert f"{folder}/{path}".rstrip("/") in result["msg"]
    assert listed() == before


def test_a_missing_tool_is_named(node, folder, run_module):
    node.check_output("mv /usr/bin/lz4 /usr/bin/lz4.away")
    try:
        result = run_module(node, IMAGE, archive=f"{folder}/both.tar.lz4")
    finally:
        node.check_output("mv /usr/bin/lz4.away /usr/bin/lz4")
    assert "install the package lz4" in result["msg"]


def test_tags_come_and_go(folder, image, listed):
    name, other = f"{OURS}/both:1", f"{OURS}/name:1"
    ok(image(archive=f"{folder}/both.tar"))
    ok(image(name=other, tag_of=name))
    ok(image(name=other, tag_of=name), False)
    assert listed()[other]["id"] == listed()[name]["id"]
    ok(image(name=name, state="absent"))
    ok(image(name=name, state="absent"), False)
    assert other in listed()
    # By its ID, it goes with every name.
    ok(image(name=listed()[other]["id"], state="absent"))
    assert other not in listed()
    assert "no image" in image(name=other, tag_of=name)["msg"]


def test_an_image_is_saved_once(node, folder, image):
    name, path = f"{OURS}/both:1", f"{folder}/saved.tar"
    ok(image(archive=[f"{folder}/both.tar", f"{folder}/other.tar"]))
    task = {"name": [name, f"{OURS}/other:1"], "save_to": path}
    ok(image(**task))
    inode = node.check_output(f"stat -c %i {path}")
    ok(image(**task), False)
    assert node.check_output(f"stat -c %i {path}") == inode
    # It holds what can be loaded again.
    ok(image(name=task["name"], state="absent"))
    ok(image(archive=path))
    ok(image(archive=f"{folder}/changed.tar"))
    ok(image(**task))
    ok(image(**task), False)
    assert node.check_output(f"ls -a {folder} | grep -c cruntime- || true") == "0"
    node.check_output(f"rm {path}")
