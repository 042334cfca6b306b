# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of Docker is found, and changes that hide data are rejected."""

from __future__ import annotations

import json

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import docker_storage
from ansible_collections.cruntime.node.plugins.module_utils.checks import docker_store
from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import DOCKER
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes import docker as docker_runtime
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

FEATURE = "containerd-snapshotter"


@pytest.fixture
def root(tmp_path):
    """Create a data root with data of overlay2, and return its path."""
    make(tmp_path / "docker")
    return tmp_path / "docker"


def make(root, driver="overlay2", containers=("c1",), images=("i1",), volumes=()):
    (root / driver / "l").mkdir(parents=True)
    for name in containers:
        (root / "containers" / name).mkdir(parents=True)
        config = root / "containers" / name / "config.v2.json"
        config.write_text(json.dumps({"Driver": driver}))
    for name in images:
        directory = root / "image" / driver / "imagedb" / "content" / "sha256"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("{}")
    (root / "volumes").mkdir()
    (root / "volumes" / "metadata.db").write_text("")
    for name in volumes:
        (root / "volumes" / name).mkdir()


def settings(root, **config):
    return docker_storage.read_settings({"data-root": str(root), **config}, ())


def check(before, after, major=28, store=None):
    store = store or docker_store.find_store(Runner(), before, major)
    docker_store.check("/etc/docker/daemon.json", store, before, after, major)


def refused(*arguments, **options):
    """Return the message of a rejection."""
    with fails("data_hidden") as caught:
        check(*arguments, **options)
    return str(caught.value)


def in_containerd(root):
    """Return the store of a running Docker: one image in containerd, one container on disk."""
    make(root, driver="overlayfs", images=())
    return docker_store.Store(str(root), "overlayfs", True, False, 1, 1)


@pytest.mark.parametrize("major", [20, 28, 29])
def test_the_store_of_a_stopped_docker_is_found_on_the_disk(root, major):
    store = docker_store.find_store(Runner(), settings(root), major)
    assert store == (str(root), "overlay2", False, False, 1, 1)


@pytest.mark.parametrize(
    ("major", "config", "in_containerd"),
    [
        (20, {"features": {FEATURE: True}}, False),
        (23, {"features": {FEATURE: True}}, True),
        (28, {}, False),
        (28, {"storage-driver": "overlayfs"}, False),
        (29, {}, True),
        (29, {"storage-driver": "overlay2"}, False),
        (29, {"storage-driver": "overlayfs"}, True),
        (29, {"features": {FEATURE: False}}, False),
        (29, {"features": {FEATURE: True}, "storage-driver": "overlayfs"}, True),
        (29, {"features": {FEATURE: "yes"}}, True),
        # With user namespaces, Docker 29 keeps its own store.
        (29, {"userns-remap": "default"}, False),
    ],
)
def test_default_store_of_a_docker_without_data(tmp_path, major, config, in_containerd):
    store = docker_store.find_store(Runner(), settings(tmp_path / "none", **config), major)
    assert store.in_containerd is in_containerd
    assert store.containers == 0


@pytest.mark.parametrize("version", ["28.5.2", "29.8.1"])
def test_a_stopped_docker_uses_the_store_of_its_next_start(monkeypatch, tmp_path, version):
    config = tmp_path / "daemon.json"
    units = {name: Unit(name) for name in DOCKER.adapters + DOCKER.units}
    monkeypatch.setattr(docker_runtime.Docker, "version", lambda runtime: version)
    docker = runtimes(Runner())["docker"]
    docker.config_path = str(config)
    docker.read_units(units)

    def ask(**keys):
        config.write_text(json.dumps({"data-root": str(tmp_path), **keys}))
        return docker.find_facts(["containerd_store"])["containerd_store"]

    is_29 = version.startswith("29")
    assert ask() is is_29
    assert ask(features={FEATURE: True}) is True
    assert ask(features={FEATURE: False}) is False
    units["docker.service"] = Unit("docker.service", command=("dockerd", "-s", "overlay2"))
    docker.read_units(units)
    assert ask() is False
    units["docker.service"] = Unit("docker.service", command=("dockerd", "-s", "overlayfs"))
    docker.read_units(units)
    assert ask() is is_29
    docker.read_units({**units, "docker.service": Unit("docker.service")})
    (tmp_path / "overlay2" / "l").mkdir(parents=True)
    assert ask() is False
    assert docker.find_facts(["cni_bin_dir"]) == {}


@pytest.mark.parametrize(
    ("major", "config", "facts"),
    [
        (28, {"storage-driver": "vfs"}, ["storage-driver"]),
        (28, {"features": {FEATURE: True}}, [f"features.{FEATURE}"]),
        # From Docker 29 on, the driver decides too.
        (29, {"features": {FEATURE: True}}, [f"features.{FEATURE}", "storage.driver"]),
        (20, {"storage-driver": "btrfs"}, ["storage.driver", "overlay2"]),
        (28, {"userns-remap": "default"}, ["userns-remap"]),
    ],
)
def test_a_change_of_a_graph_driver_is_rejected(root, major, config, facts):
    with fails("data_hidden", "1 container and 1 image", *facts):
        check(settings(root), settings(root, **config), major)


