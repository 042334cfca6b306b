# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image store of the containerd CRI: the namespace k8s.io, through the CRI and ctr."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import shutil
import tempfile
from typing import AbstractSet, Any, Callable, ContextManager, cast

from ansible_collections.cruntime.node.plugins.module_utils import image_archive, image_manifests
from ansible_collections.cruntime.node.plugins.module_utils.containerd_images import (
    ContainerdImages,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
    parsing,
)
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_manifests import Archived
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    image_id,
    normalize,
    registry_of,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import (
    builders,
    containerd_source,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.base import (
    Build,
    Credentials,
    Image,
    SourceStore,
    Verb,
)
from ansible_collections.cruntime.node.plugins.module_utils.images.cri import CriStore
from ansible_collections.cruntime.node.plugins.module_utils.images.plan import (
    ImageIndex,
    display_name,
)
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import (
    NAMESPACE,
    Containerd,
)
from ansible_collections.cruntime.node.plugins.module_utils.versions import Version

_HOSTS_DIR = "/etc/containerd/certs.d"
_PIN = "io.cri-containerd.pinned"
# Repository of unnamed images while they are imported.
_UNNAMED = "localhost/cruntime-import"
_BY_CTR: dict[Verb, str] = {
    "load": "loading images",
    "preload": "loading images",
    "save": "saving images",
    "push": "pushing images",
    "platform": "pulling for another platform",
    "build": "building images",
}
# Errors if a registry does not use TLS.
_NO_TLS = re.compile("does not look like a TLS handshake|HTTP response to HTTPS client")
# Longest line that a terminal accepts.
_MAX_PASSWORD = 4000


class ContainerdStore(CriStore):
    """Images of containerd."""

    pins = True
    loads_other_platforms = False

    @property
    def root(self) -> str:
        with parsing("Status of the CRI of containerd"):
            config = json.loads(cast(Containerd, self._runtime).running_config())
            root: str = config["containerdRootDir"]
        return root

    def keeps_digests(self, platform: str | None = None) -> bool:
        return True

    def images(self, any_platform: bool = False) -> list[Image]:
        listed = super().images()
        with self._names() as names:
            records = names.list_all()
        images = match_names(listed, records)
        # The CRI lists only images for this node.
        return images + (group_others(images, records) if any_platform else [])

    def check(self, needed: AbstractSet[Verb]) -> None:
        for what, words in _BY_CTR.items():
            if what in needed:
                self._require_tool("ctr", what=words)
        if "build" in needed:
            self._require_tool("nerdctl", "buildctl", what="building images")
        if needed & {"pin", "unpin"}:
            self._check_pins()

    def pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        try:
            self._pull(name, credentials, platform)
        except CommandError as error:
            if not _NO_TLS.search(str(error)):
                raise
            from ansible_collections.cruntime.node.plugins.module_utils.images import registry

            status = registry.read_plain_failure(name)
            if not status:
                raise
            raise CommandError(
                f"The registry refused the pull over plain HTTP: {status}", reason=error.reason
            ) from error

    def _pull(self, name: str, credentials: Credentials | None, platform: str | None) -> None:
        if platform is None:
            super().pull(name, credentials, platform)
            return
        # The CRI pulls only for the platform of the node. With the metadata of this platform, it
        # would list the image as one for the node.
        metadata = ("--skip-metadata",) if self._is_containerd_2 else ()
        flags = ("--platform", platform, *metadata, "--hosts-dir", _HOSTS_DIR)
        self._with_registry(credentials, "images", "pull", *flags, last=(name,))

    def load(self, archive: Archive, name: str = "") -> None:
        ours = ("", *image_manifests.platforms_of_this_node())
        # ctr loads nothing if an archive has an image for another platform.
        images = [image for image in archive.images if image.platform in ours]
        # Without the flag, containerd 1.x keeps only the platform of the node.
        whole = all(image.has_all_platforms for image in images)
        flags = ("--all-platforms",) if whole else ()
        # ctr cannot decompress every format.
        with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
            converted = archive.convert(stream, images, functools.partial(_names, name=name))
            self._ctr("images", "import", *flags, "-", stdin=converted, timeout=self._timeout)
        with self._names() as names:
            for image in images:
                if not image.names and not name:
                    # The CRI lists an image without a name only under its ID.
                    temporary = _temporary_name(image)
                    names.set_target(image.config, names.get(temporary)["target"])
                    names.delete(temporary)

    def tag(self, image: Image, name: str) -> None:
        with self._names() as names:
            names.set_target(name, names.get(display_name(image))["target"])

    def save(self, names: list[str], path: str, platform: str | None = None) -> None:
        try:
            self._export(names, path, platform)
        except CommandError as error:
            if "content digest" not in str(error):
                raise
        else:
            return
        # Some layers are missing. Save these images by other names that are whole.
        others = self._find_whole(names, platform)
        missing = [name for name in names if name not in others]
        if missing:
            raise CruntimeError(
                f"{', '.join(missing)}: layers are missing in containerd: it discards layers after "
                "it has unpacked them, does not fetch a layer that it has unpacked for another "
                "image, or has only another platform. Remove the image and pull it again, without "
                "discard_unpacked_layers",
                reason="image_incomplete",
                incomplete=missing,
            )
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as directory:
            whole = os.path.join(directory, "whole.tar")
            self._export(sorted(set(others.values())), whole, platform)
            archive = image_archive.read(self._runner, whole, platform)

            def rename(image: Archived) -> list[str]:
                return [name for name in names if normalize(others[name]) in image.names]

            with open(whole, "rb") as stream, open(path, "wb") as file:
                shutil.copyfileobj(archive.convert(stream, archive.images, rename), file)

    def _export(self, names: list[str], path: str, platform: str | None) -> None:
        flags = (*self._local(), *(("--platform", platform) if platform else ()))
        self._ctr("images", "export", *flags, path, *names, timeout=self._timeout)

    def _is_whole(self, name: str) -> bool:
        """Return whether all content of an image is in the store."""
        try:
            return parse_complete(self._ctr("images", "check", f"name=={name}"), name)
        except CommandError:
            # Even its manifest is missing.
            return False

    def _find_whole(self, names: list[str], platform: str | None) -> dict[str, str]:
        """Return a name of the same image whose content is complete, for each name that has one."""
        index = ImageIndex(self.images(bool(platform)))
        found = {}
        for name in names:
            image = index.find(name)
            tags = [name, *(image.repo_tags if image else ())]
            whole = next(filter(self._is_whole, tags), None)
            if whole:
                found[name] = whole
        return found

    @property
    def _is_containerd_2(self) -> bool:
        return Version(self._runtime.version()).major > 1

    def _local(self) -> tuple[str, ...]:
        # With its transfer service, ctr 2.x can end before the archive is complete, and pushes
        # images of more platforms than requested.
        return ("--local",) if self._is_containerd_2 else ()

    def untag(self, image: Image, name: str) -> None:
        # Remove the digests with the last tag of a repository, like the other runtimes do.
        repository = split(name)[0]
        others = [tag for tag in image.repo_tags if tag != name and split(tag)[0] == repository]
        digests = [name for name in image.repo_digests if split(name)[0] == repository]
        with self._names() as names:
            for each in (name, *([] if others else digests)):
                names.delete(each)

    def remove(self, image: Image, force: bool) -> None:
        if not image.is_foreign:
            super().remove(image, force)
            return
        with self._names() as names:
            for name in (*image.repo_tags, *image.repo_digests):
                names.delete(name)

    def push(self, name: str, credentials: Credentials | None, insecure: bool) -> str:
        digest, flags = self._find_pushed(name)
        push = functools.partial(
            self._with_registry, credentials, "images", "push", *flags, last=(name,)
        )
        if not insecure:
            push("--hosts-dir", _HOSTS_DIR)
        else:
            self._push_insecurely(name, push)
        return digest

    def _push_insecurely(self, name: str, push: Callable[..., None]) -> None:
        # A push uses only the first host, so TLS and plain HTTP are tried one after the other.
        with tempfile.TemporaryDirectory(dir=self._scratch_dir) as directory:
            host = registry_of(name)
            os.mkdir(os.path.join(directory, host))
            for scheme in ("https", "http"):
                with open(
                    os.path.join(directory, host, "hosts.toml"), "w", encoding="utf-8"
                ) as file:
                    file.write(f'[host."{scheme}://{host}"]\nskip_verify = true\n')
                try:
                    return push("--hosts-dir", directory)
                except CommandError as error:
                    if scheme == "http" or "HTTP response to HTTPS client" not in str(error):
                        raise
        return None

    def build(self, build: Build) -> None:
        tool = self._require_tool("nerdctl", "buildctl", what="building images")
        if tool == "nerdctl":
            self._build_by_nerdctl(build)
        else:
            self._build_by_buildctl(build)

    def pin(self, name: str, pinned: bool) -> None:
        with self._names() as names:
            names.set_label(name, _PIN, "pinned" if pinned else "")

    def open_source(self, directory: str) -> ContextManager[SourceStore]:
        return containerd_source.opened(self._runner, directory, NAMESPACE, self._timeout)

    def _build_by_nerdctl(self, build: Build) -> None:
        flags = ("--address", self._runtime.socket_path, "--namespace", NAMESPACE)
        command = ("nerdctl", *flags, "build")
        builders.run_like_docker(self._runner, *command, build=build, **self._limits)

    def _build_by_buildctl(self, build: Build) -> None:
        directory, name = os.path.split(build.dockerfile)
        with tempfile.TemporaryDirectory(dir=self._scratch_dir) as scratch:
            # Build to an archive, because buildkitd can have a separate store.
            path = os.path.join(scratch, "image.tar")
            builders.run(
                self._runner,
                "buildctl",
                *("build", "--frontend", "dockerfile.v0", "--progress", "plain"),
                *("--local", f"context={build.context}", "--local", f"dockerfile={directory}"),
                *("--opt", f"filename={name}"),
                *_options("build-arg", build.args),
                *_options("label", build.labels),
                *("--output", f'type=docker,"name={",".join(build.tags)}",dest={path}'),
                *build.options,
                build=build,
                **self._limits,
            )
            self.load(image_archive.read(self._runner, path))

    def _check_pins(self) -> None:
        installed = self._runtime.version()
        version = Version(installed)
        oldest = {6: "1.6.22", 7: "1.7.3"}.get(version.minor) if version.major == 1 else None
        if oldest and version < Version(oldest):
            raise self._unsupported("pin images", f"{installed} is older than {oldest}")

    @parsing("ctr content get")
    def _find_pushed(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Return the digest of the image that a push sends, and the flags for the push.

        The CRI pulls one platform of an image, and a push of its whole index would fail.
        """
        with self._names() as names:
            target = names.get(name)["target"]
        if target["media_type"] not in image_manifests.INDEXES:
            return target["digest"], ()
        index = json.loads(self._ctr("content", "get", target["digest"]))
        if self._has_all(index):
            return target["digest"], self._local()
        entry = image_manifests.for_this_node(index)
        if entry is None:
            raise self._unsupported(
                f"push {name}", f"it is not for {image_manifests.this_platform()}"
            )
        return entry["digest"], (*self._local(), "--platform", image_manifests.this_platform())

    def _has_all(self, index: dict[str, Any]) -> bool:
        """Return whether all content of an image index is in the store.

        C(ctr images check) checks only the platform of the node.
        """
        known = set(self._ctr("content", "list", "--quiet").split())

        def is_stored(entry: dict[str, Any]) -> bool:
            if entry["digest"] not in known:
                return False
            manifest = json.loads(self._ctr("content", "get", entry["digest"]))
            blobs = image_manifests.list_blobs(manifest)
            return bool(blobs) and all(blob["digest"] in known for blob in blobs)

        return all(map(is_stored, index["manifests"]))

    def _with_registry(
        self, credentials: Credentials | None, *words: str, last: tuple[str, ...]
    ) -> None:
        """Run a command that uses a registry. ctr reads a password from its terminal."""
        if credentials is None:
            self._ctr(*words, *last, timeout=self._timeout)
            return
        if len(credentials.password) > _MAX_PASSWORD:
            raise self._unsupported(
                "use this password", f"ctr reads at most {_MAX_PASSWORD} characters"
            )
        self._ctr(
            *(*words, "--user", credentials.username, *last),
            timeout=self._timeout,
            answer=credentials.password,
        )

    def _names(self) -> ContainerdImages:
        return ContainerdImages(self._runtime.socket_path, NAMESPACE, self._timeout)

    def _ctr(self, *words: str, timeout: float = 60, **given: Any) -> str:
        result = self._runner.run(
            "ctr",
            *("--address", self._runtime.socket_path, "--namespace", NAMESPACE, *words),
            timeout=timeout,
            **given,
        )
        if result.rc != 0:
            raise result.failure(f"ctr {' '.join(words)}", cause=parse_failure(result.error_text))
        return result.out


def _names(image: Archived, name: str) -> tuple[str, ...]:
    """Return the names with which an image is imported.

    :param name: name for an image without a name, empty if it gets none.
    """
    return image_archive.name_image(image, name or _temporary_name(image))


def _temporary_name(image: Archived) -> str:
    return f"{_UNNAMED}:{image.config.rpartition(':')[2]}"


def group_others(images: list[Image], records: list[dict[str, Any]]) -> list[Image]:
    """Return the images that the CRI does not list, with the digests of their targets as IDs."""
    known = {name for image in images for name in (*image.repo_tags, *image.repo_digests)}
    names: dict[str, list[str]] = {}
    for record in records:
        name = record["name"]
        if name not in known and not image_id(name):
            names.setdefault(record["target"]["digest"], []).append(name)
    return [
        Image(
            digest,
            repo_tags=tuple(sorted(name for name in found if "@" not in name)),
            repo_digests=tuple(sorted(name for name in found if "@" in name)),
            is_foreign=True,
        )
        for digest, found in names.items()
    ]


def match_names(images: list[Image], records: list[dict[str, Any]]) -> list[Image]:
    """Replace the names that the CRI lists with the names that containerd has.

    The CRI lists a name in its full form, but finds an image only if containerd also has this form.
    It can also list names that no longer exist.

    :param records: names in the namespace of the CRI.
    """
    targets = {record["name"]: record["target"]["digest"] for record in records}
    names = targets.keys()
    other_forms: dict[str, list[str]] = {}
    for name in names:
        if not image_id(name) and normalize(name) != name:
            other_forms.setdefault(normalize(name), []).append(name)

    def match(listed: tuple[str, ...]) -> tuple[str, ...]:
        found = [
            each
            for name in listed
            for each in (name, *sorted(other_forms.get(name, [])))
            if each in names
        ]
        return tuple(dict.fromkeys(found))

    def replace(image: Image) -> Image:
        tags, digests = match(image.repo_tags), match(image.repo_digests)
        found = {targets[name] for name in (*tags, *digests)}
        return dataclasses.replace(
            image, repo_tags=tags, repo_digests=digests, targets=tuple(sorted(found))
        )

    matched = map(replace, images)
    return [each for each in matched if each.repo_tags or each.repo_digests or each.id in names]


def parse_complete(table: str, name: str) -> bool:
    """Parse C(ctr images check): REF TYPE DIGEST STATUS and more columns.

    :return: whether the content of an image is complete.
    """
    rows = (line.split() for line in table.splitlines())
    return any(row[0] == name and row[3] == "complete" for row in rows if len(row) > 3)


def parse_failure(output: str) -> str:
    """Return the error message in the output of ctr, without the progress."""
    return output.rpartition("ctr: ")[2]


def _options(kind: str, values: dict[str, str]) -> list[str]:
    return [word for key, value in values.items() for word in ("--opt", f"{kind}:{key}={value}")]
