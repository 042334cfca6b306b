# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replay recorded responses of a CRI."""

from __future__ import annotations

import base64
import json
import re

from ansible_collections.cruntime.node.plugins.module_utils import (
    containerd_images,
    cri,
    protobuf,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.protobuf import Field
from ansible_collections.cruntime.node.plugins.module_utils.sockets.grpc import Channel


class Cri:
    """CRI whose calls return recorded responses.

    :param answers: by the last part of the method, a message, an error, or a function of the
        request that returns one of them. In a list, each call takes the next one.
    """

    def __init__(self, monkeypatch, **answers):
        self.answers = answers
        #: The last part of each method, and the message of the request.
        self.calls = []
        self.timeouts = {}

        def call(channel, method, decode, message=b""):
            name = method.rpartition("/")[2]
            self.calls.append((name, message))
            self.timeouts[name] = channel._timeout
            answer = self.answers[name]
            if isinstance(answer, list):
                answer = answer.pop(0)
            if callable(answer):
                answer = answer(message)
            if isinstance(answer, Exception):
                raise answer
            return decode(answer)

        monkeypatch.setattr(Channel, "call", call)

    @property
    def methods(self):
        return [name for name, _message in self.calls]


def failed(code, detail):
    """Return the error of a daemon that responded with a status of gRPC."""
    return RequestError(
        f"/run/x.sock: /runtime.v1.X/Y: the daemon reported gRPC status {code}: {detail}",
        reason="request_failed",
        code=code,
        detail=detail,
    )


def recorded(text):
    """Return recorded responses of a runtime: messages and errors, by method and case."""
    return {
        name: failed(**answer) if isinstance(answer, dict) else base64.b64decode(answer)
        for name, answer in json.loads(text).items()
    }


def list_of(name, item, text):
    """Return a recorded list as the message of the CRI.

    :param name: name of the field.
    :param item: table of the fields of its items.
    :param text: the list as C(crictl) prints it: JSON of protobuf.
    """
    document = json.loads(text)
    return protobuf.encode(
        {1: Field(name, item, is_repeated=True)},
        {name: [_values(item, each) for each in document[name]]},
    )


def containers(text):
    return list_of("containers", cri._CONTAINER, text)


def pods(text):
    return list_of("items", cri._SANDBOX, text)


def images(text):
    return list_of("images", cri._IMAGE, text)


def complete_names(listed):
    """Return the names in containerd of recorded images, if it has all of them in full form."""
    found = protobuf.decode({1: Field("images", cri._IMAGE, is_repeated=True)}, listed)["images"]
    names = [
        {"name": name, "target": {"digest": image["id"]}}
        for image in found
        for name in (*image["repo_tags"], image["id"])
    ]
    return protobuf.encode(containerd_images._LIST, {"images": names})


def statuses(message, text):
    """Return recorded statuses with their details as messages of the CRI, by ID.

    :param message: table of the fields of the response.
    :param text: one status or several, as C(crictl) prints them.
    """
    document = json.loads(text)
    head = message[1]
    return {
        each["status"]["id"]: protobuf.encode(
            message,
            {
                head.name: _values(head.kind, each["status"]),
                "info": {"info": json.dumps(each["info"])},
            },
        )
        for each in (document if isinstance(document, list) else [document])
    }


def _values(message, document):
    """Return the values of a message in JSON, whose names have no underscores."""
    values = {}
    for field in message.values():
        key = re.sub("_(.)", lambda match: match[1].upper(), field.name)
        if key in document:
            found = document[key]
            if field.is_repeated:
                values[field.name] = [_value(field.kind, each) for each in found]
            else:
                values[field.name] = found if field.is_map else _value(field.kind, found)
    return values


def _value(kind, found):
    if isinstance(kind, dict):
        return _values(kind, found)
    # JSON of protobuf has 64-bit numbers as strings.
    return int(found) if kind is int else found