def test_naming_the_store_in_use_changes_nothing(root):
    before = settings(root)
    for major in (20, 28, 29):
        check(before, settings(root, **{"storage-driver": "overlay2"}), major)
        check(settings(root, **{"storage-driver": "overlay2"}), before, major)
    check(before, settings(root, features={FEATURE: True}), 20)
    # The namespace in containerd matters only for images in containerd.
    check(before, settings(root, **{"containerd-namespace": "x"}))


def test_an_unchanged_setting_is_compared_with_the_store_in_use(tmp_path):
    """A variable of the unit sets the driver, or no other driver works on this disk."""
    make(tmp_path / "docker", driver="vfs")
    store = docker_store.Store(str(tmp_path / "docker"), "vfs", False, False, 1, 1)
    unseen = settings(tmp_path / "default")
    check(unseen, settings(tmp_path / "default", features={FEATURE: False}), store=store)
    changed = settings(tmp_path / "default", **{"storage-driver": "overlay2"})
    with fails("data_hidden", "storage.driver", "vfs"):
        check(unseen, changed, store=store)


def test_a_driver_unknown_to_the_search_is_kept_by_name(tmp_path):
    make(tmp_path / "docker", driver="vfs")
    (tmp_path / "docker" / "overlay2" / "l").mkdir(parents=True)
    vfs = settings(tmp_path / "docker", **{"storage-driver": "vfs"})
    with fails("data_hidden", "storage driver"):
        check(vfs, settings(tmp_path / "docker"))


def test_images_in_containerd(tmp_path):
    store = in_containerd(tmp_path)
    before = settings(tmp_path)
    for config in ({}, {"features": {FEATURE: True}}, {"storage-driver": "overlayfs"}):
        check(before, settings(tmp_path, **config), 29, store)
    message = refused(before, settings(tmp_path, **{"storage-driver": "overlay2"}), 29, store)
    assert "storage.driver" in message
    assert "features.containerd-snapshotter" in message
    refused(before, settings(tmp_path, features={FEATURE: False}), 29, store)
    message = refused(before, settings(tmp_path, **{"containerd-namespace": "x"}), 29, store)
    assert "containerd-namespace" in message
    assert "moby" in message
    message = refused(before, settings(tmp_path / "new"), 29, store)
    assert "1 container" in message
    # The images are in containerd, and not below the data root.
    assert "1 image" not in message
    # If the feature is not set, Docker chooses the data that an older version wrote.
    (tmp_path / "overlay2" / "l").mkdir(parents=True)
    named = settings(tmp_path, features={FEATURE: True})
    refused(named, before, 29, store)
    refused(named, before, 28, store)


def test_a_copied_data_root_hides_nothing(root):
    new = root.parent / "new"
    before, after = settings(root), settings(new)
    with fails("data_hidden", "storage.root", root):
        check(before, after)
    make(new, images=())
    refused(before, after)
    (new / "image" / "overlay2" / "imagedb" / "content" / "sha256").mkdir(parents=True)
    (new / "image" / "overlay2" / "imagedb" / "content" / "sha256" / "i1").write_text("{}")
    check(before, after)
    (root / "volumes" / "precious").mkdir()
    assert "1 volume" in refused(before, after)


def test_nothing_is_hidden_without_data(tmp_path):
    for config in ({"storage-driver": "vfs"}, {"features": {FEATURE: True}}):
        check(settings(tmp_path / "none"), settings(tmp_path / "new", **config))


def test_a_link_to_a_data_root_is_the_same_root(root):
    (root.parent / "link").symlink_to(root)
    check(settings(root), settings(root.parent / "link"))


def test_settings_of_the_command_line_are_parsed():
    command = ("/usr/sbin/dockerd", "-H", "fd://", "--data-root=/x", "-s", "vfs")
    assert docker_storage.read_settings({}, command)[:2] == ("/x", "vfs")
    assert docker_storage.read_settings({"graph": "/y"}, ())[0] == "/y"
    assert docker_storage.read_settings({"data-root": "/\0"}, ())[0] == "/\0"
    assert docker_storage.list_prior_drivers("/\0") == []


def test_the_store_of_a_running_docker_is_parsed():
    info = {"Driver": "overlay2", "DriverStatus": None, "Containers": 1, "Images": 2}
    store = docker_store.read_store({**info, "DockerRootDir": "/var/lib/docker/100000.100000"})
    assert store == ("/var/lib/docker", "overlay2", False, True, 1, 2)
    status = [["driver-type", "io.containerd.snapshotter.v1"]]
    store = docker_store.read_store({**info, "DockerRootDir": "/x", "DriverStatus": status})
    assert (store.root, store.in_containerd, store.is_remapped) == ("/x", True, False)
