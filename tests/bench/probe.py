"""Count the seconds in which no runtime responds, on a node, until a file is removed.

Usage: probe.py FILE RUNTIME... Each probe waits for a response of the daemon itself, because the
socket can belong to systemd, which accepts connections while the daemon is stopped.
"""

import os
import socket
import sys
import threading
import time

# The first bytes of an HTTP/2 connection for gRPC: the client preface, and empty settings.
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_PROBES = {
    "containerd": ("/run/containerd/containerd.sock", _HTTP2),
    "docker": ("/run/docker.sock", b"GET /_ping HTTP/1.0\r\n\r\n"),
}
_TIMEOUT = 2
_PAUSE = 0.002


def is_responding(path, request):
    """Return whether a daemon responds on its socket, or None after a timeout."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_TIMEOUT)
        try:
            client.connect(path)
            client.sendall(request)
            return bool(client.recv(9))
        except socket.timeout:
            return None
        except OSError:
            return False


def ask(runtime, events, done):
    """Record the times at which a runtime responds, and at which it is not reachable."""
    while not done.is_set():
        answered = is_responding(*_PROBES[runtime])
        if answered is not None:
            events.append((time.monotonic(), runtime, answered))
        time.sleep(_PAUSE)


def without(events):
    """Sum up the seconds between the last response of a stopped runtime and the next response."""
    total, gone = 0.0, False
    last, who = events[0][0], ""
    for moment, runtime, answered in sorted(events):
        if answered:
            total += moment - last if gone else 0.0
            last, who, gone = moment, runtime, False
        # On a busy machine, a running daemon can be slow. A slow response is not downtime.
        elif runtime == who:
            gone = True
    return total


def watch(file, runtimes):
    """Return the downtime in seconds, until the file is removed and a runtime responds."""
    events, done = [], threading.Event()
    for runtime in runtimes:
        threading.Thread(target=ask, args=(runtime, events, done), daemon=True).start()
    while os.path.exists(file):
        time.sleep(_PAUSE)
    known = len(events)
    while not any(answered for _moment, _runtime, answered in events[known:]):
        time.sleep(_PAUSE)
    done.set()
    return without(list(events))


print(watch(sys.argv[1], sys.argv[2:]))
