# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image store of Docker, or of containerd if Docker uses it, through the API of the engine."""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, AbstractSet, Any, ContextManager, Iterable, Iterator, cast

from ansible_collections.cruntime.node.plugins.module_utils import (
    containerd_namespaces,
    docker_storage,
    image_archive,
)
from ansible_collections.cruntime.node.plugins.module_utils.archive_stream import (
    PartStream,
    name_digests,
)
from ansible_collections.cruntime.node.plugins.module_utils.docker_api import (
    DockerApi,
    missing_ok,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CruntimeError,
    RequestError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import (
    Archive,
    name_image,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import (
    fingerprint,
    platforms_of_this_node,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalize,
    registry_of,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import (
    builders,
    containerd_source,
    docker_login,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    START_TIME,
    Build,
    Credentials,
    Details,
    Image,
    ImageStore,
    SourceStore,
    Verb,
    parse_time,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Stream
from ansible_collections.cruntime.node.plugins.module_utils.waiting import wait_until

if TYPE_CHECKING:
    from ansible_collections.cruntime.node.plugins.module_utils.runtimes.docker import Docker

# Time for requests that do not transfer an image, in seconds.
_QUERY_TIME = 60
# Namespace of Docker in containerd.
_NAMESPACE = "moby"


class DockerStore(ImageStore):
    """Images of Docker."""

    @property
    def root(self) -> str:
        return str(self._api(_QUERY_TIME).info()["DockerRootDir"])

    def keeps_digests(self, platform: str | None = None) -> bool:
        # For one platform, Docker writes the digest of its manifest.
        return self._in_containerd and platform is None

    @functools.cached_property
    def _in_containerd(self) -> bool:
        """Return whether the images are in containerd, which keeps manifests as they are."""
        return docker_storage.reports_containerd(self._api(_QUERY_TIME).info())

    def images(self, any_platform: bool = False) -> list[Image]:
        api = self._api(_QUERY_TIME)
        listed = api.images()
        if self._in_containerd:
            # Only the properties of each image have what identifies its content.
            # A task for another platform also needs the manifests of each image index.
            query = "?manifests=1" if any_platform else ""
            listed = _inspect(api, [item["Id"] for item in listed], query)
        return parse_images(listed, self._in_containerd)

    def details(self, ids: list[str]) -> dict[str, Details]:
        return parse_details(_inspect(self._api(_QUERY_TIME), ids))

    def users(self) -> dict[str, list[str]]:
        return parse_users(self._api(_QUERY_TIME).containers(include_stopped=True))

    def check(self, needed: AbstractSet[Verb]) -> None:
        if "build" in needed and self._runner.which("docker") is None:
            raise CruntimeError(
                "docker not found on this node: required for building images with Docker. Install "
                "the package docker-ce-cli, docker-cli or docker.io",
                reason="tool_not_found",
            )
        if needed & {"pin", "unpin"}:
            raise self._unsupported(
                "pin or unpin images",
                "cri-dockerd pins only its sandbox image. Do not set pin with Docker",
            )

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        repository, tag, digest = split(name)
        query = {"fromImage": repository, "tag": digest or tag}
        if platform:
            query["platform"] = platform
        api, target = self._api(), f"/images/{name}/json"
        before = api.find(target)
        try:
            api.follow("/images/create", query, self._login(name, credentials))
        except RequestError:
            # If Docker cannot read the image, its store in containerd can have the name already.
            with contextlib.suppress(RequestError):
                after = api.find(target)
                if after and before is None:
                    api.change("DELETE", f"/images/{name}")
                elif after and before and after["Id"] != before["Id"]:
                    self.tag(Image(before["Id"]), name)
            raise

    def load(self, archive: Archive, name: str = "") -> None:
        with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
            converted = (
                archive.convert(stream, archive.images, functools.partial(name_image, name=name))
                if self._in_containerd
                else archive.as_docker(stream, name)
            )
            headers = {"Content-Type": "application/x-tar"}
            self._api().follow("/images/load", {"quiet": "1"}, headers, converted)

    def tag(self, image: Image, name: str) -> None:
        repository, tag, _digest = split(name)
        self._api().change("POST", f"/images/{image.id}/tag", repo=repository, tag=tag)

    def save(self, names: list[str], path: str, platform: str | None = None) -> None:
        keeps = self.keeps_digests(platform)
        digests = [name for name in names if keeps and "@" in name]
        _save(self._api(), names, path, platform, digests)

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        if insecure:
            self._check_insecure(registry_of(name))
        repository, tag, _digest = split(name)
        messages = self._api().follow(
            f"/images/{repository}/push", {"tag": tag}, self._login(name, credentials)
        )
        return parse_pushed(messages, name)

    def build(self, build: Build) -> None:
        # DOCKER_HOST or a context can set another machine.
        command = ("docker", "--host", f"unix://{self._docker.api_socket}", "build")
        builders.run_like_docker(self._runner, *command, build=build, **self._limits)

    def untag(self, image: Image, name: str) -> None:
        self._api().change("DELETE", f"/images/{name}", noprune="1")

    def remove(self, image: Image, force: bool) -> None:
        # Docker does not remove an ID that has several names, so remove the names. Removing the
        # last name also removes the digests.
        for name in image.repo_tags or image.repo_digests or (image.id,):
            with missing_ok():
                self._api().change("DELETE", f"/images/{name}", force=str(int(force)))

    def open_source(self, directory: str) -> ContextManager[SourceStore]:
        if glob.glob(os.path.join(glob.escape(directory), "image/*/repositories.json")):
            return self._open_docker(directory)
        for root in (
            os.path.join(os.path.dirname(directory), "containerd"),
            # A containerd that dockerd has started.
            os.path.join(directory, "containerd/daemon"),
        ):
            if os.path.exists(os.path.join(root, containerd_namespaces.METADATA)):
                return containerd_source.opened(self._runner, root, _NAMESPACE, self._timeout)
        raise CruntimeError(
            "preload: lib/docker of the tarball contains no images: Docker 29 keeps them in "
            "/var/lib/containerd. Add lib/containerd to the tarball",
            reason="archive_invalid",
        )

    @contextlib.contextmanager
    def _open_docker(self, directory: str) -> Iterator[SourceStore]:
        """Start a second dockerd."""
        base = os.path.dirname(directory)
        config, socket = os.path.join(base, "daemon.json"), os.path.join(base, "docker.sock")
        with open(config, "w", encoding="utf-8") as file:
            file.write("{}")

        def is_responding() -> bool:
            try:
                return bool(DockerApi(20, socket).version())
            except RequestError:
                return False

        with self._runner.started(
            # Use a separate network namespace: with --bridge none, dockerd removes docker0, the
            # bridge of the main daemon.
            *("unshare", "--net", "--mount", "dockerd"),
            *("--config-file", config, "--host", f"unix://{socket}", "--data-root", directory),
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
            yield _Source(DockerApi(self._timeout, socket))

    @parsing("GET /info")
    def _check_insecure(self, host: str) -> None:
        """Check that the daemon trusts a registry without TLS: no request can override it."""
        known = self._api(_QUERY_TIME).info()["RegistryConfig"]
        index = (known.get("IndexConfigs") or {}).get(host)
        name = host.partition(":")[0]
        if (index and not index["Secure"]) or name == "localhost" or name.startswith("127."):
            return
        raise self._unsupported(
            f"push to {host} without verified TLS",
            "the configuration of the daemon decides it. Add the registry with insecure: true to "
            "the option registries of cruntime_enable",
        )

    def _login(self, name: str, credentials: Credentials | None) -> dict[str, str]:
        return docker_login.headers(self._runner, registry_of(name), credentials)

    @property
    def _docker(self) -> Docker:
        return cast("Docker", self._runtime)

    def _api(self, timeout: float | None = None) -> DockerApi:
        """Return the API.

        :param timeout: time for each request in seconds, None for the transfer of an image.
        """
        return self._docker.api(timeout or self._timeout)


class _Source(SourceStore):
    """Store of a second dockerd."""

    def __init__(self, api: DockerApi) -> None:
        self._api = api

    def names(self) -> list[str]:
        ids = [item["Id"] for item in self._api.images()]
        images = parse_images(_inspect(self._api, ids), in_containerd=False)
        return [name for image in images for name in image.repo_tags]

    def save(self, names: list[str], path: str) -> None:
        _save(self._api, names, path)


def _inspect(api: DockerApi, ids: list[str], query: str = "") -> list[dict[str, Any]]:
    """Return the properties of images. Images that no longer exist are skipped."""
    return api.find_all(f"/images/{each}/json{query}" for each in dict.fromkeys(ids))


def _save(
    api: DockerApi,
    names: list[str],
    path: str,
    platform: str | None = None,
    digests: Iterable[str] = (),
) -> None:
    """Write an archive that only root can read.

    :param platform: platform to save, which Docker 28 and newer use. Older versions have only one.
    :param digests: references by digest, which an OCI layout then has.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    query: dict[str, Any] = {"names": names}
    if platform:
        fields = dict(zip(("os", "architecture", "variant"), platform.split("/")))
        query["platform"] = json.dumps(fields)
    with api.stream("GET", "/images/get", query) as pieces, open(
        path, "wb", opener=lambda name, _flags: os.open(name, flags, 0o600)
    ) as file:
        stream: Stream = PartStream(pieces)
        shutil.copyfileobj(name_digests(stream, digests) if digests else stream, file)


def _list_names(item: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return the names of an image. The list of Docker 24 and older has placeholders."""
    names = item.get(key) or ()
    return tuple(normalize(name) for name in names if not name.startswith("<none>"))


@parsing("GET /images/json")
def parse_images(items: list[dict[str, Any]], in_containerd: bool) -> list[Image]:
    """Return images from their properties.

    :param in_containerd: whether the images are in containerd. The ID of an image is then the
        digest of a manifest, not of the configuration.
    """
    ours = platforms_of_this_node()
    return [
        Image(
            id=item["Id"],
            repo_tags=_list_names(item, "RepoTags"),
            repo_digests=_list_names(item, "RepoDigests"),
            size=int(item["Size"]),
            fingerprint=fingerprint(item, (item.get("RootFS") or {}).get("Layers") or [])
            if in_containerd
            else "",
            targets=tuple(each["ID"] for each in item.get("Manifests") or () if each["Available"]),
            # If no platform of the node is in the store, Docker reports none.
            is_foreign=in_containerd and f"{item.get('Os')}/{item.get('Architecture')}" not in ours,
        )
        for item in items
    ]


@parsing("GET /images/ID/json")
def parse_details(items: list[dict[str, Any]]) -> dict[str, Details]:
    """Return the details of images from their properties, by ID."""
    return {
        item["Id"]: Details(
            (item.get("Config") or {}).get("Labels") or {}, parse_time(item.get("Created"))
        )
        for item in items
    }


@parsing("GET /containers/json")
def parse_users(items: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the containers that use an image from the list of containers, by image ID."""
    users: dict[str, list[str]] = {}
    for item in items:
        # The names by which other containers call a container have a path.
        name = min(item.get("Names") or [item["Id"]], key=lambda name: name.count("/"))
        users.setdefault(item["ImageID"], []).append(f"{name.lstrip('/')} ({item['Id'][:12]})")
    return users


def parse_pushed(messages: list[str], name: str) -> str:
    """Return the digest from the messages of a push, such as C(TAG: digest: DIGEST size: N).

    :raises CruntimeError: if no message has a digest.
    """
    for message in messages:
        found = re.search(r"digest: (\S+) size: ", message)
        if found:
            return found.group(1)
    raise CruntimeError(
        f"POST /images/{name}/push: no digest in the response: {' '.join(messages)}",
        reason="output_unreadable",
    )
