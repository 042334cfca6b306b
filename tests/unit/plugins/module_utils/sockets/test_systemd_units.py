# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units are read from systemd over D-Bus."""

from __future__ import annotations

import contextlib
import pathlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import systemd_bus
from ansible_collections.cruntime.node.plugins.module_utils.errors import RequestError
from ansible_collections.cruntime.node.plugins.module_utils.services import Services
from ansible_collections.cruntime.node.plugins.module_utils.sockets import dbus
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

TRANSCRIPTS = pathlib.Path(__file__).parents[1] / "transcripts"
NAMES = ["containerd.service", "crio.service", "docker.socket", "docker.service"]


def receive(connection, end):
    """Return everything that a client sends, up to the end that is given."""
    data = b""
    while not data.endswith(end):
        data += connection.recv(65536)
    return data


def answer(connection, data):
    """Authenticate a client, and respond to its calls."""
    ok, calls = data.split(b"\r\n", 1)
    # The user 0 in hexadecimal digits.
    assert receive(connection, b"BEGIN\r\n") == b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n"
    connection.sendall(ok + b"\r\n")
    # A client that is refused sends nothing.
    assert connection.recv(65536).startswith(b"l\x01") or not calls
    connection.sendall(calls)
    assert connection.recv(1) == b""


@pytest.fixture
def look(monkeypatch, serving):
    """Return a function that returns the units in recorded responses of systemd."""
    monkeypatch.setattr("os.path.isdir", lambda path: True)

    def look(transcript, names):
        data = (TRANSCRIPTS / transcript).read_bytes()
        with serving(lambda connection: answer(connection, data)) as path:
            monkeypatch.setattr(systemd_bus, "_OWN_SOCKET", path)
            monkeypatch.setattr(systemd_bus.os, "geteuid", lambda: 0)
            return Services(None).look(names)

    return look


@pytest.fixture
def units(look):
    return look("systemd-257-properties.bin", NAMES)


def test_units_are_returned_in_the_requested_order(units):
    assert list(units) == NAMES


def test_a_running_service(units):
    docker = units["docker.service"]
    assert docker.found
    assert docker.active
    assert not docker.stopped
    assert docker.enabled
    assert not docker.masked
    assert docker.maskable
    assert docker.pid == 31614
    assert docker.command == (
        "/usr/sbin/dockerd",
        "-H",
        "fd://",
        "--containerd=/run/containerd/containerd.sock",
        "$DOCKER_OPTS",
    )
    assert {"containerd.service", "docker.socket"} <= docker.needs


def test_the_start_time_of_a_process_uses_the_clock_of_files(units):
    epoch_of_clock = time.time() - time.monotonic()
    assert units["docker.service"].started == pytest.approx(epoch_of_clock + 1481.038806, abs=1)


def test_a_socket_has_no_process(units):
    socket = units["docker.socket"]
    assert (socket.active, socket.pid, socket.started, socket.command) == (True, 0, None, ())


def test_a_unit_that_does_not_exist(units):
    crio = units["crio.service"]
    assert not crio.found
    assert crio.stopped
    assert not crio.masked


def test_environment_of_a_unit(units):
    docker = units["docker.service"]
    assert docker.environment == ("A=b c", 'D=e"f')
    directory = "/etc/systemd/system/docker.service.d"
    assert docker.environment_files == (
        "/etc/default/docker",
        f"{directory}/50-cruntime-proxy.env",
        "/etc/default/none",
    )
    assert docker.drop_ins == (f"{directory}/50-cruntime-proxy.conf", f"{directory}/zz.conf")
    assert units["docker.socket"].listens == ("/run/docker.sock",)


def test_a_masked_unit(look):
    names = ["docker.service", "containerd.service"]
    docker, containerd = look("systemd-257-properties-masked.bin", names).values()
    assert docker.masked
    assert docker.found
    assert str(docker) == "inactive, masked"
    assert not containerd.masked


def test_a_refused_user_is_an_error(look, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda _path: b"REJECTED EXTERNAL\r\n")
    with pytest.raises(RequestError, match="did not accept the user: REJECTED EXTERNAL"):
        look("none", NAMES)


def test_an_error_of_systemd_is_reported(look, monkeypatch):
    name, text = (b"\x04\x01s\0" + pack(each) for each in ("org.x.Denied", "no access"))
    fields = b"\x05\x01u\0\x01\0\0\0" + name + bytes(-len(name) % 8) + b"\x08\x01g\0\x01s\0"
    body = text[4:]
    head = b"l\x03\0\x01" + b"".join(
        number.to_bytes(4, "little") for number in (len(body), 9, len(fields))
    )
    message = head + fields + bytes(-len(fields) % 8) + body
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda _path: b"OK 1\r\n" + message)
    with fails("output_unreadable", "org.x.Denied: no access"):
        look("none", NAMES[:1])


def pack(text):
    return len(text).to_bytes(4, "little") + text.encode() + b"\0"


@given(st.binary(max_size=200), st.sampled_from(["a{sv}", "a(sasbttttuii)", "v", "as", "(uo)"]))
@example(b"\0\0", "v")
@example(b"\x01a\0", "v")
@example(b"\x01x\0", "v")
@example(b"\x02yy\0\0\0", "v")
def test_any_bytes_are_a_value_or_an_error(data, signature):
    reader = dbus.Reader(data, "<")
    with contextlib.suppress(ValueError):
        reader.read(signature)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("docker.service", "docker_2eservice"),
        ("cri-docker.socket", "cri_2ddocker_2esocket"),
        ("0x@y_z.service", "_30x_40y_5fz_2eservice"),
    ],
)
def test_the_object_path_of_a_unit(name, escaped):
    assert systemd_bus._escape(name) == escaped
