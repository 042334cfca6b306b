# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tasks of a role on this machine, independent of the user's configuration."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

PLAYBOOK = pathlib.Path(sys.executable).with_name("ansible-playbook")


def play(directory, text, variables, *flags, tools=None):
    """Run a playbook; return its exit status and its output.

    :param directory: an empty directory, which becomes the user's home.
    :param tools: a directory whose programs come first in the PATH.
    """
    (directory / "play.yml").write_text(text)
    path = [str(tools)] if tools else []
    done = subprocess.run(
        [PLAYBOOK, "play.yml", "--extra-vars", json.dumps(variables), *flags],
        cwd=directory,
        env={
            **os.environ,
            "PATH": os.pathsep.join([*path, os.environ["PATH"]]),
            "HOME": str(directory),
            "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
            "ANSIBLE_HOME": str(directory / "ansible"),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert "[DEPRECATION WARNING]" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr
