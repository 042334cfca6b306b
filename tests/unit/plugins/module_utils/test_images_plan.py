# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of image actions from a request and the observed images."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.images import plan
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Image
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import Filters, ImageIndex
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
APP, OTHER = "r.test/app:1", "r.test/other:1"


def archived(config, *names, target="", fingerprint=""):
    return Archived(names, config, target, fingerprint, "linux/amd64", "c.json", ())


def archive(*images, path="/a.tar"):
    return Archive(path, "", images)


def summarize(steps):
    return [(step.verb, step.name) for step in steps]


SEEN = ImageIndex(
    [
        Image(A, (APP, "docker.io/library/busybox:latest"), (f"r.test/app@{C}",)),
        Image(B, (OTHER,), pinned=True),
    ]
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (APP, A),
        ("busybox", A),
        ("docker.io/busybox:latest", A),
        ("busybox:1", None),
        (f"r.test/app@{C}", A),
        (f"r.test/app:9@{C}", A),
        # The tag exists, but with does not match the digest.
        (f"r.test/app:1@{B}", None),
        (f"r.test/other@{C}", None),
        (A, A),
        (A[7:], A),
        (C, None),
    ],
)
def test_presence_of_an_image(name, found):
    image = SEEN.find(name)
    assert (image and image.id) == found


@pytest.mark.parametrize(
    ("names", "policy", "pulled"),
    [
        ([APP, "busybox"], "missing", []),
        ([APP, "new"], "missing", ["docker.io/library/new:latest"]),
        ([APP, A], "always", [APP]),
        ([APP], "never", []),
    ],
)
def test_images_to_pull(names, policy, pulled):
    assert summarize(plan.to_pull(names, SEEN, policy)) == [("pull", name) for name in pulled]


@pytest.mark.parametrize(
    ("name", "policy", "message"),
    [("new:1", "never", "pull=never is set: new:1"), (C, "missing", "an ID cannot be pulled")],
)
def test_images_that_cannot_be_pulled(name, policy, message):
    with pytest.raises(CruntimeError, match=message):
        plan.to_pull([name], SEEN, policy)


def test_an_image_for_another_platform_only_is_pulled():
    foreign = ImageIndex([Image(A, ("docker.io/library/app:1",), is_foreign=True)])
    assert summarize(plan.to_pull(["app:1"], foreign, "missing")) == [
        ("pull", "docker.io/library/app:1")
    ]
    # The task asks for such an image.
    assert plan.to_pull(["app:1"], foreign, "missing", "linux/s390x") == []


def load(*archives, names=()):
    return summarize(plan.to_load(plan.select_archived(list(names), list(archives)), SEEN))


def test_an_archive_is_loaded_for_missing_images():
    assert load(archive(archived(A, APP))) == []
    assert load(archive(archived(C, APP))) == [("load", "")]
    # The same image has another name.
    assert load(archive(archived(A, "r.test/new:1"))) == [("tag", "r.test/new:1")]
    # Two names from one archive are one load, and need no tag before the load.
    both = archive(archived(C, "r.test/x:1", "r.test/y:1"), archived(A, "r.test/z:1"))
    assert load(both) == [("load", "")]
    # Only requested names count.
    assert load(both, names=["r.test/z:1"]) == [("tag", "r.test/z:1")]


def test_an_image_without_a_name_is_tagged():
    unnamed = archive(archived(C))
    assert load(unnamed, names=["new:1"]) == [("load", "docker.io/library/new:1")]
    assert load(unnamed) == [("load", "")]
    assert load(archive(archived(A))) == []
    with fails("image_not_found", "/a.tar", "new:1", "r.test/app:1"):
        load(archive(archived(A, APP)), names=["new:1"])


def test_images_are_compared_as_the_store_identifies_them():
    manifest = Image(C, (APP,), fingerprint="f")
    assert manifest.is_same(archived(A, target=C))
    assert manifest.is_same(archived(A, fingerprint="f"))
    assert not manifest.is_same(archived(A, fingerprint="g"))
    # If the ID is the digest of the configuration, only the ID is compared.
    assert not Image(C, (APP,)).is_same(archived(A, fingerprint=""))


def test_only_missing_tags_are_set():
    assert summarize(plan.to_tag(["r.test/new:1", APP], APP, SEEN)) == [("tag", "r.test/new:1")]
    assert summarize(plan.to_tag([OTHER], A, SEEN)) == [("tag", OTHER)]
    with fails("image_not_found", "source_image", "nothing"):
        plan.to_tag([APP], "nothing", SEEN)


@pytest.mark.parametrize(
    ("names", "all_tags", "steps"),
    [
        (["nothing"], False, []),
        ([APP], False, [("untag", APP)]),
        ([APP], True, [("remove", APP)]),
        ([APP, "busybox"], False, [("remove", APP)]),
        ([A], False, [("remove", APP)]),
        ([f"r.test/app@{C}"], False, [("remove", APP)]),
        ([OTHER], False, [("remove", OTHER)]),
    ],
)
def test_images_to_remove(names, all_tags, steps):
    assert summarize(plan.to_remove(names, SEEN, all_tags)) == steps


