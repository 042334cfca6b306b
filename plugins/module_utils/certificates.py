# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the certificates and keys of a spec. A runtime reads them only at the next pull."""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.cruntime.node.plugins.module_utils.errors import CruntimeError
from ansible_collections.cruntime.node.plugins.module_utils.regular_files import open_regular

_OPTIONS = ("ca_file", "client_cert_file", "client_key_file")


def check(registries: Iterable[dict[str, Any]]) -> None:
    """Check that the node has every file that the option registries names.

    :param registries: entries of the option registries.
    :raises CruntimeError: if a file is missing, unreadable, not regular, or a link to itself.
    """
    for entry in registries:
        for place in (entry, *entry["mirrors"]):
            for option in _OPTIONS:
                if place.get(option):
                    _check(f"registries: {entry['registry']}: {option}", place[option])


def _check(option: str, path: str) -> None:
    try:
        with open_regular(path) as handle:
            handle.read(1)
    except OSError as error:
        raise CruntimeError(
            f"{option}: unreadable file {path}: {error.strerror}. Copy it to the node first, or "
            "correct the path",
            reason="file_unreadable",
        ) from error
