# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task brings the images of a store to the requested state. The tests need no real runtime."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import stat
import tarfile
from typing import get_args

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Details,
    Image,
    ImageStore,
    Verb,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.ensure import _SOURCES, ensure
from ansible_collections.cruntime.node.plugins.module_utils.images.report import _ACTIONS
from ansible_collections.cruntime.node.plugins.module_utils.images.task import ImageTask
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

CONFIG = json.dumps({"rootfs": {"diff_ids": []}}).encode()
APP = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
OTHER = f"sha256:{'b' * 64}"
PAUSE, ALIAS = "r.test/pause:1", "r.test/alias:1"


class Store(ImageStore):
    """Store in memory, whose configuration has its pins, as in CRI-O."""

    def __init__(self, *images, saves=None):
        super().__init__(Runner(), runtimes(Runner())["crio"], "/nowhere", 600)
        self.listed, self.saves = list(images), saves

    def images(self, any_platform=False):
        return list(self.listed)

    def users(self):
        return {}

    def sandbox_images(self):
        return set()

    def tag(self, image, name):
        self.listed = [
            dataclasses.replace(
                each,
                repo_tags=tuple(tag for tag in each.repo_tags if tag != name)
                + ((name,) if each.id == image.id else ()),
            )
            for each in self.listed
        ]

    def load(self, archive, name=""):
        for image in archive.images:
            self.listed.append(Image(image.config, image.names))

    def remove(self, image, force):
        self.listed.remove(image)

    def save(self, names, path, platform=None):
        write_archive(path, self.saves or names)


class Pinning(Store):
    """Store in memory that pins by name."""

    pins = True

    def pin(self, name, pinned):
        self.listed = [
            dataclasses.replace(each, pinned=pinned) if name in each.repo_tags else each
            for each in self.listed
        ]


def write_archive(path, names):
    entry = [{"Config": "c.json", "RepoTags": list(names), "Layers": []}]
    with tarfile.open(path, "w") as archive:
        for name, content in (("c.json", CONFIG), ("manifest.json", json.dumps(entry).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def make_task(module):
    """Return a function that returns the task for some options and a store."""

    def make(store, check_mode=False, **options):
        validated = ArgumentSpecValidator(request.OPTIONS).validate(options)
        assert not validated.error_messages
        module.check_mode = check_mode
        return ImageTask(module, store, Runner(), request.parse(validated.validated_parameters))

    return make


@pytest.fixture
def run(make_task):
    """Return a function that runs a task on a store, and returns the actions in its result."""

    def do(store, **options):
        result = ensure(make_task(store, **options))
        assert result["changed"] is bool(result["actions"])
        return [action["action"] for action in result["actions"]]

    return do


@pytest.mark.parametrize(("kind", "pinned"), [(Store, False), (Pinning, True)])
def test_a_tag_moves_off_a_pinned_image(run, kind, pinned):
    store = kind(Image(APP, (PAUSE, ALIAS), pinned=True), Image(OTHER, ("r.test/other:1",)))
    assert run(store, name=[ALIAS], source_image=OTHER) == ["tagged"]
    # A store that cannot pin uses only its configuration, and the task does not fail.
    assert [image.pinned for image in store.images()] == [True, pinned]


def test_prune_keeps_images_that_the_task_loads(tmp_path, run):
    write_archive(tmp_path / "app.tar", ["[fd00::1]:5000/app:1"])
    for source in ({"archive": [str(tmp_path / "app.tar")]}, {"preload": str(tmp_path)}):
        store = Store(Image(OTHER, ("r.test/other:1",)))
        assert run(store, **source, prune={}) == ["loaded", "removed"]
        assert run(store, **source, prune={}) == []
        assert [image.id for image in store.images()] == [APP]
        # The host in this reference looks like a pattern.
        assert run(store, name=["[fd00::1]:5000/app:1"], prune={}) == []


class Labelled(Store):
    """Store whose images have labels. It does not remove some images."""

    def __init__(self, labels, causes=()):
        images = [Image(f"sha256:{number:064}", (name,)) for number, name in enumerate(labels)]
        super().__init__(*images)
        self.labels, self.causes = labels, dict(causes)

    def details(self, ids):
        known = {image.id: image.repo_tags[0] for image in self.listed}
        return {each: Details(self.labels[known[each]], 0) for each in ids}

    def remove(self, image, force):
        if image.repo_tags[0] in self.causes:
            raise CommandError(self.causes[image.repo_tags[0]], reason="command_failed")
        super().remove(image, force)


LABELS = {"r.test/a:1": {"team": "web", "ci": ""}, "r.test/b:1": {"team": "db"}, "r.test/c:1": {}}


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        (["team"], ["r.test/c:1"]),
        (["team=web"], ["r.test/b:1", "r.test/c:1"]),
        (["team", "ci"], ["r.test/b:1", "r.test/c:1"]),
        (["ci="], ["r.test/b:1", "r.test/c:1"]),
        (["team="], [*LABELS]),
        (["team=web=1"], [*LABELS]),
        ([], []),
    ],
)
def test_prune_by_labels(run, labels, kept):
    store = Labelled(LABELS)
    run(store, prune={"labels": labels})
    assert [image.repo_tags[0] for image in store.images()] == kept


