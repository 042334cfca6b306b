# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify signatures of images with public keys, with cosign.

Source: U(https://github.com/sigstore/cosign/blob/main/doc/cosign_verify.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from typing import Any, Iterator

from ansible_collections.cruntime.node.plugins.module_utils import image_archive
from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError, parsing
from ansible_collections.cruntime.node.plugins.module_utils.image_archive import Archive
from ansible_collections.cruntime.node.plugins.module_utils.image_reference import (
    normalize,
    registry_of,
    split,
)
from ansible_collections.cruntime.node.plugins.module_utils.images import auth_file, registry
from ansible_collections.cruntime.node.plugins.module_utils.images.base import Credentials
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import read_regular
from ansible_collections.cruntime.node.plugins.module_utils.runner import Result, Runner

# The certificate authorities of the system, on Debian and on Red Hat.
_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


class Verifier:
    """Verification with cosign.

    :param keys: paths of public keys. A signature of one of them is sufficient.
    :param scratch_dir: directory that no other user can read.
    :param timeout: time for each verification, in seconds.
    """

    def __init__(self, runner: Runner, keys: list[str], scratch_dir: str, timeout: float) -> None:
        self._runner = runner
        self._keys = keys
        self._scratch_dir = scratch_dir
        self._timeout = timeout

    def check(self) -> None:
        """Check that signatures can be verified on this node.

        :raises CruntimeError: if cosign is not installed, or a key cannot be read.
        """
        if self._runner.which("cosign") is None:
            raise CruntimeError(
                "cosign not found on this node: required for verify_keys. Install the package "
                "cosign",
                reason="tool_not_found",
            )
        for path in self._keys:
            try:
                read_regular(path)
            except OSError as error:
                raise CruntimeError(
                    f"verify_keys: unreadable file {path}: {error.strerror}. Copy it to the node "
                    "first, or correct the path",
                    reason="file_unreadable",
                ) from error

    def resolve(self, name: str, credentials: Credentials | None) -> str:
        """Return a reference by digest to the image of a name, whose signature is valid.

        :param name: reference of an image in a registry.
        :raises CruntimeError: if the image has no valid signature of a key.
        """
        full_name = normalize(name)
        repository, _tag, digest = split(full_name)
        with self._connect(registry_of(full_name), credentials) as given:
            result = self._verify(name, full_name, **given)
        signed = parse_digests(result.out)
        # If an image has several signatures, all of them are for the same digest.
        if len(signed) != 1 or (digest and digest not in signed):
            raise _describe_unsigned(name, f"cosign verified {', '.join(sorted(signed)) or 'none'}")
        return f"{repository}@{signed.pop()}"

    def check_archive(self, archive: Archive) -> None:
        """Check the signature of the image in an archive of the directory of C(cosign save).

        :raises CruntimeError: if the image has no valid signature of a key.
        """
        if not archive.is_oci:
            raise _describe_unsigned(
                archive.path, "only an OCI layout has signatures, see cosign save"
            )
        with tempfile.TemporaryDirectory(dir=self._scratch_dir) as directory:
            with image_archive.plain(self._runner, archive.path, archive.compression) as stream:
                self._runner.output(
                    *("tar", "--extract", "--no-same-owner", "--directory", directory),
                    stdin=stream,
                    timeout=self._timeout,
                )
            result = self._verify(archive.path, "--local-image", directory)
        # cosign ignores further images of the archive.
        others = {image.target for image in archive.images} - parse_digests(result.out)
        if others:
            raise _describe_unsigned(archive.path, f"it also contains {', '.join(sorted(others))}")

    def _verify(self, name: str, *words: str, **given: Any) -> Result:
        """Run cosign with each key until one is valid."""
        causes = []
        for key in self._keys:
            # The log of transparency of signatures is public, and a key does not need it.
            flags = ("--key", key, "--insecure-ignore-tlog=true", "--output", "json")
            result = self._runner.run(
                "cosign", "verify", *flags, *words, timeout=self._timeout, **given
            )
            if result.rc == 0:
                return result
            causes.append(parse_failure(result.error_text))
        raise _describe_unsigned(name, "; ".join(dict.fromkeys(causes)))

    @contextlib.contextmanager
    def _connect(self, host: str, credentials: Credentials | None) -> Iterator[dict[str, Any]]:
        """Yield the arguments of the runner for a registry."""
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(dir=self._scratch_dir))
            bundle = os.path.join(directory, "ca.pem")
            with open(bundle, "wb") as file:
                file.write(b"\n".join(_read_authorities(host)))
            given: dict[str, Any] = {"env": {"SSL_CERT_FILE": bundle}}
            if credentials:
                auth = stack.enter_context(
                    auth_file.written(self._scratch_dir, [host], credentials)
                )
                given["env"]["DOCKER_CONFIG"] = os.path.dirname(auth.path)
                given["descriptors"] = (auth.descriptor,)
            yield given


def _read_authorities(host: str) -> Iterator[bytes]:
    """Yield the certificate authorities of the system, and those of a registry."""
    for path in (*_SYSTEM, *registry.list_certificates(host)[0]):
        with contextlib.suppress(OSError, CruntimeError):
            yield read_regular(path)


def _describe_unsigned(name: str, cause: str) -> CruntimeError:
    return CruntimeError(
        f"{name}: no valid signature of a key in verify_keys: {cause}. Sign the image, or correct "
        "verify_keys",
        reason="signature_invalid",
    )


@parsing("cosign verify")
def parse_digests(output: str) -> set[str]:
    """Parse C(cosign verify): the digests of the signed manifests or image indexes."""
    return {each["critical"]["image"]["docker-manifest-digest"] for each in json.loads(output)}


def parse_failure(output: str) -> str:
    """Return the error message in the output of cosign, which has warnings before it."""
    return re.split("error during command execution: |Error: ", output)[-1].strip()
