# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task does to a store, as far as no real runtime is needed to see it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import stat
import tarfile

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.images import request
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Image, ImageStore
from ansible_collections.cruntime.node.plugins.module_utils.images.ensure import Work
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes

CONFIG = json.dumps({"rootfs": {"diff_ids": []}}).encode()
APP = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
OTHER = f"sha256:{'b' * 64}"
PAUSE, ALIAS = "r.test/pause:1", "r.test/alias:1"


class Store(ImageStore):
    """A store in memory, which keeps its pins by a configuration, as CRI-O does."""

    def __init__(self, *images, saves=None):
        super().__init__(Runner(), runtimes(Runner())["crio"], "/nowhere", 600)
        self.listed, self.saves = list(images), saves

    def images(self):
        return list(self.listed)

    def users(self):
        return {}

    def sandbox_image(self):
        return ""

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

    def save(self, names, path):
        write_archive(path, self.saves or names)


class Pinning(Store):
    """One that pins by names."""

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


def run(store, **task):
    result = ArgumentSpecValidator(request.OPTIONS).validate(task)
    assert not result.error_messages
    work = Work(store, Runner(), request.parse(result.validated_parameters), check_mode=False)
    return [action["action"] for action in work.run()["actions"]]


@pytest.mark.parametrize(("kind", "pinned"), [(Store, False), (Pinning, True)])
def test_a_second_name_moves_off_a_pinned_image(kind, pinned):
    store = kind(Image(APP, (PAUSE, ALIAS), pinned=True), Image(OTHER, ("r.test/other:1",)))
    assert run(store, name=[ALIAS], source_image=OTHER) == ["tagged"]
    # Where nobody can pin, the configuration has the last word, and nothing breaks.
    assert [image.pinned for image in store.images()] == [True, pinned]


def test_what_a_task_loads_it_does_not_prune(tmp_path):
    write_archive(tmp_path / "app.tar", ["[fd00::1]:5000/app:1"])
    for source in ({"archive": [str(tmp_path / "app.tar")]}, {"preload": str(tmp_path)}):
        store = Store(Image(OTHER, ("r.test/other:1",)))
        assert run(store, **source, prune={}) == ["loaded", "removed"]
        assert run(store, **source, prune={}) == []
        assert [image.id for image in store.images()] == [APP]
        # The host of this name looks like a pattern.
        assert run(store, name=["[fd00::1]:5000/app:1"], prune={}) == []


def test_a_file_that_is_replaced_keeps_who_may_read_it(tmp_path):
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


def test_an_archive_of_something_else_is_not_kept(tmp_path):
    path = tmp_path / "saved.tar"
    path.write_bytes(b"old")
    store = Store(Image(APP, ("r.test/app:1",)), saves=["r.test/else:1"])
    with pytest.raises(CruntimeError, match=r"archive of r.test/else:1 instead of r.test/app:1"):
        run(store, name=["r.test/app:1"], export_path=str(path))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["saved.tar"]
