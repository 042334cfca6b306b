# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's image store, its own or containerd's."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from typing import Any, Callable, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import docker_cli, image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import (
    Archive,
    fingerprint,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalised,
    registry_of,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import auth_file
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Build,
    Credentials,
    Details,
    Foreign,
    Image,
    ImageStore,
    gone,
    parse_time,
    wait_until,
)

# Docker Hub, in the files that hold passwords.
_HUB = "https://index.docker.io/v1/"


class DockerStore(ImageStore):
    @property
    def root(self) -> str:
        return self._docker("info", "--format", "{{.DockerRootDir}}").strip()

    def images(self) -> list[Image]:
        ids = self._docker("images", "--quiet", "--no-trunc").split()
        return parse_images(self._inspected("image", ids))

    def details(self, ids: list[str]) -> dict[str, Details]:
        return parse_details(self._inspected("image", ids))

    def users(self) -> dict[str, list[str]]:
        ids = self._docker("ps", "--all", "--quiet", "--no-trunc").split()
        return parse_users(self._inspected("container", ids))

    def check(self, wanted: set[str]) -> None:
        self._need("docker", what="image work")
        if wanted & {"pin", "unpin"}:
            raise self._cannot(
                "pin or unpin images",
                "no kubelet collects its images but by cri-dockerd, which has its own",
            )

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        flags = ("--platform", platform) if platform else ()
        with self._auth(name, credentials) as given:
            self._docker("pull", "--quiet", *flags, name, timeout=self._timeout, **given)

    def load(self, archive: Archive, name: str = "") -> None:
        with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
            words = self._docker(
                "load", "--quiet", stdin=archive.as_docker(stream), timeout=self._timeout
            )
        if name:
            self._docker("tag", parse_loaded(words), name)

    def tag(self, image: Image, name: str) -> None:
        self._docker("tag", image.id, name)

    def save(self, names: list[str], path: str) -> None:
        self._docker("save", "--output", path, *names, timeout=self._timeout)

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        if insecure:
            self._check_insecure(registry_of(name))
        with self._auth(name, credentials) as given:
            words = self._docker("push", name, timeout=self._timeout, **given)
        return parse_pushed(words, name)

    def build(self, build: Build) -> None:
        self._docker(
            "build",
            *(word for tag in build.tags for word in ("--tag", tag)),
            *("--file", build.dockerfile),
            *(word for name in build.args for word in ("--build-arg", name)),
            *(word for item in build.labels.items() for word in ("--label", "=".join(item))),
            *build.options,
            build.context,
            timeout=self._timeout,
            env=build.args,
        )

    def untag(self, image: Image, name: str) -> None:
        self._docker("rmi", "--no-prune", name)

    def remove(self, image: Image, force: bool) -> None:
        # By its names, because Docker refuses an ID that has several. The last name takes the
        # digests along.
        names = list(image.repo_tags) or list(image.repo_digests) or [image.id]
        try:
            self._docker(*("rmi", *(("--force",) if force else ()), *names), timeout=self._timeout)
        except CommandError as error:
            if not gone(error):
                raise

    @contextlib.contextmanager
    def opened(self, folder: str) -> Iterator[Foreign]:
        base = os.path.dirname(folder)
        config, host = os.path.join(base, "daemon.json"), f"unix://{base}/docker.sock"
        with open(config, "w", encoding="utf-8") as file:
            file.write("{}")

        def answers() -> bool:
            return self._runner.run("docker", "--host", host, "version", timeout=20).rc == 0

        with self._runner.started(
            # In a network of its own: without a bridge, it removes the one of the Docker in use.
            *("unshare", "--net", "--mount", "dockerd"),
            *("--config-file", config, "--host", host, "--data-root", folder),
            *("--exec-root", os.path.join(base, "exec"), "--pidfile", os.path.join(base, "pid")),
            # It only lends its images: no network, and containers of nobody else.
            *("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
            *("--containerd-namespace", "cruntime-preload"),
            *("--containerd-plugins-namespace", "cruntime-preload-plugins"),
        ):
            wait_until(answers, "a dockerd for the preloaded store")
            yield _Foreign(functools.partial(self._docker, host=host, timeout=self._timeout))

    @parsing("docker info")
    def _check_insecure(self, host: str) -> None:
        """Docker's daemon alone decides whom it trusts."""
        known = json.loads(self._docker("info", "--format", "{{json .RegistryConfig}}"))
        index = (known.get("IndexConfigs") or {}).get(host)
        name = host.partition(":")[0]
        if (index and not index["Secure"]) or name == "localhost" or name.startswith("127."):
            return
        raise self._cannot(
            f"push to {host} without TLS that it can verify",
            "its daemon decides that; list the registry with insecure: true in the option "
            "registries of cruntime_enable",
        )

    def _inspected(self, kind: str, ids: list[str]) -> str:
        return docker_cli.inspect(self._runner, kind, ids) or "[]"

    @contextlib.contextmanager
    def _auth(self, name: str, credentials: Credentials | None) -> Iterator[dict[str, Any]]:
        """Yield what the tool must be given to be that user."""
        if credentials is None:
            yield {}
            return
        host = registry_of(name)
        registry = _HUB if host == "docker.io" else host
        with auth_file.written(self._scratch_dir, registry, credentials) as file:
            yield {
                "env": {"DOCKER_CONFIG": os.path.dirname(file.path)},
                "descriptors": (file.descriptor,),
            }

    def _docker(self, *words: str, host: str = docker_cli.ENDPOINT, **given: Any) -> str:
        result = self._runner.run(*docker_cli.argv(*words, host=host), **given)
        if result.rc != 0:
            raise result.failure(f"docker {' '.join(words)}", cause=parse_failure(result.words))
        return result.out


class _Foreign(Foreign):
    def __init__(self, docker: Callable[..., str]) -> None:
        self._docker = docker

    def names(self) -> list[str]:
        listed = self._docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        return [normalised(name) for name in listed if "<none>" not in name]

    def save(self, names: list[str], path: str) -> None:
        self._docker("save", "--output", path, *names)


@parsing("docker image inspect")
def parse_images(text: str) -> list[Image]:
    """Read C(docker image inspect)."""
    return [_image(item) for item in json.loads(text)]


@parsing("docker image inspect")
def parse_details(text: str) -> dict[str, Details]:
    """Read C(docker image inspect)."""
    return {
        item["Id"]: Details(
            (item.get("Config") or {}).get("Labels") or {}, parse_time(item.get("Created"))
        )
        for item in json.loads(text)
    }


def _image(item: dict[str, Any]) -> Image:
    digests = tuple(normalised(name) for name in item.get("RepoDigests") or ())
    # In containerd's store the ID is that of a manifest, not of the configuration.
    is_manifest = any(split(name)[2] == item["Id"] for name in digests)
    layers = (item.get("RootFS") or {}).get("Layers") or []
    return Image(
        id=item["Id"],
        repo_tags=tuple(normalised(name) for name in item.get("RepoTags") or ()),
        repo_digests=digests,
        size=int(item["Size"]),
        fingerprint=fingerprint(item, layers) if is_manifest else "",
    )


@parsing("docker container inspect")
def parse_users(text: str) -> dict[str, list[str]]:
    """Read C(docker container inspect)."""
    users: dict[str, list[str]] = {}
    for item in json.loads(text):
        users.setdefault(item["Image"], []).append(
            f"{item['Name'].lstrip('/')} ({item['Id'][:12]})"
        )
    return users


def parse_loaded(words: str) -> str:
    """Read C(docker load): C(Loaded image ID: sha256:HEX) for one without a name."""
    return words.strip().rpartition(" ")[2]


def parse_pushed(words: str, name: str) -> str:
    """Read C(docker push): the last line is C(TAG: digest: DIGEST size: N).

    :raises CruntimeError: it says no digest.
    """
    found = re.search(r"digest: (\S+) size: ", words)
    if found is None:
        raise CruntimeError(
            f"docker push said no digest of {name}: {words.strip()}", reason="output_unreadable"
        )
    return found.group(1)


def parse_failure(words: str) -> str:
    """Leave out who says it."""
    return re.sub(r"^(Error response from daemon|Error): ", "", words)