def test_prune_continues_after_an_image_that_is_in_use(make_task):
    store = Labelled(LABELS, {"r.test/a:1": "image is in use by a container"})
    task = make_task(store, prune={})
    result = ensure(task)
    assert [action["name"] for action in result["actions"]] == ["r.test/b:1", "r.test/c:1"]
    assert [image.repo_tags[0] for image in store.images()] == ["r.test/a:1"]


def test_prune_reports_each_image_that_could_not_be_removed(make_task):
    causes = {"r.test/a:1": "disk full", "r.test/b:1": "image is in use by a container"}
    store = Labelled(LABELS, causes)
    with fails("command_failed", "r.test/a:1: disk full") as failed:
        ensure(make_task(store, prune={}))
    assert [each["name"] for each in failed.value.facts["actions"]] == ["r.test/c:1"]


def test_prune_rejects_a_label_without_a_key(make_task):
    with fails("option_invalid", "prune.labels: '=x' has no key"):
        make_task(Labelled(LABELS), prune={"labels": ["=x"]})


def test_a_replaced_file_keeps_its_permissions(tmp_path, run):
    path = tmp_path / "saved.tar"
    store = Store(Image(APP, ("r.test/app:1",)))
    task = {"name": ["r.test/app:1"], "export_path": str(path)}
    assert run(store, **task) == ["saved"]
    # Images can hold secrets.
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"old")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 4711, 4712)
    os.utime(path, (1, 1))
    before = path.stat()
    assert run(store, **task) == ["saved"]
    after = path.stat()
    for field in ("st_mode", "st_uid", "st_gid"):
        assert getattr(after, field) == getattr(before, field)
    assert after.st_mtime > 1
    assert run(store, **task) == []
    assert run(store, **task, export_mode="0644") == ["saved"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert run(store, **task, export_mode="0644") == []


def test_an_export_without_the_requested_image_is_discarded(tmp_path, run):
    path = tmp_path / "saved.tar"
    path.write_bytes(b"old")
    store = Store(Image(APP, ("r.test/app:1",)), saves=["r.test/else:1"])
    with fails("image_incomplete", "without r.test/app:1") as failed:
        run(store, name=["r.test/app:1"], export_path=str(path))
    assert failed.value.facts["incomplete"] == ["r.test/app:1"]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["saved.tar"]


def test_a_failed_export_names_the_file_and_the_steps_before_it(tmp_path, make_task):
    write_archive(tmp_path / "app.tar", ["r.test/app:1"])
    options = {"name": ["r.test/app:1"], "archive": [str(tmp_path / "app.tar")]}
    with fails("file_not_found", "/nowhere") as failed:
        ensure(make_task(Store(), **options, export_path=f"{tmp_path}/nowhere/saved.tar"))
    assert failed.value.reason == "file_not_found"
    assert failed.value.facts["changed"] is True
    assert [each["action"] for each in failed.value.facts["actions"]] == ["loaded"]


def test_check_mode_predicts_the_same_steps_and_does_none(tmp_path, make_task):
    write_archive(tmp_path / "app.tar", ["r.test/app:1"])
    options = {
        "name": ["r.test/app:1"],
        "archive": [str(tmp_path / "app.tar")],
        "pin": True,
        "export_path": str(tmp_path / "saved.tar"),
        "prune": {},
    }
    images = [Image(OTHER, ("r.test/other:1",))]
    store = Pinning(*images)
    predicted = ensure(make_task(store, check_mode=True, **options))
    assert store.images() == images
    assert not (tmp_path / "saved.tar").exists()
    done = ensure(make_task(store, **options))
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key]
    assert [each["action"] for each in done["actions"]] == ["loaded", "pinned", "saved", "removed"]


