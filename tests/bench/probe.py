"""On a node: count the seconds in which no runtime answers, for as long as a file is there.

Usage: probe.py FILE RUNTIME... Asks each of the runtimes for what it answers when it serves: a
socket alone may be systemd's, and wait for a daemon that is not there.
"""

import os
import socket
import sys
import threading
import time

# The beginning of HTTP/2, which gRPC speaks: the client's preface, and empty settings.
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_PROBES = {
    "containerd": ("/run/containerd/containerd.sock", _HTTP2),
    "docker": ("/run/docker.sock", b"GET /_ping HTTP/1.0\r\n\r\n"),
}
_PATIENCE = 2
_PAUSE = 0.002


def answers(path, words):
    """Say whether a daemon answers on its socket; None where it lets its client wait."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_PATIENCE)
        try:
            client.connect(path)
            client.sendall(words)
            return bool(client.recv(9))
        except socket.timeout:
            return None
        except OSError:
            return False


def ask(runtime, events, done):
    """Note when a runtime answers, and when there is nobody who could."""
    while not done.is_set():
        answered = answers(*_PROBES[runtime])
        if answered is not None:
            events.append((time.monotonic(), runtime, answered))
        time.sleep(_PAUSE)


def without(events):
    """Add up the seconds from the last answer of a runtime that went to the next one of any."""
    total, gone = 0.0, False
    last, who = events[0][0], ""
    for moment, runtime, answered in sorted(events):
        if answered:
            total += moment - last if gone else 0.0
            last, who, gone = moment, runtime, False
        # A busy machine lets a daemon wait that is up: that alone is no gap.
        elif runtime == who:
            gone = True
    return total


def watch(file, runtimes):
    """Return the seconds without any of these runtimes, until the file is gone and one answers."""
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
