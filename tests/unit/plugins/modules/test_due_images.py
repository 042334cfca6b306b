# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that are due for the role runtime."""

from __future__ import annotations

import types

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.images import catalog
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Image
from ansible_collections.cruntime.node.plugins.modules import cruntime_provision

APP = "docker.io/library/app:1"


@pytest.mark.parametrize(
    ("images", "lacks"),
    [
        ([], True),
        ([Image("sha256:1", (APP,))], False),
        # An image for other platforms only does not run on this node.
        ([Image("sha256:1", (APP,), is_foreign=True)], True),
        # cruntime_image adds the full name.
        ([Image("sha256:1", ("app:1",))], True),
    ],
)
def test_images_are_due_by_the_rule_of_cruntime_image(monkeypatch, images, lacks):
    store = types.SimpleNamespace(images=lambda: images)
    monkeypatch.setattr(catalog, "store_of", lambda *_arguments: store)
    node = types.SimpleNamespace(
        runner=None,
        runtimes={"containerd": None},
        module=types.SimpleNamespace(tmpdir=""),
        timeout=1,
    )
    assert cruntime_provision._lacks_images(node, "containerd", [APP]) is lacks
