# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control a headless Chromium over a pipe with the DevTools protocol, without a library."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import Any, Iterator

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--headless", "--no-sandbox", "--remote-debugging-pipe", "--hide-scrollbars")


def find() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of a browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        #: Unexpected events of the page: the names of the events, with their parameters.
        self.events: list[tuple[str, dict]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict:
        """Send a command and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append((answer["method"], answer["params"]))

    def _receive(self) -> dict:
        while b"\0" not in self._buffer:
            data = os.read(self._answers, 1 << 16)
            assert data, "the browser has ended"
            self._buffer += data
        message, _zero, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> None:
        """Open a page and wait until its scripts have run."""
        self.events.clear()
        self.send("Page.navigate", url=url)
        while "Page.loadEventFired" not in (method for method, _parameters in self.events):
            answer = self._receive()
            self.events.append((answer["method"], answer["params"]))

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key of the keyboard."""
        code, text = {"Tab": (9, ""), "Enter": (13, "\r")}[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def show_as(self, width: int, height: int, scheme: str = "light", phone: bool = False) -> None:
        """Use the size and the color scheme of a device."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])


@contextlib.contextmanager
def page(profile: str) -> Iterator[Page]:
    """Start a browser with one page.

    :param profile: an empty directory for the browser profile.
    """
    browser, ours = os.pipe()
    theirs, answers = os.pipe()[::-1]
    # Chromium reads commands from descriptor 3 and writes results to descriptor 4.
    redirected = f'exec "$@" 3<&{browser} 4>&{theirs}'
    process = subprocess.Popen(
        ["bash", "-c", redirected, "bash", find(), *ARGUMENTS, f"--user-data-dir={profile}"],
        pass_fds=(browser, theirs),
        stderr=subprocess.DEVNULL,
    )
    os.close(browser)
    os.close(theirs)
    try:
        yield Page(ours, answers)
    finally:
        os.close(ours)
        os.close(answers)
        process.terminate()
        process.wait()
