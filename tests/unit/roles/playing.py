# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs tasks of a role on this machine, with nothing of the user's own."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

PLAYBOOK = pathlib.Path(sys.executable).with_name("ansible-playbook")


def play(folder, text, variables, *flags, tools=None):
    """Run a playbook; return its exit status and what it said.

    :param folder: an empty one, which becomes the user's home.
    :param tools: a folder whose programs stand before all others.
    """
    (folder / "play.yml").write_text(text)
    path = [str(tools)] if tools else []
    done = subprocess.run(
        [PLAYBOOK, "play.yml", "--extra-vars", json.dumps(variables), *flags],
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join([*path, os.environ["PATH"]]),
            "HOME": str(folder),
            "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
            "ANSIBLE_HOME": str(folder / "ansible"),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert "[DEPRECATION WARNING]" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr
