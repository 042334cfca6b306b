# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image store of Docker, or of containerd if Docker uses it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from typing import TYPE_CHECKING, AbstractSet, Any, Callable, Iterator, cast

from ansible_collections.cruntime.node.plugins.module_utils import docker_cli, image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import fingerprint
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalize,
    registry_of,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import auth_file
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    START_TIME,
    Build,
    Credentials,
    Details,
    Image,
    ImageStore,
    SourceStore,
    Verb,
    is_not_found,
    parse_time,
)
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker

# Name of Docker Hub in files with passwords.
_HUB = "https://index.docker.io/v1/"


class DockerStore(ImageStore):
    """Images of Docker."""

    @property
    def root(self) -> str:
        return self._docker("info", "--format", "{{.DockerRootDir}}").strip()

    def images(self, any_platform: bool = False) -> list[Image]:
        ids = self._docker("images", "--quiet", "--no-trunc").split()
        return parse_images(self._inspected("image", ids))

    def details(self, ids: list[str]) -> dict[str, Details]:
        return parse_details(self._inspected("image", ids))

    def users(self) -> dict[str, list[str]]:
        ids = self._docker("ps", "--all", "--quiet", "--no-trunc").split()
        return parse_users(self._inspected("container", ids))

    def check(self, needed: AbstractSet[Verb]) -> None:
        self._require_tool("docker", what="image work")
        if needed & {"pin", "unpin"}:
            raise self._unsupported(
                "pin or unpin images",
                "cri-dockerd pins only its sandbox image. Do not set pin with Docker",
            )

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        flags = ("--platform", platform) if platform else ()
        with self._auth(name, credentials) as given:
            self._docker("pull", "--quiet", *flags, name, timeout=self._timeout, **given)

    def load(self, archive: Archive, name: str = "") -> None:
        with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
            converted = archive.as_docker(stream, name)
            self._docker("load", "--quiet", stdin=converted, timeout=self._timeout)

    def tag(self, image: Image, name: str) -> None:
        self._docker("tag", image.id, name)

    def save(self, names: list[str], path: str, platform: str | None = None) -> None:
        self._docker("save", "--output", path, *names, timeout=self._timeout)

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        if insecure:
            self._check_insecure(registry_of(name))
        with self._auth(name, credentials) as given:
            words = self._docker("push", name, timeout=self._timeout, **given)
        return parse_pushed(words, name)

    def build(self, build: Build) -> None:
        words, variables = build.pass_args()
        self._docker(
            "build",
            *(word for tag in build.tags for word in ("--tag", tag)),
            *("--file", build.dockerfile),
            *words,
            *(word for item in build.labels.items() for word in ("--label", "=".join(item))),
            *build.options,
            build.context,
            timeout=self._timeout,
            env=variables,
        )

    def untag(self, image: Image, name: str) -> None:
        self._docker("rmi", "--no-prune", name)

    def remove(self, image: Image, force: bool) -> None:
        # Docker does not remove an ID that has several names, so remove the names. Removing the
        # last name also removes the digests.
        names = list(image.repo_tags) or list(image.repo_digests) or [image.id]
        try:
            self._docker(*("rmi", *(("--force",) if force else ()), *names), timeout=self._timeout)
        except CommandError as error:
            if not is_not_found(error):
                raise

    @contextlib.contextmanager
    def open_source(self, directory: str) -> Iterator[SourceStore]:
        base = os.path.dirname(directory)
        config, host = os.path.join(base, "daemon.json"), f"unix://{base}/docker.sock"
        with open(config, "w", encoding="utf-8") as file:
            file.write("{}")

        def is_responding() -> bool:
            return self._runner.run("docker", "--host", host, "version", timeout=20).rc == 0

        with self._runner.started(
            # Use a separate network namespace: with --bridge none, dockerd removes docker0, the
            # bridge of the main daemon.
            *("unshare", "--net", "--mount", "dockerd"),
            *("--config-file", config, "--host", host, "--data-root", directory),
            *("--exec-root", os.path.join(base, "exec"), "--pidfile", os.path.join(base, "pid")),
            # The second dockerd needs no network, and must not find other containers.
            *("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
            *("--containerd-namespace", "cruntime-preload"),
            *("--containerd-plugins-namespace", "cruntime-preload-plugins"),
        ):
            if not wait_until(is_responding, START_TIME):
                raise CruntimeError(
                    f"preload: the dockerd that reads {directory} did not respond within "
                    f"{START_TIME} seconds",
                    reason="no_response",
                )
            yield _Source(functools.partial(self._docker, host=host, timeout=self._timeout))

    @parsing("docker info")
    def _check_insecure(self, host: str) -> None:
        """Check that the daemon trusts a registry without TLS: no command can override it."""
        known = json.loads(self._docker("info", "--format", "{{json .RegistryConfig}}"))
        index = (known.get("IndexConfigs") or {}).get(host)
        name = host.partition(":")[0]
        if (index and not index["Secure"]) or name == "localhost" or name.startswith("127."):
            return
        raise self._unsupported(
            f"push to {host} without verified TLS",
            "the configuration of the daemon decides it. Add the registry with insecure: true to "
            "the option registries of cruntime_enable",
        )

    def _inspected(self, kind: str, ids: list[str]) -> str:
        return docker_cli.inspect(self._runner, kind, ids, host=self._host) or "[]"

    @contextlib.contextmanager
    def _auth(self, name: str, credentials: Credentials | None) -> Iterator[dict[str, Any]]:
        """Yield the arguments of the runner that log a tool in to a registry."""
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

    @property
    def _host(self) -> str:
        return f"unix://{cast('Docker', self._runtime).api_socket}"

    def _docker(self, *words: str, host: str = "", **given: Any) -> str:
        result = self._runner.run(*docker_cli.argv(*words, host=host or self._host), **given)
        if result.rc != 0:
            raise result.failure(
                f"docker {' '.join(words)}", cause=parse_failure(result.error_text)
            )
        return result.out


class _Source(SourceStore):
    """Store of a second dockerd."""

    def __init__(self, docker: Callable[..., str]) -> None:
        self._docker = docker

    def names(self) -> list[str]:
        listed = self._docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        return [normalize(name) for name in listed if "<none>" not in name]

    def save(self, names: list[str], path: str) -> None:
        self._docker("save", "--output", path, *names)


@parsing("docker image inspect")
def parse_images(text: str) -> list[Image]:
    """Parse C(docker image inspect)."""
    return [_image(item) for item in json.loads(text)]


@parsing("docker image inspect")
def parse_details(text: str) -> dict[str, Details]:
    """Parse C(docker image inspect)."""
    return {
        item["Id"]: Details(
            (item.get("Config") or {}).get("Labels") or {}, parse_time(item.get("Created"))
        )
        for item in json.loads(text)
    }


def _image(item: dict[str, Any]) -> Image:
    digests = tuple(normalize(name) for name in item.get("RepoDigests") or ())
    # With the store of containerd, the ID is the digest of a manifest, not of the configuration.
    is_manifest = any(split(name)[2] == item["Id"] for name in digests)
    layers = (item.get("RootFS") or {}).get("Layers") or []
    return Image(
        id=item["Id"],
        repo_tags=tuple(normalize(name) for name in item.get("RepoTags") or ()),
        repo_digests=digests,
        size=int(item["Size"]),
        fingerprint=fingerprint(item, layers) if is_manifest else "",
    )


@parsing("docker container inspect")
def parse_users(text: str) -> dict[str, list[str]]:
    """Parse C(docker container inspect)."""
    users: dict[str, list[str]] = {}
    for item in json.loads(text):
        users.setdefault(item["Image"], []).append(
            f"{item['Name'].lstrip('/')} ({item['Id'][:12]})"
        )
    return users


def parse_pushed(output: str, name: str) -> str:
    """Parse C(docker push): the last line is C(TAG: digest: DIGEST size: N).

    :raises CruntimeError: if the output has no digest.
    """
    found = re.search(r"digest: (\S+) size: ", output)
    if found is None:
        raise CruntimeError(
            f"docker push: {name}: no digest in the output: {output.strip()}",
            reason="output_unreadable",
        )
    return found.group(1)


def parse_failure(output: str) -> str:
    """Return an error message without its prefix."""
    return re.sub(r"^(Error response from daemon|Error): ", "", output)
