"""Docker with foreign keys in daemon.json, and with data that a change of keys would hide."""

from __future__ import annotations

import json

import pytest
import testinfra
from conftest import ARCHIVES, EMPTY, ENABLE, IMAGE, check_untouched

CONFIG = "/etc/docker/daemon.json"
# The data that Docker.fill creates.
DATA = "1 container and 1 image"
FEATURE = "containerd-snapshotter"
VISIBLE = "docker ps --all --format '{{.Names}}'; docker image ls --format '{{.Repository}}'"

pytestmark = pytest.mark.runtime("docker")


class Docker:
    """Docker on one node, with the module that changes it."""

    def __init__(self, node, spec, run_module, snapshot):
        self.node, self.spec = node, spec
        self._run_module, self._snapshot = run_module, snapshot

    @property
    def version(self):
        return int(self.node.check_output("dockerd --version").split()[2].partition(".")[0])

    @property
    def config(self):
        return json.loads(self.node.file(CONFIG).content_string)

    def write(self, config):
        """Write daemon.json as another tool does, and start Docker with it."""
        text = config if isinstance(config, str) else json.dumps(config)
        self.node.check_output("printf %%s %s >%s", text, CONFIG)

    def restart(self):
        self.node.check_output("systemctl reset-failed docker && systemctl restart docker")

    def info(self, template):
        return self.node.check_output("docker info --format %s", template)

    def visible(self):
        return self.node.check_output(VISIBLE)

    def run(self, check=False, **changes):
        extra = {**self.spec.get("extra_config", {}), **changes.pop("extra_config", {})}
        options = {**self.spec, "extra_config": extra, **changes}
        return self._run_module(self.node, ENABLE, check=check, **options)

    def enable(self, **changes):
        result = self.run(**changes)
        assert not result.get("failed"), result
        return result

    def refuse(self, reason, *facts, **changes):
        """Run the module, which must fail in check mode too and must not change the node.

        :param facts: texts that the message must contain.
        """
        before = self._snapshot(), self.visible() if self.is_running() else ""
        for check in (True, False):
            check_untouched(self.run(check=check, **changes), reason, *facts)
        assert (self._snapshot(), self.visible() if self.is_running() else "") == before

    def is_running(self):
        return self.node.service("docker").is_running

    def fill(self):
        """Make one image and one container."""
        self.node.check_output(f"docker load --input {ARCHIVES}/busybox.tar")
        self.node.check_output(f"docker create --name keep {IMAGE} sleep 600")

    def empty(self):
        self.node.check_output(EMPTY["docker"])


@pytest.fixture
def docker(node, spec, run_module, snapshot):
    """Yield a Docker that matches its spec and has no data. It is restored after the test."""
    docker = Docker(node, spec, run_module, snapshot)
    docker.empty()
    yield docker
    if not docker.is_running():
        docker.restart()
    docker.empty()
    docker.enable(exclusive=True)


def test_foreign_tables_are_kept_and_managed_keys_removed(docker):
    others = {
        "features": {"buildkit": True},
        "runtimes": {"kata": {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}},
        "log-driver": "json-file",
        "log-opts": {"max-file": "9", "compress": "true", "labels": "team"},
        "insecure-registries": ["172.17.0.1:5080", "10.0.0.0/8"],
        "default-ulimits": {"core": {"Name": "core", "Soft": 0, "Hard": 0}},
        "default-address-pools": [{"base": "10.77.0.0/16", "size": 24}],
        "labels": ["rack=1"],
    }
    own = docker.config
    docker.write({**others, **own})
    docker.enable(
        oci_runtimes=[{"name": "crun", "path": "/usr/bin/crun"}],
        container_logs={"max_size": "10m"},
        ulimits={"nofile": {"soft": 1024, "hard": 4096}},
        registries=[{"registry": "reg2.local:5000", "insecure": True}],
        extra_config={"features": {"x": True}, "insecure-registries": ["192.168.0.0/16"]},
    )
    merged = docker.config
    assert merged["features"] == {"buildkit": True, "x": True}
    assert merged["runtimes"].keys() == {"kata", "crun"}
    assert merged["log-opts"] == {**others["log-opts"], "max-size": "10m"}
    assert merged["default-ulimits"].keys() == {"core", "nofile"}
    both = ["172.17.0.1:5080", "10.0.0.0/8", "reg2.local:5000", "192.168.0.0/16"]
    assert merged["insecure-registries"] == both
    # Docker runs with all of them.
    assert {"kata", "crun"} <= json.loads(docker.info("{{json .Runtimes}}")).keys()
    networks = docker.info("{{range .RegistryConfig.InsecureRegistryCIDRs}}{{.}} {{end}}")
    assert {"10.0.0.0/8", "192.168.0.0/16"} <= set(networks.split())
    docker.enable()
    # The spec sets the log driver, which is Docker's default, so it is no longer set by others.
    del others["log-driver"]
    assert docker.config == {**others, **own}
    assert docker.run()["changed"] is False