class Blind(Store):
    """Store that never lists its changes."""

    def __init__(self, *images):
        super().__init__(*images)
        self.first = list(images)

    def images(self, any_platform=False):
        return list(self.first)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"name": [ALIAS], "source_image": PAUSE}, f"does not list {ALIAS}"),
        ({"name": [PAUSE], "state": "absent"}, "still lists images that were removed"),
        ({"prune": {}}, "still lists images that were pruned"),
    ],
)
def test_a_change_that_the_store_never_lists_is_an_error(make_task, clock, options, problem):
    begun = clock.now
    with pytest.raises(CruntimeError) as failed:
        ensure(make_task(Blind(Image(APP, (PAUSE,))), **options))
    assert failed.value.reason == "result_unexpected"
    assert f"after 10 seconds CRI-O {problem}" in str(failed.value)
    assert 10 < clock.now - begun < 11


class Registry(Store):
    """Store whose pulls fail for some names."""

    def __init__(self, *images, failing=()):
        super().__init__(*images)
        self.failing = failing

    def pull(self, name, credentials, platform):
        if name in self.failing:
            raise CommandError("'pull x' failed: not found", reason="command_failed")
        self.listed.append(Image(APP, (name,)))


def test_a_failed_pull_keeps_the_other_images_and_reports_the_cause(make_task):
    store = Registry(failing=["r.test/b:1"])
    with pytest.raises(CruntimeError) as failed:
        ensure(make_task(store, name=["r.test/a:1", "r.test/b:1"]))
    assert failed.value.reason == "transfer_failed"
    assert failed.value.facts["failures"] == [
        {"name": "r.test/b:1", "cause": "not found", "attempts": 1}
    ]
    assert failed.value.facts["actions"] == [{"action": "pulled", "name": "r.test/a:1"}]
    assert [image["name"] for image in failed.value.facts["images"]] == ["r.test/a:1"]


def test_a_pull_of_an_image_that_is_up_to_date_changes_nothing(run):
    store = Registry(Image(APP, ("r.test/a:1",)))
    assert run(store, name=["r.test/a:1"], pull="always") == []


class Used(Store):
    """Store in which a container uses each image."""

    def users(self):
        return {image.id: ["web (0123)"] for image in self.listed}


def test_an_image_in_use_is_removed_only_by_force(make_task, run):
    store = Used(Image(APP, (PAUSE,)))
    with fails("image_in_use", "r.test/pause:1", "web (0123)") as failed:
        ensure(make_task(store, name=[PAUSE], state="absent"))
    assert failed.value.reason == "image_in_use"
    assert run(store, name=[PAUSE], state="absent", force=True) == ["removed"]
    assert store.images() == []


@pytest.mark.parametrize(("label", "actions"), [("same", []), ("other", ["built"])])
def test_a_build_is_repeated_only_if_its_files_changed(tmp_path, run, label, actions):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")

    class Builder(Store):
        """Store that builds images, and keeps their labels."""

        def __init__(self):
            super().__init__()
            self.labels = {}

        def build(self, build):
            self.labels[APP] = dict(build.labels)
            self.listed = [Image(APP, build.tags)]

        def details(self, ids):
            return {each: Details(self.labels[each], 0) for each in ids}

    store = Builder()
    options = {"name": ["r.test/built:1"], "build": {"context": str(tmp_path)}}
    assert run(store, **options) == ["built"]
    if label == "other":
        (tmp_path / "file").touch()
    assert run(store, **options) == actions


def test_each_source_of_a_request_has_its_function():
    assert set(get_args(request.Source)) == set(_SOURCES)


def test_each_verb_of_a_step_has_its_action_in_the_result():
    assert set(get_args(Verb)) - {"platform"} == set(_ACTIONS)
