# -*- coding: utf-8 -*-
# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the introspection service and the task service of containerd.

Responses are dictionaries with the names of
U(https://github.com/containerd/containerd/blob/main/api/services/introspection/v1/introspection.proto).
They contain the fields that the collection uses. A message that containerd did not set is None.

All functions raise C(errors.RequestError) if containerd does not respond in time, if it responds
with an error, or if its response is unreadable.
"""

from __future__ import annotations

import functools
from typing import Any

from ansible_collections.cruntime.node.plugins.module_utils import protobuf
from ansible_collections.cruntime.node.plugins.module_utils.protobuf import ENTRY, Field, Message
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel

_TASKS = "/containerd.services.tasks.v1.Tasks"
_SERVICE = "/containerd.services.introspection.v1.Introspection"
_PLUGIN: Message = {
    1: Field("type", str),
    2: Field("id", str),
    5: Field("exports", ENTRY),
    6: Field("capabilities", str, is_repeated=True),
    7: Field("init_err", {1: Field("code", int), 2: Field("message", str)}),
}
_PLUGINS: Message = {1: Field("plugins", _PLUGIN, is_repeated=True)}
_DEPRECATION: Message = {1: Field("id", str), 2: Field("message", str)}
_SERVER: Message = {
    1: Field("uuid", str),
    2: Field("pid", int),
    4: Field("deprecations", _DEPRECATION, is_repeated=True),
}
_PROCESS: Message = {2: Field("id", str), 3: Field("pid", int)}
_PROCESSES: Message = {1: Field("tasks", _PROCESS, is_repeated=True)}


def list_tasks(channel: Channel) -> list[dict[str, Any]]:
    """Return the running containers of a namespace: C(Process).

    :param channel: channel with the metadata of the namespace.
    """
    decode = functools.partial(protobuf.decode, _PROCESSES)
    return list(channel.call(f"{_TASKS}/List", decode)["tasks"])


def list_plugins(channel: Channel) -> list[dict[str, Any]]:
    """Return the plugins of the running containerd: C(Plugin).

    A plugin whose C(init_err) is set does not work.
    """
    decode = functools.partial(protobuf.decode, _PLUGINS)
    return list(channel.call(f"{_SERVICE}/Plugins", decode)["plugins"])


def server(channel: Channel) -> dict[str, Any]:
    """Return the process of containerd and its warnings about deprecations: C(ServerResponse).

    containerd 1.6 reports neither the process nor warnings.
    """
    return channel.call(f"{_SERVICE}/Server", functools.partial(protobuf.decode, _SERVER))