@pytest.mark.parametrize("text", ['{"debug": true,}', "[]", '{"debug": true, "debug": false}'])
def test_unreadable_file_is_not_replaced(docker, text):
    docker.write(text)
    docker.refuse("file_unreadable", CONFIG)
    assert docker.node.file(CONFIG).content_string == text
    docker.enable(exclusive=True)
    assert "max-concurrent-downloads" in docker.config


HIDING = [
    ({"storage": {"root": "/var/lib/docker/elsewhere"}}, "data-root"),
    ({"storage": {"driver": "vfs"}}, "storage-driver"),
    ({"extra_config": {"userns-remap": "daemon"}}, "userns-remap"),
    ({"extra_config": {"features": {FEATURE: True}}}, f"features.{FEATURE}"),
]


@pytest.mark.parametrize(("changes", "key"), HIDING)
def test_change_that_hides_data_is_rejected(docker, changes, key):
    if FEATURE in key and docker.version < 28:
        pytest.skip("before Docker 28, the store in containerd is experimental")
    if FEATURE in key and docker.version >= 29:
        pytest.skip("the store in containerd is the default from Docker 29 on")
    docker.fill()
    before = docker.visible()
    # From Docker 29 on, containerd keeps the images, and not in Docker's directory.
    of_containerd = docker.version >= 29 and key != "storage-driver"
    docker.refuse("data_hidden", CONFIG, key, "1 container" if of_containerd else DATA, **changes)
    assert docker.visible() == before
    docker.empty()
    if key == "userns-remap":
        # A node that is a container does not support user namespaces.
        return
    assert docker.run(check=True, **changes)["changed"] is True
    docker.enable(**changes)
    docker.fill()
    # The reverse change is refused too.
    docker.refuse("data_hidden", key)


def test_change_that_hides_data_of_a_stopped_docker_is_rejected(docker):
    docker.fill()
    docker.node.check_output("docker volume create precious")
    docker.node.check_output("systemctl stop docker.socket docker")
    new = {"root": "/var/lib/docker/elsewhere"}
    # From Docker 29 on, containerd keeps the images, and not in Docker's directory.
    image = "" if docker.version >= 29 else ", 1 image"
    docker.refuse("data_hidden", f"1 container{image} and 1 volume", storage=new)
    docker.refuse("data_hidden", DATA, storage={"driver": "vfs"})
    docker.enable()
    assert "keep" in docker.visible()


def test_image_or_volume_alone_counts_as_data(docker):
    docker.fill()
    docker.node.check_output("docker rm keep")
    docker.refuse("data_hidden", " 1 image ", storage={"driver": "vfs"})
    docker.empty()
    docker.node.check_output("docker volume create precious")
    facts = (" 1 volume ", "storage.root", "/var/lib/docker")
    docker.refuse("data_hidden", *facts, storage={"root": "/var/lib/docker/elsewhere"})


def test_copied_data_is_not_hidden(docker):
    docker.fill()
    before = docker.visible()
    new = "/var/lib/containers/docker"
    docker.node.check_output(
        f"systemctl stop docker.socket docker && cp --archive /var/lib/docker {new}"
    )
    docker.enable(storage={"root": new})
    try:
        assert docker.info("{{.DockerRootDir}}") == new
        assert docker.visible() == before
        docker.empty()
        # The old directory still holds the data from which the copy was made.
        docker.enable()
        # From Docker 29 on, both directories share the images, which containerd keeps.
        assert docker.visible() == ("keep" if docker.version >= 29 else before)
    finally:
        docker.node.check_output(f"rm -rf {new}")


