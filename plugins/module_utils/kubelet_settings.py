# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and change the settings with which systemd would start a kubelet.

Each setting is found as systemd and the kubelet find it: in the command of the unit, with the
variables of the unit and of its environment files, and in the configuration files that the flags
name. Only these places are changed, so it does not matter which installer wrote the files. The
functions write nothing.
"""

from __future__ import annotations

import itertools
import os
import re
from typing import Callable, Iterable, Mapping, NamedTuple

from ansible_collections.cruntime.node.plugins.module_utils import command_line, kubelet_config
from ansible_collections.cruntime.node.plugins.module_utils.effective.base import Source
from ansible_collections.cruntime.node.plugins.module_utils.effective.environment import (
    ReadText,
    Variables,
    read_variables,
)
from ansible_collections.cruntime.node.plugins.module_utils.services import (
    is_comment,
    join_lines,
    parse_settings,
)

#: kubeadm copies the fields of this file, next to the configuration file, when it upgrades a node.
_INSTANCE_CONFIG = "instance-config.yaml"


class Setting(NamedTuple):
    """Setting of a kubelet.

    :param flag: name of its flag, which takes precedence over the field.
    :param field: name of its field in KubeletConfiguration.
    """

    flag: str
    field: str


ENDPOINT = Setting("container-runtime-endpoint", "containerRuntimeEndpoint")
IMAGE_ENDPOINT = Setting("image-service-endpoint", "imageServiceEndpoint")
CGROUP_DRIVER = Setting("cgroup-driver", "cgroupDriver")
SETTINGS = (ENDPOINT, IMAGE_ENDPOINT, CGROUP_DRIVER)


class Found(NamedTuple):
    """Value of a setting, or a word of a command, with the place that sets it."""

    value: str
    source: Source


class KubeletFiles:
    """Files with which systemd would start a kubelet.

    :param unit_files: the unit file and its drop-ins, in systemd's order.
    :param read_text: returns the text of a file, empty if it cannot be read.
    """

    def __init__(self, unit_files: Iterable[str], read_text: ReadText) -> None:
        self._unit_files = tuple(unit_files)
        self._read_text = read_text
        self._words = _read_command(self._unit_files, read_text)
        self._configs = kubelet_config.list_files(word.value for word in self._words)

    @property
    def program(self) -> str:
        """The program that the unit starts, empty if the unit has no command."""
        return self._words[0].value if self._words else ""

    @property
    def paths(self) -> list[str]:
        """The files of the unit and the configuration files of the kubelet."""
        return [*self._unit_files, *self._configs]

    def find(self, setting: Setting) -> Found | None:
        """Return the value of a setting that takes effect, None if no file sets it."""
        found = self._find_flags(setting) or self._find_fields(setting, self._configs)
        return found[-1] if found else None

    def list_places(self, setting: Setting) -> list[Found]:
        """Return all places that set a setting."""
        copied = [
            os.path.join(os.path.dirname(path), _INSTANCE_CONFIG) for path in self._configs[:1]
        ]
        fields = self._find_fields(setting, [*self._configs, *copied])
        return [*self._find_flags(setting), *fields]

    def list_flags(self, setting: Setting) -> list[str]:
        """Return the values of all flags of a setting."""
        return [found.value for found in self._find_flags(setting)]

    def list_settings_files(self) -> list[str]:
        """Return the files that set any of the settings."""
        places = (place for setting in SETTINGS for place in self.list_places(setting))
        return sorted({place.source.file for place in places})

    def rewrite(self, values: Mapping[Setting, str]) -> dict[str, str]:
        """Return the new texts of the files that change if settings get these values.

        A setting is only changed in the places that set it.
        """
        texts: dict[str, str] = {}
        for setting, value in values.items():
            for place in self.list_places(setting):
                path = place.source.file
                text = texts.get(path, self._read_text(path))
                texts[path] = self._replace(text, place.source, setting, value)
        return {path: text for path, text in texts.items() if text != self._read_text(path)}

    def rewritten(self, texts: Mapping[str, str]) -> KubeletFiles:
        """Return the files with new texts."""
        return KubeletFiles(self._unit_files, lambda path: texts.get(path) or self._read_text(path))

    def _find_flags(self, setting: Setting) -> list[Found]:
        found = []
        for word, following in itertools.zip_longest(self._words, self._words[1:]):
            name, equals, value = word.value.partition("=")
            if name == f"--{setting.flag}" and (equals or following):
                found.append(Found(value, word.source) if equals else following)
        return found

    def _find_fields(self, setting: Setting, paths: Iterable[str]) -> list[Found]:
        values = (
            (kubelet_config.find_field(self._read_text(path), setting.field), path)
            for path in paths
        )
        return [Found(value, Source("file", path)) for value, path in values if value]

    def _replace(self, text: str, source: Source, setting: Setting, value: str) -> str:
        def replace_flag(part: str) -> str:
            return _FLAGS[setting].sub(lambda match: match["before"] + value, part)

        if source.kind == "file":
            return kubelet_config.replace_field(text, setting.field, value)
        if source.file in self._unit_files:
            return _edit_unit_file(text, replace_flag)
        return _edit_assignments(text, source.name, replace_flag)


# A variable in the place of the value is not replaced. The next word can be on the next line.
_FLAGS = {
    setting: re.compile(
        rf"""(?P<before>(?<![\w-])--{setting.flag}(?:=|(?:[ \t]|\\\n)+)\\?["']?)[^\s"'\\$]+"""
    )
    for setting in SETTINGS
}


def _read_command(unit_files: Iterable[str], read_text: ReadText) -> list[Found]:
    """Return the command line of a unit, with expanded variables."""
    variables = read_variables(unit_files, read_text)
    environment = {
        name: variable.value for name, variable in variables.items() if variable.value is not None
    }
    command, place = "", Source()
    for path in unit_files:
        for key, value in parse_settings(join_lines(read_text(path))):
            if key == "ExecStart":
                command, place = value, Source("flag", path, "")
    return [
        Found(text, _find_source(word, variables) or place)
        # Strip the exec prefixes of systemd.
        for word in command_line.split_words(command.lstrip("@-:+!|"))
        for text in command_line.expand([word], environment)
    ]


def _find_source(word: str, variables: Variables) -> Source | None:
    """Return the place of the first variable in a word, None if the word has no variable."""
    names = [name for name in command_line.list_variables(word) if name in variables]
    return variables[names[0]].source if names else None


def _edit_unit_file(text: str, edit: Callable[[str], str]) -> str:
    """Edit the lines of a unit file, except comments."""
    groups = itertools.groupby(text.splitlines(keepends=True), is_comment)
    parts = (("".join(lines), comment) for comment, lines in groups)
    return "".join(part if comment else edit(part) for part, comment in parts)


def _edit_assignments(text: str, name: str, edit: Callable[[str], str]) -> str:
    """Edit the values of a variable in an environment file."""
    edited, position = "", 0
    for found, _value, start, end in command_line.locate_assignments(text):
        if found == name:
            edited += text[position:start] + edit(text[start:end])
            position = end
    return edited + text[position:]