def test_a_short_name_also_matches_localhost():
    for spelling in ("localhost/app:1", "localhost/library/app:1"):
        seen = ImageIndex([Image(A, (spelling,))])
        assert summarize(plan.to_remove(["app:1"], seen, False)) == [("remove", spelling)]
        assert plan.to_pull(["app:1"], seen, "missing")


PRUNED = ImageIndex(
    [
        Image(A, ("r.test/used:1",)),
        Image(B, ("r.test/pinned:1",), pinned=True),
        Image(C, ("docker.io/library/busybox:latest",)),
        Image("sha256:" + "d" * 64),
    ]
)


@pytest.mark.parametrize(
    ("filters", "pruned"),
    [
        (Filters(), [C, "sha256:" + "d" * 64]),
        (Filters(untagged=True), ["sha256:" + "d" * 64]),
        (Filters(include=("busy*",)), []),
        (Filters(include=("docker.io/*",)), [C]),
        (Filters(include=("busybox",)), [C]),
        (Filters(exclude=("busybox",)), ["sha256:" + "d" * 64]),
        (Filters(exclude=("*",)), []),
        (Filters(spared=("busybox", A, "nothing")), ["sha256:" + "d" * 64]),
        (Filters(spared=("docker.io/*/busybox",)), [C, "sha256:" + "d" * 64]),
    ],
)
def test_images_to_prune(filters, pruned):
    steps = plan.to_prune(PRUNED, {A: ["user"]}, filters)
    assert [step.image.id for step in steps] == pruned


def test_a_name_is_not_used_as_a_pattern():
    name = "[fd00::1]:5000/app:1"
    seen = ImageIndex([Image(A, (name,))])
    for filters in (Filters(spared=(name,)), Filters(exclude=(name,))):
        assert plan.to_prune(seen, {}, filters) == []
    assert plan.to_prune(seen, {}, Filters(include=(name,)))


@pytest.mark.parametrize(
    ("digest", "config", "fingerprint", "same"),
    [
        (A, "", "", True),
        (B, A, "", True),
        (C, "", "", True),
        (B, C, "f", True),
        (B, "", "", False),
        (B, C, "g", False),
    ],
)
def test_images_that_a_registry_has_already(digest, config, fingerprint, same):
    image = dataclasses.replace(SEEN.find(APP), fingerprint="f")
    assert plan.is_published(image, digest, config, fingerprint) is same
    # Two unknown digests are not equal.
    assert not plan.is_published(SEEN.find(OTHER), C, "", "")


def test_images_to_pin():
    assert summarize(plan.to_pin([APP, OTHER], SEEN, True)) == [("pin", APP)]
    assert summarize(plan.to_pin([APP, OTHER], SEEN, False)) == [("unpin", OTHER)]


# Names as tools that do not use the CRI write them to containerd.
INCOMPLETE = ImageIndex(
    [
        Image(A, ("sbx:1", "import-2026-11-30:v9")),
        Image(B, ("index.docker.io/hnew/idx:1",)),
        Image(C, ("docker.io/library/both:1",)),
        Image("sha256:" + "d" * 64, ("both:1",)),
    ]
)


def test_incomplete_name_gets_its_full_form_instead_of_a_pull():
    names = ["sbx:1", "docker.io/hnew/idx:1", "both:1", "none:1"]
    assert summarize(plan.to_pull(names, INCOMPLETE, "missing")) == [
        ("tag", "docker.io/library/sbx:1"),
        ("tag", "docker.io/hnew/idx:1"),
        ("pull", "docker.io/library/none:1"),
    ]
    assert INCOMPLETE.find("sbx:1") is None
    assert summarize(plan.to_pull(names[:1], INCOMPLETE, "always"))[0][0] == "pull"
    assert summarize(plan.to_pull(names[:1], INCOMPLETE, "never"))[0][0] == "tag"


def test_incomplete_name_is_a_source_and_can_be_removed():
    for source in ("import-2026-11-30:v9", "docker.io/library/sbx:1"):
        assert summarize(plan.to_tag(["r.test/new:1"], source, INCOMPLETE)) == [
            ("tag", "r.test/new:1")
        ]
    steps = plan.to_remove(["docker.io/library/sbx:1", "hnew/idx:1"], INCOMPLETE, False)
    assert summarize(steps) == [("untag", "sbx:1"), ("remove", "index.docker.io/hnew/idx:1")]


def test_all_forms_of_a_name_are_removed_at_once():
    steps = plan.to_remove(["both:1"], INCOMPLETE, False)
    assert summarize(steps) == [("remove", "docker.io/library/both:1"), ("remove", "both:1")]