def test_foreign_feature_key_keeps_the_image_store(docker):
    if docker.version < 28:
        pytest.skip("before Docker 28, the store in containerd is experimental")
    docker.write({**docker.config, "features": {FEATURE: True}})
    docker.restart()
    docker.fill()
    before = docker.visible()
    docker.enable(gpus="cdi")
    assert docker.visible() == before
    assert docker.config["features"] == {FEATURE: True, "cdi": True}
    # Docker is stopped, but containerd runs and lists Docker's images.
    docker.node.check_output("systemctl stop docker.socket docker")
    docker.refuse("data_hidden", DATA, extra_config={"features": {FEATURE: False}})
    docker.node.check_output("systemctl stop containerd")
    docker.refuse("data_hidden", DATA, extra_config={"features": {FEATURE: False}})
    docker.node.check_output("systemctl start docker")
    docker.empty()


def test_live_restore_in_a_swarm_is_rejected(docker):
    docker.node.check_output("docker swarm init --advertise-addr 127.0.0.1")
    try:
        facts = (CONFIG, "live-restore", "swarm")
        docker.refuse("configuration_refused", *facts, live_restore=True)
        docker.node.check_output("systemctl stop docker.socket docker")
        docker.refuse("configuration_refused", *facts, live_restore=True)
        docker.enable(live_restore=False)
        docker.restart()
    finally:
        docker.node.check_output("docker swarm leave --force")
    docker.enable(live_restore=True)
    docker.restart()
    docker.node.check_output("systemctl stop docker.socket docker")
    docker.enable(live_restore=True)


def test_value_that_only_a_reload_accepts_is_rejected(docker):
    """Docker from 23 on validates the labels; an older Docker does not accept them in a reload."""
    result = docker.run(extra_config={"labels": ["no value"]}, timeout=5)
    assert result.get("failed") is True, result
    assert result.get("rolled_back", True) is True
    docker.restart()
    assert docker.run()["changed"] is False


@pytest.fixture(scope="module")
def newest(start_nodes, tmp_path_factory):
    """Return a node with the newest Docker, which keeps images in containerd by default."""
    (name,) = start_nodes("current")
    inventory = tmp_path_factory.mktemp("newest") / "hosts.json"
    host = {
        "ansible_connection": "community.docker.docker",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_user": "root",
    }
    inventory.write_text(json.dumps({"all": {"hosts": {name: host}}}))
    return testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}")


@pytest.mark.once
def test_docker_29_keeps_its_store_in_containerd(newest, spec, run_module):
    docker = Docker(newest, spec, run_module, lambda: newest.check_output("sha256sum " + CONFIG))
    docker.enable()
    docker.fill()
    before = docker.visible()
    assert "keep" in before
    facts = (CONFIG, "storage-driver", DATA, "storage.driver")
    docker.refuse("data_hidden", *facts, storage={"driver": "overlay2"})
    other = {"features": {FEATURE: False}}
    docker.refuse("data_hidden", f"features.{FEATURE}", extra_config=other)
    # These settings choose the store that is in use.
    docker.enable(extra_config={"features": {FEATURE: True}})
    assert docker.visible() == before
    docker.enable(storage={"driver": "overlayfs"})
    assert docker.visible() == before
    docker.enable()
    assert docker.visible() == before
    # The images are not in the data root, but the container is.
    new = {"root": "/var/lib/docker/elsewhere"}
    docker.refuse("data_hidden", " 1 container ", storage=new)
    docker.empty()
    docker.enable(storage={"driver": "overlay2"})
    docker.fill()
    # Docker keeps the store of which it finds data.
    docker.enable()
    assert docker.visible() == before
    assert docker.info("{{.Driver}}") == "overlay2"
    docker.refuse("data_hidden", DATA, extra_config={"features": {FEATURE: True}})
